//! The decision around a push: already live, outrun, withdrawn, or one commit more.

use crate::{Details, Error, Promoted, Release, Repo, commit, remote::BRANCH, remote::Pushed};
use backon::{BackoffBuilder, ExponentialBuilder};
use contract::names::release_file;
use git2::{Oid, Repository};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Together about eight seconds: longer than an abandoned lock is kept (`remote::local`).
const ATTEMPTS: usize = 24;
/// How far back a withdrawal is looked for.
const HISTORY: usize = 10_000;

pub(crate) fn promote(
    repo: &Repo,
    release: &Release,
    expected: Option<&str>,
    details: &Details,
) -> Result<Promoted, Error> {
    let time_s = details.time_s.unwrap_or_else(now_s);
    let repository = repo.remote().repository()?;
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(10))
        .with_max_delay(Duration::from_millis(400))
        .with_max_times(ATTEMPTS)
        .with_jitter()
        .build();
    for pause in pauses {
        let head = repo.remote().head(&repository)?;
        if let Some(commit) = settled(repo, &repository, head, release, expected, details)? {
            return Ok(Promoted {
                commit,
                already: true,
            });
        }
        let parent = repository
            .find_commit(head)
            .map_err(|error| repo.failed("read", &error))?;
        let new = commit::build(&repository, &parent, release, details, time_s, repo.address())?;
        match repo.remote().push(&repository, head, new) {
            Ok(Pushed::Done) => {
                return Ok(Promoted {
                    commit: new.to_string(),
                    already: false,
                });
            }
            Ok(Pushed::Moved) => std::thread::sleep(pause),
            // The answer was lost, which the push may not have been.
            Err(error) => match repo.remote().head(&repository) {
                Ok(head) if head == new => {
                    return Ok(Promoted {
                        commit: new.to_string(),
                        already: false,
                    });
                }
                _ => return Err(error),
            },
        }
    }
    Err(Error::Contended {
        branch: BRANCH.to_owned(),
        address: repo.address().to_owned(),
        attempts: ATTEMPTS,
    })
}

/// The commit that made `release` live if it is; an error if it must not become so.
fn settled(
    repo: &Repo,
    repository: &Repository,
    head: Oid,
    release: &Release,
    expected: Option<&str>,
    details: &Details,
) -> Result<Option<String>, Error> {
    let current = repo.release_in(repository, head, &release.environment)?;
    if current.as_ref() == Some(release) {
        return introduced(repo, repository, head, release).map(Some);
    }
    let found = current.map(|release| release.digest);
    if found.as_deref() != expected {
        let name = |digest: Option<&str>| digest.unwrap_or("unreleased").to_owned();
        return Err(Error::Outrun {
            environment: release.environment.clone(),
            head: head.to_string(),
            found: name(found.as_deref()),
            expected: name(expected),
        });
    }
    match details.again {
        true => Ok(None),
        false => never_withdrawn(repo, repository, head, release).map(|()| None),
    }
}

/// The commit since which the release file is what it is at `head`.
fn introduced(repo: &Repo, repository: &Repository, head: Oid, release: &Release) -> Result<String, Error> {
    let versions = versions(repo, repository, head, release)?;
    let live = versions.first().and_then(|(_, file)| *file);
    let same = versions.iter().take_while(|(_, file)| *file == live).last();
    Ok(same.map_or(head, |(commit, _)| *commit).to_string())
}

/// A person who reverts a release wants it to stay reverted, also when a killed trainer runs again.
fn never_withdrawn(repo: &Repo, repository: &Repository, head: Oid, release: &Release) -> Result<(), Error> {
    let ours = Oid::hash_object(git2::ObjectType::Blob, release.to_yaml()?.as_bytes())
        .map_err(|error| repo.failed("read", &error))?;
    let versions = versions(repo, repository, head, release)?;
    let Some(at) = versions.iter().position(|(_, file)| *file == Some(ours)) else {
        return Ok(());
    };
    let promoted = versions[at..]
        .iter()
        .take_while(|(_, file)| *file == Some(ours))
        .last();
    let (Some((withdrawn, _)), Some((promoted, _))) =
        (at.checked_sub(1).and_then(|i| versions.get(i)), promoted)
    else {
        return Ok(());
    };
    Err(Error::Withdrawn {
        promoted: promoted.to_string(),
        withdrawn: withdrawn.to_string(),
    })
}

/// The release file's blob at each commit along first parents, newest first.
fn versions(
    repo: &Repo,
    repository: &Repository,
    head: Oid,
    release: &Release,
) -> Result<Vec<(Oid, Option<Oid>)>, Error> {
    let path = release_file(&release.environment);
    let failed = |error| repo.failed("read", &error);
    let mut walk = repository.revwalk().map_err(failed)?;
    walk.simplify_first_parent().map_err(failed)?;
    walk.push(head).map_err(failed)?;
    walk.take(HISTORY)
        .map(|id| {
            let id = id?;
            let tree = repository.find_commit(id)?.tree()?;
            Ok((id, tree.get_path(path.as_ref()).ok().map(|entry| entry.id())))
        })
        .collect::<Result<_, git2::Error>>()
        .map_err(failed)
}

fn now_s() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64)
}

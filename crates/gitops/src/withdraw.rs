//! Takes a release back that did not come up: one commit that restores what was released before it.
//!
//! Exactly once, whoever asks and how often: the commit names the promotion that it reverts, and is
//! looked for in history before another one is made.

use crate::{
    Error, LogEntry, Release, Repo, Withdrawn,
    commit::{self, Draft},
    promote::{introduced, outrun},
    push::{self, Next},
    repo::entry,
};
use contract::names::release_file;
use git2::{Oid, Repository};

/// The trailer that names the promotion.
pub(crate) const REVERTS: &str = "Reverts";

pub(crate) fn withdraw(repo: &Repo, release: &Release, reason: &str) -> Result<Withdrawn, Error> {
    let time_s = commit::now_s();
    let environment = &release.environment;
    let (commit, already) = push::write(repo, |repository, head| {
        let current = repo.release_in(repository, head, environment)?;
        if current.as_ref() != Some(release) {
            if let Some(made) = earlier(repo, repository, head, release)? {
                return Ok(Next::Settled(made));
            }
            // A person took it back, or released something else: nothing of ours is left to undo.
            let found = current.as_ref().map(|release| release.digest.as_str());
            return Err(outrun(environment, head, found, Some(&release.digest)));
        }
        let promoted = introduced(repo, repository, head, environment)?;
        let made = read(repo, repository, promoted)?;
        if !made.is_ours || made.entry.subject != release.subject() {
            return Err(Error::NotOurs {
                commit: promoted.to_string(),
                author: made.entry.author,
            });
        }
        let before = match made.parent {
            Some(parent) => repo.file(repository, parent, &release_file(environment))?,
            None => None,
        };
        Ok(Next::Write(Draft {
            environment: environment.clone(),
            // An environment that had no file before is left as one that awaits its first release.
            text: before.unwrap_or_else(|| Release::unreleased_yaml(environment).into_bytes()),
            message: commit::withdrawal(release, promoted, reason),
            time_s,
        }))
    })?;
    Ok(Withdrawn { commit, already })
}

/// The robot's commit that took `promoted` (full hex) back, if it has.
pub(crate) fn of(
    repo: &Repo,
    repository: &Repository,
    head: Oid,
    environment: &str,
    promoted: &str,
) -> Result<Option<LogEntry>, Error> {
    for (commit, _) in changes(repo, repository, head, environment)? {
        let found = read(repo, repository, commit)?;
        let names_it = |(key, value): &(String, String)| key == REVERTS && value == promoted;
        if found.is_ours && found.entry.trailers.iter().any(names_it) {
            return Ok(Some(found.entry));
        }
    }
    Ok(None)
}

/// The robot's commit that took the newest life of `release` back, if it has.
fn earlier(repo: &Repo, repository: &Repository, head: Oid, release: &Release) -> Result<Option<Oid>, Error> {
    let ours = Oid::hash_object(git2::ObjectType::Blob, release.to_yaml()?.as_bytes())
        .map_err(|error| repo.failed("read", &error))?;
    let promoted = changes(repo, repository, head, &release.environment)?
        .into_iter()
        .find(|(_, file)| *file == Some(ours));
    let Some((promoted, _)) = promoted else {
        return Ok(None);
    };
    let found = of(
        repo,
        repository,
        head,
        &release.environment,
        &promoted.to_string(),
    )?;
    found
        .map(|entry| Oid::from_str(&entry.commit).map_err(|error| repo.failed("read", &error)))
        .transpose()
}

/// Commits that changed the release file, newest first, each with the file that it left.
fn changes(
    repo: &Repo,
    repository: &Repository,
    head: Oid,
    environment: &str,
) -> Result<Vec<(Oid, Option<Oid>)>, Error> {
    let versions = push::versions(repo, repository, head, environment)?;
    let before = versions.iter().skip(1).map(|(_, file)| *file).chain([None]);
    let changed = versions
        .iter()
        .zip(before)
        .filter(|((_, file), before)| file != before);
    Ok(changed.map(|(version, _)| *version).collect())
}

struct Read {
    entry: LogEntry,
    is_ours: bool,
    parent: Option<Oid>,
}

fn read(repo: &Repo, repository: &Repository, id: Oid) -> Result<Read, Error> {
    let read = || -> Result<Read, git2::Error> {
        let commit = repository.find_commit(id)?;
        Ok(Read {
            entry: entry(&commit)?,
            is_ours: commit::is_ours(&commit),
            parent: commit.parent_id(0).ok(),
        })
    };
    read().map_err(|error| repo.failed("read", &error))
}

//! One commit more, or none: decided anew at each head of the branch until a push gets through.

use crate::{Error, Repo, commit, commit::Draft, remote::BRANCH, remote::Pushed};
use backon::{BackoffBuilder, ExponentialBuilder};
use contract::names::release_file;
use git2::{Oid, Repository};
use std::time::Duration;

/// Together about eight seconds: longer than an abandoned lock is kept (`remote::local`).
const ATTEMPTS: usize = 24;
/// How far back history is looked at.
const HISTORY: usize = 10_000;

/// What is to be done at the head that was found.
pub(crate) enum Next {
    /// Nothing: this commit has done it.
    Settled(Oid),
    /// This.
    Write(Draft),
}

/// The commit that has done it, and whether it was there before.
pub(crate) fn write(
    repo: &Repo,
    decide: impl Fn(&Repository, Oid) -> Result<Next, Error>,
) -> Result<(String, bool), Error> {
    let repository = repo.remote().repository()?;
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(10))
        .with_max_delay(Duration::from_millis(400))
        .with_max_times(ATTEMPTS)
        .with_jitter()
        .build();
    for pause in pauses {
        let head = repo.remote().head(&repository)?;
        let draft = match decide(&repository, head)? {
            Next::Settled(commit) => return Ok((commit.to_string(), true)),
            Next::Write(draft) => draft,
        };
        let parent = repository
            .find_commit(head)
            .map_err(|error| repo.failed("read", &error))?;
        let new = commit::build(repo, &repository, &parent, &draft)?;
        match repo.remote().push(&repository, head, new) {
            Ok(Pushed::Done) => return Ok((new.to_string(), false)),
            Ok(Pushed::Moved) => std::thread::sleep(pause),
            // The answer was lost, which the push may not have been.
            Err(error) => match repo.remote().head(&repository) {
                Ok(head) if head == new => return Ok((new.to_string(), false)),
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

/// The release file's blob at each commit along first parents, newest first.
pub(crate) fn versions(
    repo: &Repo,
    repository: &Repository,
    head: Oid,
    environment: &str,
) -> Result<Vec<(Oid, Option<Oid>)>, Error> {
    let path = release_file(environment);
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

//! The decision about a promotion: already live, outrun, withdrawn, or one commit more.

use crate::{
    Details, Error, Promoted, Release, Repo,
    commit::{self, Draft},
    push::{self, Next, versions},
};
use git2::{Oid, Repository};

pub(crate) fn promote(
    repo: &Repo,
    release: &Release,
    expected: Option<&str>,
    details: &Details,
) -> Result<Promoted, Error> {
    let time_s = details.time_s.unwrap_or_else(commit::now_s);
    let (commit, already) = push::write(repo, |repository, head| {
        if let Some(commit) = settled(repo, repository, head, release, expected, details)? {
            return Ok(Next::Settled(commit));
        }
        Ok(Next::Write(Draft {
            environment: release.environment.clone(),
            text: release.to_yaml()?.into_bytes(),
            message: commit::promotion(release, details),
            time_s,
        }))
    })?;
    Ok(Promoted { commit, already })
}

/// The commit that made `release` live if it is; an error if it must not become so.
fn settled(
    repo: &Repo,
    repository: &Repository,
    head: Oid,
    release: &Release,
    expected: Option<&str>,
    details: &Details,
) -> Result<Option<Oid>, Error> {
    let current = repo.release_in(repository, head, &release.environment)?;
    if current.as_ref() == Some(release) {
        return introduced(repo, repository, head, &release.environment).map(Some);
    }
    let found = current.map(|release| release.digest);
    if found.as_deref() != expected {
        return Err(outrun(&release.environment, head, found.as_deref(), expected));
    }
    match details.again {
        true => Ok(None),
        false => never_withdrawn(repo, repository, head, release).map(|()| None),
    }
}

/// What is live is not what the decision was based on.
pub(crate) fn outrun(environment: &str, head: Oid, found: Option<&str>, expected: Option<&str>) -> Error {
    let name = |digest: Option<&str>| digest.unwrap_or("unreleased").to_owned();
    Error::Outrun {
        environment: environment.to_owned(),
        head: head.to_string(),
        found: name(found),
        expected: name(expected),
    }
}

/// The commit since which the release file is what it is at `head`.
pub(crate) fn introduced(
    repo: &Repo,
    repository: &Repository,
    head: Oid,
    environment: &str,
) -> Result<Oid, Error> {
    let versions = versions(repo, repository, head, environment)?;
    let live = versions.first().and_then(|(_, file)| *file);
    let same = versions.iter().take_while(|(_, file)| *file == live).last();
    Ok(same.map_or(head, |(commit, _)| *commit))
}

/// A person who reverts a release wants it to stay reverted, also when a killed trainer runs again.
fn never_withdrawn(repo: &Repo, repository: &Repository, head: Oid, release: &Release) -> Result<(), Error> {
    let ours = Oid::hash_object(git2::ObjectType::Blob, release.to_yaml()?.as_bytes())
        .map_err(|error| repo.failed("read", &error))?;
    let versions = versions(repo, repository, head, &release.environment)?;
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

//! A bare repository on this machine, opened in place: no copy, no fetch.
//!
//! libgit2's push to a path moves the branch without comparing its old value, so that two pushers
//! can lose a commit. Here the reference is changed under its lock file, with the comparison; the
//! git program honours the same lock.

use super::{BRANCH, Pushed, REFERENCE};
use crate::Error;
use git2::{ErrorCode, Oid, Repository};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// A reference's lock is held for milliseconds; one this old was left by a killed process.
const ABANDONED: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(crate) struct Local {
    address: String,
    path: PathBuf,
}

impl Local {
    pub fn open(address: &str, path: &Path) -> Result<Self, Error> {
        let local = Self {
            address: address.to_owned(),
            path: path.to_owned(),
        };
        if !local.repository()?.is_bare() {
            return Err(Error::Address {
                address: address.to_owned(),
                reason: "it has a work tree, which a push would leave behind; a bare repository is needed"
                    .to_owned(),
            });
        }
        Ok(local)
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn repository(&self) -> Result<Repository, Error> {
        Repository::open(&self.path).map_err(|error| self.failed("open repository", &error))
    }

    pub fn head(&self, repository: &Repository) -> Result<Oid, Error> {
        match repository.refname_to_id(REFERENCE) {
            Ok(id) => Ok(id),
            Err(error) if error.code() == ErrorCode::NotFound => Err(Error::Git {
                action: "read",
                address: self.address.clone(),
                reason: format!("it has no branch {BRANCH}"),
                passing: false,
            }),
            Err(error) => Err(self.failed("read", &error)),
        }
    }

    pub fn push(&self, repository: &Repository, old: Oid, new: Oid) -> Result<Pushed, Error> {
        match repository.reference_matching(REFERENCE, new, true, old, "promote") {
            Ok(_) => Ok(Pushed::Done),
            Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::NotFound) => {
                Ok(Pushed::Moved)
            }
            Err(error) if error.code() == ErrorCode::Locked => {
                self.break_abandoned_lock();
                Ok(Pushed::Moved)
            }
            Err(error) => Err(self.failed("push to", &error)),
        }
    }

    /// Another promoter's lock is waited for by the caller's retries; an old one would stay forever.
    fn break_abandoned_lock(&self) {
        let lock = self.path.join(format!("{REFERENCE}.lock"));
        let age = fs::metadata(&lock)
            .and_then(|data| data.modified())
            .map(|modified| SystemTime::now().duration_since(modified).unwrap_or_default());
        if age.is_ok_and(|age| age > ABANDONED) {
            // Gone already, or not ours to remove: the retries will tell.
            let _ = fs::remove_file(lock);
        }
    }

    fn failed(&self, action: &'static str, error: &git2::Error) -> Error {
        Error::Git {
            action,
            address: self.address.clone(),
            reason: error.message().to_owned(),
            passing: false,
        }
    }
}

//! Where the branch lives: a bare repository on this machine, or a server over HTTP.

pub(crate) mod http;
pub(crate) mod local;
mod pkt;

use crate::Error;
use git2::{Oid, Repository};

/// The one branch that engines watch.
pub(crate) const BRANCH: &str = "main";
pub(crate) const REFERENCE: &str = "refs/heads/main";

/// How a push ended, if it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The branch is at the new commit.
    Done,
    /// The branch was not where it was expected; it is untouched.
    Moved,
}

/// Both kinds keep the branch's objects in a local repository, from which everything is read.
#[derive(Clone, Debug)]
pub(crate) enum Remote {
    Local(local::Local),
    Http(Box<http::Http>),
}

impl Remote {
    /// Printable: without credentials.
    pub fn address(&self) -> &str {
        match self {
            Self::Local(local) => local.address(),
            Self::Http(http) => http.address(),
        }
    }

    /// The repository to read from and to build commits in.
    pub fn repository(&self) -> Result<Repository, Error> {
        match self {
            Self::Local(local) => local.repository(),
            Self::Http(http) => http.repository(),
        }
    }

    /// Where the branch is now, its objects being in `repository`.
    pub fn head(&self, repository: &Repository) -> Result<Oid, Error> {
        match self {
            Self::Local(local) => local.head(repository),
            Self::Http(http) => http.head(repository),
        }
    }

    /// Moves the branch from `old` to `new`, its child, if it is still at `old`.
    pub fn push(&self, repository: &Repository, old: Oid, new: Oid) -> Result<Pushed, Error> {
        match self {
            Self::Local(local) => local.push(repository, old, new),
            Self::Http(http) => http.push(repository, old, new),
        }
    }
}

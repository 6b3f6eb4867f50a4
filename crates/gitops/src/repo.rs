//! The repository that an engine watches.

use crate::{Error, Release};
use std::{collections::BTreeMap, path::Path};

/// A repository by address. Cheap to clone, usable from any thread; every call asks the remote.
#[derive(Clone, Debug)]
pub struct Repo {}

/// What a promotion did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promoted {
    /// The commit that put the release at the head of the branch, full hex.
    pub commit: String,
    /// The release was live already; nothing was pushed.
    pub already: bool,
}

/// What a promotion's commit says besides the release.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Held-out metrics for the `Metrics` trailer.
    pub metrics: BTreeMap<String, f64>,
    /// Commit time, seconds since 1970; now when absent.
    pub time_s: Option<i64>,
    /// Promote even though this very release was taken back before.
    pub again: bool,
}

/// One commit of the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Full hex.
    pub commit: String,
    /// First line.
    pub subject: String,
    /// `Name <address>`.
    pub author: String,
    /// Trailers in order.
    pub trailers: Vec<(String, String)>,
    /// Commit time, seconds since 1970.
    pub time_s: i64,
}

impl Repo {
    /// Opens `file:///path`, a path to a bare repository, or `http(s)://host/path`. `work_directory`
    /// keeps the cache of an http remote. Branch `main`; credentials from `GIT_USERNAME` and `GIT_TOKEN`.
    ///
    /// # Errors
    /// `Address` or `Git`.
    pub fn open(_address: &str, _work_directory: &Path) -> Result<Self, Error> {
        todo!()
    }

    /// Commit at the head of the branch, full hex.
    ///
    /// # Errors
    /// `Git`.
    pub fn head(&self) -> Result<String, Error> {
        todo!()
    }

    /// A file at a commit (`None`: at the head), `None` when it is not there.
    ///
    /// # Errors
    /// `Git`.
    pub fn read(&self, _commit: Option<&str>, _path: &str) -> Result<Option<Vec<u8>>, Error> {
        todo!()
    }

    /// The newest `limit` commits along first parents, newest first.
    ///
    /// # Errors
    /// `Git`.
    pub fn log(&self, _limit: usize) -> Result<Vec<LogEntry>, Error> {
        todo!()
    }

    /// The release at the head; `None` before the first promotion.
    ///
    /// # Errors
    /// `Git`, or `Release` when the file is not one that this crate wrote.
    pub fn current(&self, _environment: &str) -> Result<Option<Release>, Error> {
        todo!()
    }

    /// The release at a commit.
    ///
    /// # Errors
    /// As `current`.
    pub fn release_at(&self, _commit: &str, _environment: &str) -> Result<Option<Release>, Error> {
        todo!()
    }

    /// Makes `release` the live one by one commit, if the live image is still `expected_previous`
    /// (`None`: unreleased). Safe to repeat: a release that is live already is `already`.
    ///
    /// # Errors
    /// `Outrun`, `Withdrawn`, `Contended`, `Guard`, `Release`, `Git`.
    pub fn promote(
        &self,
        _environment: &str,
        _release: &Release,
        _expected_previous: Option<&str>,
    ) -> Result<Promoted, Error> {
        todo!()
    }

    /// As `promote`, with metrics and time for the commit.
    ///
    /// # Errors
    /// As `promote`.
    pub fn promote_with(
        &self,
        _environment: &str,
        _release: &Release,
        _expected_previous: Option<&str>,
        _details: &Details,
    ) -> Result<Promoted, Error> {
        todo!()
    }
}

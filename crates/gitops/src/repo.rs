//! The repository that an engine watches.

use crate::{
    Error, Release, ReleaseError,
    patience::Patience,
    promote,
    release::check_environment,
    remote::{Remote, http::Http, local::Local},
    withdraw,
};
use contract::names::release_file;
use git2::{ErrorCode, Oid, Repository};
use secrecy::SecretString;
use std::{collections::BTreeMap, env, path::Path, time::Duration};

/// Who we are at an HTTP remote. Never printed.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// User name; servers that take tokens mostly ignore it.
    pub username: String,
    /// Token or password.
    pub token: SecretString,
}

impl Credentials {
    /// From `GIT_TOKEN` and `GIT_USERNAME` (`driftless` when absent); `None` without a token.
    pub fn from_env() -> Option<Self> {
        let set = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
        // A Secret made from a file often ends with that file's newline, which no token does.
        let token = set("GIT_TOKEN")?.trim_end_matches(['\r', '\n']).to_owned();
        Some(Self {
            token: token.into(),
            username: set("GIT_USERNAME").unwrap_or_else(|| "driftless".to_owned()),
        })
    }
}

/// A repository by address. Cheap to clone, usable from any thread; every call asks the remote.
#[derive(Clone, Debug)]
pub struct Repo {
    remote: Remote,
    patience: Patience,
}

/// What a promotion did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promoted {
    /// The commit since which the release is live, full hex.
    pub commit: String,
    /// The release was live already; nothing was pushed.
    pub already: bool,
}

/// What a withdrawal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The commit that took the release back, full hex.
    pub commit: String,
    /// It was there already; nothing was pushed.
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
    /// For the `Run-Key` trailer: by it the run that made the commit knows it again.
    pub run_key: Option<String>,
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
    pub fn open(address: &str, work_directory: &Path) -> Result<Self, Error> {
        Self::open_as(address, work_directory, Credentials::from_env())
    }

    /// As `open`, with credentials of the caller's.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_as(
        address: &str,
        work_directory: &Path,
        credentials: Option<Credentials>,
    ) -> Result<Self, Error> {
        let refused = |reason: &str| Error::Address {
            // What stands before an @ may be a password: it is not repeated.
            address: address
                .rsplit_once('@')
                .map_or_else(|| address.to_owned(), |(_, rest)| format!("…@{rest}")),
            reason: reason.to_owned(),
        };
        let remote = match address.split_once("://") {
            None => Remote::Local(Local::open(address, address.as_ref())?),
            Some(("file", path)) => Remote::Local(Local::open(address, path.as_ref())?),
            Some(("http" | "https", rest))
                if rest.split('/').next().is_some_and(|host| host.contains('@')) =>
            {
                return Err(refused("credentials belong into GIT_USERNAME and GIT_TOKEN"));
            }
            Some(("https", _)) if !cfg!(feature = "https") => {
                return Err(refused("this program was built without TLS"));
            }
            Some(("http" | "https", _)) => {
                Remote::Http(Box::new(Http::open(address, work_directory, credentials)?))
            }
            Some(_) => return Err(refused("expected file://, http://, https:// or a path")),
        };
        Ok(Self {
            remote,
            patience: Patience::none(),
        })
    }

    /// Calls are made again while the server is down, until `deadline` has passed; `waiting` is told
    /// why. A call that is made twice has no second effect.
    #[must_use]
    pub fn patient(self, deadline: Duration, waiting: fn(&Error)) -> Self {
        Self {
            patience: Patience { deadline, waiting },
            ..self
        }
    }

    /// The address, without credentials.
    pub fn address(&self) -> &str {
        self.remote.address()
    }

    /// Commit at the head of the branch, full hex.
    ///
    /// # Errors
    /// `Git`.
    pub fn head(&self) -> Result<String, Error> {
        self.at_head(|_, head| Ok(head.to_string()))
    }

    /// A file at a commit (`None`: at the head), `None` when it is not there.
    ///
    /// # Errors
    /// `Git`.
    pub fn read(&self, commit: Option<&str>, path: &str) -> Result<Option<Vec<u8>>, Error> {
        self.patience.keep(|| {
            let repository = self.remote.repository()?;
            let commit = self.commit(&repository, commit)?;
            self.file(&repository, commit, path)
        })
    }

    /// The newest `limit` commits along first parents, newest first.
    ///
    /// # Errors
    /// `Git`.
    pub fn log(&self, limit: usize) -> Result<Vec<LogEntry>, Error> {
        self.at_head(|repository, head| {
            let entries = || -> Result<Vec<LogEntry>, git2::Error> {
                let mut walk = repository.revwalk()?;
                walk.simplify_first_parent()?;
                walk.push(head)?;
                walk.take(limit)
                    .map(|id| entry(&repository.find_commit(id?)?))
                    .collect()
            };
            entries().map_err(|error| self.failed("read", &error))
        })
    }

    /// The release at the head; `None` before the first promotion.
    ///
    /// # Errors
    /// `Git`, or `Release` when the file is not one that this crate wrote.
    pub fn current(&self, environment: &str) -> Result<Option<Release>, Error> {
        self.at_head(|repository, head| self.release_in(repository, head, environment))
    }

    /// The release at a commit.
    ///
    /// # Errors
    /// As `current`.
    pub fn release_at(&self, commit: &str, environment: &str) -> Result<Option<Release>, Error> {
        self.patience.keep(|| {
            let repository = self.remote.repository()?;
            let commit = self.commit(&repository, Some(commit))?;
            self.release_in(&repository, commit, environment)
        })
    }

    /// The release that a commit found: that of its first parent.
    ///
    /// # Errors
    /// As `current`.
    pub fn release_before(&self, commit: &str, environment: &str) -> Result<Option<Release>, Error> {
        self.patience.keep(|| {
            let repository = self.remote.repository()?;
            let commit = self.commit(&repository, Some(commit))?;
            let parent = repository
                .find_commit(commit)
                .map_err(|error| self.failed("read", &error))?
                .parent_id(0);
            match parent {
                Ok(parent) => self.release_in(&repository, parent, environment),
                // The first commit of all found nothing.
                Err(_) => Ok(None),
            }
        })
    }

    /// The robot's commit that took back what `promoted` (full hex) had made live, if it has.
    ///
    /// # Errors
    /// `Git`.
    pub fn withdrawal(&self, promoted: &str, environment: &str) -> Result<Option<LogEntry>, Error> {
        self.at_head(|repository, head| withdraw::of(self, repository, head, environment, promoted))
    }

    /// Makes `release` the live one by one commit, if the live image is still `expected_previous`
    /// (`None`: unreleased). Safe to repeat: a release that is live already is `already`.
    ///
    /// # Errors
    /// `Outrun`, `Withdrawn`, `Contended`, `Guard`, `Release`, `Git`.
    pub fn promote(
        &self,
        environment: &str,
        release: &Release,
        expected_previous: Option<&str>,
    ) -> Result<Promoted, Error> {
        self.promote_with(environment, release, expected_previous, &Details::default())
    }

    /// As `promote`, with metrics and time for the commit.
    ///
    /// # Errors
    /// As `promote`.
    pub fn promote_with(
        &self,
        environment: &str,
        release: &Release,
        expected_previous: Option<&str>,
        details: &Details,
    ) -> Result<Promoted, Error> {
        same_environment(environment, release)?;
        self.patience
            .keep(|| promote::promote(self, release, expected_previous, details))
    }

    /// Takes `release` back by one commit that restores what was released before it; only while it
    /// is live, and only what the robot itself has promoted. Safe to repeat: a second call finds the
    /// first one's commit.
    ///
    /// # Errors
    /// `Outrun` when something else is live by now, `NotOurs` when a person has made it live,
    /// `Contended`, `Release`, `Git`.
    pub fn withdraw(&self, environment: &str, release: &Release, reason: &str) -> Result<Withdrawn, Error> {
        same_environment(environment, release)?;
        self.patience.keep(|| withdraw::withdraw(self, release, reason))
    }

    pub(crate) fn remote(&self) -> &Remote {
        &self.remote
    }

    pub(crate) fn release_in(
        &self,
        repository: &Repository,
        commit: Oid,
        environment: &str,
    ) -> Result<Option<Release>, Error> {
        check_environment(environment)?;
        let Some(bytes) = self.file(repository, commit, &release_file(environment))? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).map_err(|_| ReleaseError::Malformed {
            environment: environment.to_owned(),
            reason: "it is not UTF-8".to_owned(),
        })?;
        Ok(Release::from_yaml(environment, &text)?)
    }

    pub(crate) fn failed(&self, action: &'static str, error: &git2::Error) -> Error {
        Error::Git {
            action,
            address: self.address().to_owned(),
            reason: error.message().to_owned(),
            passing: false,
        }
    }

    /// Asks the remote for its head and makes the call there, patiently.
    fn at_head<T>(&self, call: impl Fn(&Repository, Oid) -> Result<T, Error>) -> Result<T, Error> {
        self.patience.keep(|| {
            let repository = self.remote.repository()?;
            let head = self.remote.head(&repository)?;
            call(&repository, head)
        })
    }

    /// A commit by full hex, fetched when it is not here yet; the head without one.
    fn commit(&self, repository: &Repository, commit: Option<&str>) -> Result<Oid, Error> {
        let Some(text) = commit else {
            return self.remote.head(repository);
        };
        let id = Oid::from_str(text).map_err(|error| self.failed("read", &error))?;
        if repository.find_commit(id).is_err() {
            self.remote.head(repository)?;
        }
        Ok(id)
    }

    pub(crate) fn file(
        &self,
        repository: &Repository,
        commit: Oid,
        path: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let read = || {
            let tree = repository.find_commit(commit)?.tree()?;
            match tree.get_path(path.as_ref()) {
                Ok(entry) => Ok(Some(repository.find_blob(entry.id())?.content().to_vec())),
                Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        };
        read().map_err(|error: git2::Error| self.failed("read", &error))
    }
}

fn same_environment(environment: &str, release: &Release) -> Result<(), ReleaseError> {
    if release.environment == environment {
        return Ok(());
    }
    Err(ReleaseError::Field {
        field: "environment",
        value: release.environment.clone(),
        expected: "the environment that is meant",
    })
}

pub(crate) fn entry(commit: &git2::Commit<'_>) -> Result<LogEntry, git2::Error> {
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    let trailers = git2::message_trailers_strs(&message)?;
    Ok(LogEntry {
        commit: commit.id().to_string(),
        subject: message.lines().next().unwrap_or_default().to_owned(),
        author: commit.author().to_string(),
        trailers: trailers
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        time_s: commit.time().seconds(),
    })
}

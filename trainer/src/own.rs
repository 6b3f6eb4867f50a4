//! A run's own promotion, known again by the key in its commit.

use crate::failure::Result;
use gitops::{LogEntry, Release, Repo};

/// How far back it is looked for.
const COMMITS: usize = 500;

/// What a run has promoted.
pub struct Own {
    /// Its commit, full hex.
    pub commit: String,
    /// What was live before, which the candidate was compared with.
    pub previous: Option<Release>,
}

/// The promotion of the run with this key, if it got so far.
///
/// # Errors
/// Exit code GIT.
pub fn promotion(repo: &Repo, environment: &str, key: &str) -> Result<Option<Own>> {
    let subject = format!("promote({environment}):");
    for entry in repo.log(COMMITS)? {
        if entry.subject.starts_with(&subject) && trailer(&entry, "Run-Key") == Some(key) {
            return Ok(Some(Own {
                previous: repo.release_before(&entry.commit, environment)?,
                commit: entry.commit,
            }));
        }
    }
    Ok(None)
}

/// A trailer of a commit.
pub fn trailer<'a>(entry: &'a LogEntry, name: &str) -> Option<&'a str> {
    let found = entry.trailers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

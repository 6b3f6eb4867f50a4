//! A run whose work folder has gone (another pod, an empty disk) and whose commit is in Git already:
//! known again by the key in the commit, so that it is neither "nothing new" nor promoted twice.

use super::request::{Request, State};
use crate::confirm;
use crate::failure::{Failure, Result};
use crate::mlflow::Tracking;
use crate::own::trailer;
use contract::names::exit;
use gitops::{LogEntry, Release, Repo};

/// How far back a run's own commit is looked for.
const COMMITS: usize = 500;

/// The run's own promotion.
pub struct Earlier {
    /// The run as it was begun.
    pub state: State,
    /// Its commit.
    entry: LogEntry,
    /// What it released.
    release: Option<Release>,
}

/// The promotion of the run with this request and nonce, if it got so far.
///
/// # Errors
/// Exit code GIT.
pub fn find(repo: &Repo, environment: &str, request: &Request, nonce: &str) -> Result<Option<Earlier>> {
    let subject = format!("promote({environment}):");
    for entry in repo.log(COMMITS)? {
        let Some(key) = trailer(&entry, "Run-Key").filter(|_| entry.subject.starts_with(&subject)) else {
            continue;
        };
        // The key depends on what was live when the run began: that which its commit replaced.
        let previous = repo.release_before(&entry.commit, environment)?;
        let state = State::new(request.clone(), previous.as_ref(), nonce);
        if state.key == key {
            return Ok(Some(Earlier {
                release: repo.release_at(&entry.commit, environment)?,
                state,
                entry,
            }));
        }
    }
    Ok(None)
}

impl Earlier {
    /// Whether its release is the one that is live.
    pub fn is(&self, current: Option<&Release>) -> bool {
        current.is_some() && self.release.as_ref() == current
    }

    /// Nothing where the release is live, so that the run goes on; else how it ended.
    ///
    /// # Errors
    /// NOT_LIVE when it was taken back for this run, OUTRUN when something else is live; GIT.
    pub fn still_live(&self, current: Option<&Release>, repo: &Repo, tracking: &Tracking) -> Result<()> {
        let Some(release) = self.release.as_ref().filter(|_| !self.is(current)) else {
            return Ok(());
        };
        let (name, version) = (self.state.model_name(), release.model_version);
        let tag = release.tag.to_string();
        if let Some(withdrawal) = repo.withdrawal(&self.entry.commit, &release.environment)? {
            return Err(confirm::told_before(tracking, name, version, &tag, &withdrawal));
        }
        let now = current.map_or("unreleased".to_owned(), |current| current.tag.to_string());
        let text = format!("{tag} was promoted by this run and replaced by {now} since");
        let tags = [("outcome", "outrun"), ("outcome-reason", text.as_str())];
        if let Err(e) = tracking.tell_outcome(name, version, &tags, true) {
            eprintln!("trainer: the version's outcome is not in MLflow: {e}");
        }
        Err(Failure::new(exit::OUTRUN, text))
    }
}

//! Waits for a release by what Argo CD says of its Application. Each look asks for a refresh too, so
//! that the commit is seen within seconds, and one that was lost in a comparison is asked for again.

use super::status::{Judged, judge};
use super::{Lost, watch};
use crate::failure::Failure;
use crate::probe;
use contract::names::exit;
use gitops::{Release, Repo};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_secs(2);
/// Health may lag behind what was synced (it is computed apart): bad words must last.
const STEADY: Duration = Duration::from_secs(3);

/// `look` asks for a refresh and returns the Application's status.
pub fn wait(
    look: &dyn Fn() -> Result<Value, String>,
    release: &Release,
    repo: &Repo,
    api: Option<&str>,
    end: Instant,
) -> Result<(), Lost> {
    let mut ours = Ours {
        repo,
        release,
        known: BTreeMap::new(),
    };
    let mut bad: Option<Instant> = None;
    let mut answered = false;
    loop {
        let begun = Instant::now();
        let judged = match look() {
            Ok(status) => {
                answered = true;
                judge(&status, &mut |commit| ours.has(commit))
            }
            Err(text) => Judged::Waiting(text),
        };
        let last = match judged {
            Judged::Live => match served(api, release) {
                Ok(()) => return Ok(()),
                Err(text) => {
                    bad = None;
                    text
                }
            },
            Judged::Degraded(text) if bad.is_some_and(|since| since.elapsed() >= STEADY) => {
                return Err(Lost::NotLive(text));
            }
            Judged::Degraded(text) => {
                bad.get_or_insert_with(Instant::now);
                text
            }
            Judged::Waiting(text) => {
                bad = None;
                text
            }
        };
        if Instant::now() >= end {
            let text = format!("not within the deadline; last seen: {last}");
            return Err(match answered {
                true => Lost::NotLive(text),
                false => Lost::Other(Failure::new(
                    exit::NOT_LIVE,
                    format!("whether {} is live is not known: {last}", release.tag),
                )),
            });
        }
        // While Git is down nothing can replace the release.
        match repo.current(&release.environment) {
            Ok(current) => watch::not_replaced(release, current)?,
            Err(error) if error.is_passing() => eprintln!("trainer: {error}"),
            Err(error) => return Err(error.into()),
        }
        let pause = LOOK.saturating_sub(begun.elapsed());
        std::thread::sleep(pause.min(end.saturating_duration_since(Instant::now())));
    }
}

fn served(api: Option<&str>, release: &Release) -> Result<(), String> {
    let Some(api) = api else {
        return Ok(());
    };
    match probe::info(api, release, Duration::from_secs(5)) {
        probe::Answer::Ours(_) => Ok(()),
        other => Err(format!("Argo CD is done, but {}", other.said())),
    }
}

/// Which commits have the release; each is asked for once.
struct Ours<'a> {
    repo: &'a Repo,
    release: &'a Release,
    known: BTreeMap<String, bool>,
}

impl Ours<'_> {
    fn has(&mut self, commit: &str) -> bool {
        if let Some(known) = self.known.get(commit) {
            return *known;
        }
        match self.repo.release_at(commit, &self.release.environment) {
            Ok(found) => {
                let same = found.as_ref() == Some(self.release);
                self.known.insert(commit.to_owned(), same);
                same
            }
            // Not known yet, which is not no.
            Err(_) => false,
        }
    }
}

//! Pure: when a commit is live. What Argo CD says is not enough (see the table of wrong answers in
//! the tests): a commit counts once there is evidence that the objects in the cluster are its own,
//! and their rollout is at its end.
//!
//! Evidence is one of two things:
//! - an operation that this tracker did not find already there has applied the commit, all of it;
//! - a refresh that was asked for after the answer was first read has been carried out, and neither
//!   the answer nor the objects changed.
//!
//! Evidence holds for a commit together with the pod templates that were there with it (the
//! fingerprint): when somebody changes a template, it is void until the template is back or there
//! is new evidence.

use crate::{
    argo::{Application, Operation, Phase, Sync},
    workload::Workload,
};
use std::{collections::BTreeMap, time::Duration};

/// Time since the tracker's owner began; only differences count.
pub type Moment = Duration;

/// What Git says about the image of a Deployment at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// There is no release file for this Application.
    None,
    /// The Deployment has the release's image.
    Matches,
    /// It has another one; both in words.
    Differs(String),
    /// The release file could not be read; why.
    Unreadable(String),
}

/// One reading of one Application with its workloads.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// When the reading began.
    pub at: Moment,
    /// Read before the workloads, and again after: see `steady`.
    pub app: &'a Application,
    /// Deployments and StatefulSets of it that are there.
    pub workloads: &'a [Workload],
    /// Fingerprints of those and of its CronJobs, in order, as one text.
    pub fingerprint: &'a str,
    /// Whether every object that it should have and that is judged here was found.
    pub complete: bool,
    /// See [`Release`].
    pub release: &'a Release,
    /// Whether Argo CD said the same before and after the workloads were read.
    pub steady: bool,
}

/// What identifies an operation; its times have steps of a second.
type OperationKey = (Option<String>, String, String);

fn key(operation: &Operation) -> OperationKey {
    (
        operation.revision.clone(),
        operation.started_at.clone(),
        operation.finished_at.clone(),
    )
}

/// An answer of Argo CD's that has no evidence yet.
#[derive(Clone, Debug, PartialEq)]
struct Candidate {
    revision: String,
    fingerprint: String,
    operation: Option<OperationKey>,
    /// When a refresh was asked for, after the answer was first read.
    asked: Option<Moment>,
    /// Names this candidate and round; a refresh counts for the one that it was decided for.
    ticket: u64,
    /// Refreshes that have to be carried out yet. Two where an operation came in between that is no
    /// evidence: Argo CD's own view of the objects may have been older than that operation.
    rounds: u8,
}

#[derive(Clone, Debug, Default)]
struct Track {
    /// The operation that was found at first sight, or that was used as evidence already.
    used: Option<OperationKey>,
    seen: bool,
    candidate: Option<Candidate>,
    /// Commit and fingerprint for which there is evidence.
    applied: Option<(String, String)>,
    live_revision: String,
    /// Last commit that was compared with.
    revision: String,
}

/// What is known of one Application after a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Commit last compared with; kept where Argo CD has lost it. Empty before the first.
    pub revision: String,
    /// Commit that was last found live.
    pub live_revision: String,
    /// The objects in the cluster are those of `revision`, with evidence.
    pub applied: bool,
    /// `revision` is live now.
    pub live: bool,
    /// Why it is not; empty when it is.
    pub why: String,
    /// The answer waits for a refresh; for [`Tracker::asked`].
    pub ticket: Option<u64>,
    /// One must be asked for now, with the Application's resource version of this look, so that it
    /// is not lost in one that is under way.
    pub wants_refresh: bool,
}

/// Memory of all Applications.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    tracks: BTreeMap<String, Track>,
    tickets: u64,
}

impl Tracker {
    /// Takes a look into account.
    pub fn look(&mut self, look: Look) -> Verdict {
        self.tickets += 1;
        let track = self.tracks.entry(look.app.name.clone()).or_default();
        track.look(look, self.tickets)
    }

    /// A refresh of `app` was asked for, in place of none, after the look that gave `ticket`; it was
    /// there at `at`. Whoever carries it out began after that look.
    pub fn asked(&mut self, app: &str, ticket: u64, at: Moment) {
        let candidate = self
            .tracks
            .get_mut(app)
            .and_then(|track| track.candidate.as_mut());
        if let Some(candidate) = candidate.filter(|candidate| candidate.ticket == ticket) {
            candidate.asked = Some(at);
        }
    }

    /// Forgets Applications that are gone.
    pub fn keep(&mut self, there: impl Fn(&str) -> bool) {
        self.tracks.retain(|name, _| there(name));
    }
}

impl Track {
    fn look(&mut self, look: Look, ticket: u64) -> Verdict {
        if !self.seen {
            self.seen = true;
            self.used = look.app.operation.as_ref().map(key);
        }
        if let Some(revision) = &look.app.revision {
            self.revision.clone_from(revision);
        }
        let stage = self.stage(look, ticket);
        let live = stage.is_ok();
        if live {
            self.live_revision.clone_from(&self.revision);
        }
        Verdict {
            revision: self.revision.clone(),
            live_revision: self.live_revision.clone(),
            applied: self.is_applied(look),
            live,
            why: stage.err().unwrap_or_default(),
            ticket: self.candidate.as_ref().map(|candidate| candidate.ticket),
            wants_refresh: self
                .candidate
                .as_ref()
                .is_some_and(|candidate| candidate.asked.is_none())
                && !look.app.refresh_asked
                && look.steady,
        }
    }

    fn is_applied(&self, look: Look) -> bool {
        let evidence = self.applied.as_ref();
        evidence.is_some_and(|(revision, fingerprint)| {
            look.app.revision.as_ref() == Some(revision) && fingerprint == look.fingerprint
        })
    }

    /// Whether the commit is live, else why not.
    fn stage(&mut self, look: Look, ticket: u64) -> Result<(), String> {
        let app = look.app;
        let quiet = self.quiet(look);
        if let Err(why) = &quiet {
            // Whatever was waited for: the answer did not stay.
            self.candidate = None;
            return Err(why.clone());
        }
        let Some(revision) = &app.revision else {
            self.candidate = None;
            return Err("Argo CD names no commit".to_owned());
        };
        if !self.is_applied(look) {
            self.find_evidence(look, revision, ticket)?;
        }
        self.candidate = None;
        settled(look)
    }

    /// Whether the answer can be taken at its word at all.
    fn quiet(&self, look: Look) -> Result<(), String> {
        let app = look.app;
        if app.deleting {
            return Err("it is being deleted".to_owned());
        }
        match app.sync {
            Sync::Synced => {}
            Sync::OutOfSync => return Err("the objects are not those of the commit yet".to_owned()),
            Sync::Unknown => return Err("Argo CD could not compare".to_owned()),
        }
        if !look.steady {
            return Err("it moved while it was looked at".to_owned());
        }
        if !look.complete {
            return Err("not all of its objects are there".to_owned());
        }
        // What runs already stays as it is through another operation of the same commit; the
        // fingerprint says whether it did.
        let applied = self.is_applied(look);
        let running = app
            .operation
            .as_ref()
            .filter(|o| o.phase == Phase::Running && !has_done_its_part(o, look));
        match running {
            _ if app.pending && !applied => Err("an operation is about to begin".to_owned()),
            Some(operation) if !applied => Err(format!("an operation is under way: {}", operation.message)),
            Some(operation) if operation.revision.is_some() && operation.revision != app.revision => {
                Err("an operation of another commit is under way".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn find_evidence(&mut self, look: Look, revision: &str, ticket: u64) -> Result<(), String> {
        let app = look.app;
        let now = (revision.to_owned(), look.fingerprint.to_owned());
        let operation = app.operation.as_ref().map(key);
        let done = app.operation.as_ref().filter(|o| {
            let through = o.phase == Phase::Succeeded || has_done_its_part(o, look);
            through && o.revision.as_deref() == Some(revision)
        });
        // Two templates of one commit: one of them is somebody's own.
        let contradicted = self.applied.as_ref().is_some_and(|(of, _)| of == revision);
        if done.is_some() && !self.is_used(operation.as_ref()) && !contradicted {
            self.used = operation;
            self.applied = Some(now);
            return Ok(());
        }
        let candidate = Candidate {
            revision: now.0.clone(),
            fingerprint: now.1.clone(),
            rounds: if self.is_used(operation.as_ref()) || operation.is_none() {
                1
            } else {
                2
            },
            operation,
            asked: None,
            ticket,
        };
        let known = self.candidate.take().filter(|known| {
            (&known.revision, &known.fingerprint, &known.operation)
                == (&candidate.revision, &candidate.fingerprint, &candidate.operation)
        });
        let mut known = known.unwrap_or(candidate);
        // The reading must have begun after the refresh was asked for: only then says the absent
        // annotation that it was taken.
        if known.asked.is_some_and(|asked| look.at > asked) && !app.refresh_asked {
            known.rounds = known.rounds.saturating_sub(1);
            known.asked = None;
            known.ticket = ticket;
            if known.rounds == 0 {
                self.used.clone_from(&known.operation);
                self.applied = Some(now);
                return Ok(());
            }
        }
        self.candidate = Some(known);
        Err("Argo CD says Synced; asked once more".to_owned())
    }

    fn is_used(&self, operation: Option<&OperationKey>) -> bool {
        match (&self.used, operation) {
            // The same one that has ended meanwhile, or that goes on after its evidence was used.
            (Some(used), Some(now)) => (&used.0, &used.1) == (&now.0, &now.1),
            _ => false,
        }
    }
}

/// Whether an operation under way has applied all that is judged here. What it still does then (it waits
/// for the rollout, deletes the last smoke test and runs a new one) takes it a second and more, and what
/// clients get is the same.
fn has_done_its_part(operation: &Operation, look: Look) -> bool {
    let objects = || look.app.resources.iter().filter(|r| !r.is_hook());
    let listed = |workload: &Workload| {
        objects().any(|r| {
            (r.kind.as_str(), &r.namespace, &r.name) == (workload.kind, &workload.namespace, &workload.name)
        })
    };
    let applied_all = operation.revision == look.app.revision
        && !look.workloads.is_empty()
        && look.workloads.iter().all(listed)
        && objects().all(|object| operation.has_applied(object));
    applied_all || operation.only_post_sync_is_left()
}

/// Whether the rollout is at its end.
fn settled(look: Look) -> Result<(), String> {
    match look.release {
        Release::None | Release::Matches => {}
        Release::Differs(why) | Release::Unreadable(why) => return Err(why.clone()),
    }
    for workload in look.workloads {
        if workload.stopped {
            return Err(format!("{} was stopped on request", workload.name));
        }
        if let Some(why) = &workload.unsettled {
            return Err(format!("{}: {why}", workload.name));
        }
    }
    match look.app.health {
        crate::argo::Health::Healthy => Ok(()),
        other => Err(format!("Argo CD says {other:?}")),
    }
}

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

//! Pure: how the replicas of one Deployment get from what is to what is wanted.
//!
//! Level-triggered: [`decide`] looks at the whole of what is and answers with the next steps; it
//! is asked again after every event and every tick, so no event can be lost. New replicas start
//! beside the old ones, and only when all of them are ready may the old ones be stopped.

use crate::schedule::backoff;
use std::time::Duration;

/// A release whose replicas crashed so often before they were all ready is given up.
pub const CRASHES_MAX: u32 = 3;
const RESTART_FIRST: Duration = Duration::from_millis(100);
const RESTART_MOST: Duration = Duration::from_secs(30);
/// Ready for so long, a replica's crashes are forgotten.
const STEADY: Duration = Duration::from_secs(10);

/// Since the engine's start.
pub type Moment = Duration;

/// Where a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Crashed; started again at `until`.
    Backoff {
        /// Not earlier than this.
        until: Moment,
    },
    /// Its process runs.
    Running,
    /// Told to stop.
    Stopping {
        /// SIGKILL then.
        kill_at: Moment,
        /// It was sent.
        killed: bool,
    },
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Unique in the engine's life.
    pub id: u64,
    /// Hash of the release it runs.
    pub release: String,
    /// Started by an earlier engine: serves until it is replaced.
    pub legacy: bool,
    /// Passed its readiness probe last time.
    pub ready: bool,
    /// See [`Phase`].
    pub phase: Phase,
    /// Since when it is ready.
    pub ready_since: Option<Moment>,
    /// Crashes in a row.
    pub crashes: u32,
    /// Restarts in all.
    pub restarts: u32,
}

impl Member {
    /// A replica whose process was just started.
    pub fn started(id: u64, release: String) -> Self {
        Member {
            id,
            release,
            legacy: false,
            ready: false,
            phase: Phase::Running,
            ready_since: None,
            crashes: 0,
            restarts: 0,
        }
    }

    /// The readiness probe's latest word.
    pub fn set_ready(&mut self, ready: bool, now: Moment) {
        if ready && !self.ready {
            self.ready_since = Some(now);
        }
        self.ready = ready;
    }

    /// Its process is gone without having been told to. Says whether the replica comes back.
    pub fn crashed(&mut self, now: Moment) -> bool {
        if matches!(self.phase, Phase::Stopping { .. }) || self.legacy {
            return false;
        }
        let steady = self
            .ready_since
            .is_some_and(|since| now.saturating_sub(since) >= STEADY);
        self.crashes = if steady { 1 } else { self.crashes + 1 };
        self.ready = false;
        self.ready_since = None;
        self.phase = Phase::Backoff {
            until: now + backoff(RESTART_FIRST, RESTART_MOST, self.crashes - 1),
        };
        true
    }

    /// Its process was started again.
    pub fn restarted(&mut self) {
        self.phase = Phase::Running;
        self.restarts += 1;
    }

    fn stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping { .. })
    }
}

/// A release and how many replicas of it are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Hash.
    pub release: String,
    /// Wanted.
    pub replicas: usize,
    /// Its image is unpacked, so replicas can be started.
    pub prepared: bool,
}

/// A release on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What it is.
    pub target: Target,
    /// All replicas must be ready by then.
    pub deadline: Moment,
    /// Crashes of its replicas so far.
    pub crashes: u32,
}

/// All that matters about one Deployment.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Stopped on purpose.
    pub suspended: bool,
    /// Old and new must not run at once (a stand-in owns its port).
    pub exclusive: bool,
    /// The release that serves, kept going whatever the candidate does.
    pub live: Option<&'a Target>,
    /// The release on its way.
    pub candidate: Option<&'a Candidate>,
    /// Its replicas.
    pub members: &'a [Member],
}

/// Why a release is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// Not all replicas were ready in time.
    Deadline,
    /// Its replicas crash.
    Crashes,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A replica more of that release.
    Start(String),
    /// The same replica again, after its back-off.
    Restart(u64),
    /// SIGTERM.
    Stop(u64),
    /// SIGKILL: the grace period is over.
    Kill(u64),
    /// A replica without a process that is not wanted any more.
    Forget(u64),
    /// The candidate is live.
    Promote,
    /// The candidate is dropped.
    GiveUp(GaveUp),
}

/// The steps that are due at `now`.
pub fn decide(view: &View<'_>, now: Moment) -> Vec<Action> {
    let mut actions: Vec<Action> = view
        .members
        .iter()
        .filter(|m| matches!(m.phase, Phase::Stopping { kill_at, killed: false } if kill_at <= now))
        .map(|m| Action::Kill(m.id))
        .collect();
    if view.suspended {
        actions.extend(view.members.iter().filter_map(end));
        return actions;
    }
    let of = |release: &str, legacy: bool| -> Vec<&Member> {
        view.members
            .iter()
            .filter(|m| m.release == release && m.legacy == legacy && !m.stopping())
            .collect()
    };
    let may_start = !view.exclusive || !view.members.iter().any(Member::stopping);
    if let Some(candidate) = view.candidate {
        let mine = of(&candidate.target.release, false);
        let ready = mine.iter().filter(|m| m.ready).count();
        if candidate.target.prepared && ready >= candidate.target.replicas {
            // Asked again right after, with the candidate live.
            actions.push(Action::Promote);
            return actions;
        }
        if candidate.crashes >= CRASHES_MAX {
            actions.push(Action::GiveUp(GaveUp::Crashes));
            return actions;
        }
        if candidate.target.prepared && now >= candidate.deadline {
            actions.push(Action::GiveUp(GaveUp::Deadline));
            return actions;
        }
        let others = || {
            view.members
                .iter()
                .filter(|m| m.release != candidate.target.release)
        };
        if view.exclusive && candidate.target.prepared {
            actions.extend(others().filter_map(end));
        }
        if !view.exclusive || others().next().is_none() {
            fill(&candidate.target, &mine, may_start, now, &mut actions);
        }
    }
    if let Some(live) = view.live {
        let handed_over = view.exclusive && view.candidate.is_some_and(|c| c.target.prepared);
        if !handed_over {
            let fresh = of(&live.release, false);
            fill(live, &fresh, may_start, now, &mut actions);
            if fresh.iter().filter(|m| m.ready).count() >= live.replicas {
                actions.extend(of(&live.release, true).into_iter().filter_map(end));
            }
        }
    }
    let known = |m: &&Member| {
        view.live.is_some_and(|live| live.release == m.release)
            || view
                .candidate
                .is_some_and(|candidate| candidate.target.release == m.release)
    };
    actions.extend(view.members.iter().filter(|m| !known(m)).filter_map(end));
    actions
}

/// Brings the replicas of one release to their number.
fn fill(target: &Target, members: &[&Member], may_start: bool, now: Moment, actions: &mut Vec<Action>) {
    // Those that serve are the last to go.
    let mut kept: Vec<&&Member> = members.iter().collect();
    kept.sort_by_key(|m| (!m.ready, m.phase != Phase::Running, m.id));
    for surplus in kept.iter().skip(target.replicas) {
        actions.extend(end(surplus));
    }
    if !target.prepared || !may_start {
        return;
    }
    for member in kept.iter().take(target.replicas) {
        if matches!(member.phase, Phase::Backoff { until } if until <= now) {
            actions.push(Action::Restart(member.id));
        }
    }
    for _ in members.len()..target.replicas {
        actions.push(Action::Start(target.release.clone()));
    }
}

fn end(member: &Member) -> Option<Action> {
    match member.phase {
        Phase::Backoff { .. } => Some(Action::Forget(member.id)),
        Phase::Running => Some(Action::Stop(member.id)),
        Phase::Stopping { .. } => None,
    }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;

//! Pure: when Argo CD has to be asked to look again. It sees a push by itself after minutes, loses
//! what it is asked while it is at work, and compares nothing after a restart until something moves.

use crate::{
    argo::{Application, Phase, Sync},
    live::{Moment, Verdict},
};
use std::{collections::BTreeMap, time::Duration};

/// The Application whose hook somebody waits for: it moves `champion`.
const HOOKED: &str = contract::names::INFERENCE_API;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// How long the others wait at most, after a push, for the Application that carries the release: side
/// by side they share Argo CD's processors, and people wait for this one.
const FIRST: Duration = ms(2000);
/// Between two refreshes of one Application while it does not name the head of main.
const FOLLOW: Duration = ms(200);
/// As that, once this many were carried out and it still does not: Git may be down for Argo CD.
const FOLLOW_TRIES: u32 = 25;
const SLOW: Duration = ms(3000);
/// Nothing moves although the workloads are at rest.
const STALLED_AT_REST: Duration = ms(1500);
/// Nothing moves while the workloads are on their way.
const STALLED: Duration = ms(10_000);
/// A refresh that is there for so long was asked for in a moment when Argo CD wrote its own older copy
/// of the Application over the one with the annotation, in its cache: it does not know of it, and
/// would not for a minute. Any change of the object tells it. Seen on a real node.
const UNHEARD: Duration = ms(1500);
/// A controller that runs takes a refresh within a second, under load within some.
const SILENT: Duration = ms(10_000);

/// What is known about one Application at one look.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// Time of the look.
    pub at: Moment,
    /// As Argo CD has it.
    pub app: &'a Application,
    /// What the live rule says.
    pub verdict: &'a Verdict,
    /// Whether all workloads are at the end of their rollout.
    pub at_rest: bool,
    /// Head of main, where known.
    pub head: Option<&'a str>,
    /// Somebody said that main may have moved, last at.
    pub refreshed_at: Option<Moment>,
    /// The release is not at the head of main yet; see [`behind`].
    pub release_behind: bool,
}

/// Whether the Application that carries the release has yet to be compared with the head of main, or
/// to be applied.
pub fn behind<'a>(mut apps: impl Iterator<Item = &'a Application>, head: Option<&str>) -> bool {
    apps.find(|app| app.name == HOOKED).is_some_and(|app| {
        let running = app.operation.as_ref().is_some_and(|o| o.phase == Phase::Running);
        !app.skipped && app.follows_main() && (app.revision.as_deref() != head || app.pending || running)
    })
}

/// Why a refresh is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An answer needs evidence.
    Evidence,
    /// It does not name the head of main.
    Head,
    /// Somebody asked, and the head of main is not known.
    Asked,
    /// Nothing moves.
    Stalled,
    /// One is there that nobody takes.
    Unheard,
    /// Its commit is live, and its hooks have not run.
    Hooks,
}

#[derive(Clone, Debug, Default)]
struct Memory {
    asked_at: Option<Moment>,
    /// Refreshes towards this head so far.
    towards: (String, u32),
    present_since: Option<Moment>,
    poked_at: Option<Moment>,
    /// Commit for which a whole operation was asked for.
    whole: Option<String>,
    /// What it looked like, since when.
    same: Option<(String, Moment)>,
}

/// Memory of all Applications.
#[derive(Clone, Debug, Default)]
pub struct Nudges {
    of: BTreeMap<String, Memory>,
    /// Head of main, since when.
    head: Option<(String, Moment)>,
}

impl Nudges {
    /// Whether a refresh must be asked for now.
    pub fn decide(&mut self, now: Now) -> Option<Reason> {
        if let Some(head) = now.head
            && self.head.as_ref().is_none_or(|(known, _)| known != head)
        {
            self.head = Some((head.to_owned(), now.at));
        }
        let fresh = |(_, since): &(String, Moment)| now.at.saturating_sub(*since) < FIRST;
        let waits = now.release_behind && now.app.name != HOOKED && self.head.as_ref().is_some_and(fresh);
        let memory = self.of.entry(now.app.name.clone()).or_default();
        let look = format!(
            "{:?} {:?} {:?} {:?} {}",
            now.app.sync, now.app.health, now.app.revision, now.app.operation, now.verdict.why
        );
        if memory.same.as_ref().is_none_or(|(same, _)| *same != look) {
            memory.same = Some((look, now.at));
        }
        if now.app.refresh_asked {
            let since = *memory.present_since.get_or_insert(now.at);
            let last = memory.poked_at.map_or(since, |poked| poked.max(since));
            let unheard = now.at.saturating_sub(last) >= UNHEARD && !now.app.skipped;
            return unheard.then_some(Reason::Unheard);
        }
        memory.present_since = None;
        if now.app.deleting || now.app.skipped || waits {
            return None;
        }
        memory.reason(now)
    }

    /// A refresh was asked for.
    pub fn asked(&mut self, app: &str, at: Moment, head: Option<&str>) {
        let memory = self.of.entry(app.to_owned()).or_default();
        memory.asked_at = Some(at);
        let head = head.unwrap_or_default();
        if memory.towards.0 != head {
            memory.towards = (head.to_owned(), 0);
        }
        memory.towards.1 += 1;
    }

    /// A whole operation was asked for.
    pub fn asked_whole(&mut self, app: &str, revision: &str) {
        self.of.entry(app.to_owned()).or_default().whole = Some(revision.to_owned());
    }

    /// The object was changed, so that Argo CD reads it again.
    pub fn poked(&mut self, app: &str, at: Moment) {
        self.of.entry(app.to_owned()).or_default().poked_at = Some(at);
    }

    /// For how long nobody has taken a refresh, where that is too long.
    pub fn silent(&self, app: &str, at: Moment) -> Option<Duration> {
        let since = self.of.get(app)?.present_since?;
        let silent = at.saturating_sub(since);
        (silent >= SILENT).then_some(silent)
    }

    /// Forgets Applications that are gone.
    pub fn keep(&mut self, there: impl Fn(&str) -> bool) {
        self.of.retain(|name, _| there(name));
    }
}

impl Memory {
    fn reason(&self, now: Now) -> Option<Reason> {
        if now.verdict.wants_refresh {
            return Some(Reason::Evidence);
        }
        let since = |then: Option<Moment>| then.map_or(Duration::MAX, |then| now.at.saturating_sub(then));
        let rested = since(self.asked_at);
        let asked_after = now
            .refreshed_at
            .is_some_and(|at| self.asked_at.is_none_or(|asked| asked < at));
        match now.head {
            None if asked_after => return Some(Reason::Asked),
            Some(head) if now.app.follows_main() && now.app.revision.as_deref() != Some(head) => {
                let tries = if self.towards.0 == head { self.towards.1 } else { 0 };
                // What cannot be compared is not asked for in a hurry, unless somebody says that
                // something changed.
                let slow = tries >= FOLLOW_TRIES || now.app.sync == Sync::Unknown && tries > 1;
                let pause = if slow && !asked_after { SLOW } else { FOLLOW };
                return (rested >= pause).then_some(Reason::Head);
            }
            _ => {}
        }
        if now.verdict.live {
            let once = now.app.lacks_hooks() && self.whole != now.app.revision;
            return (once && now.app.name == HOOKED).then_some(Reason::Hooks);
        }
        let same = since(self.same.as_ref().map(|(_, at)| *at));
        let pause = if now.at_rest { STALLED_AT_REST } else { STALLED };
        // Each one that changed nothing makes the next one later.
        let pause = pause.max(rested_pause(same));
        (same >= pause && rested >= pause).then_some(Reason::Stalled)
    }
}

/// A third of the time that nothing has moved, at most ten seconds.
fn rested_pause(same: Duration) -> Duration {
    match same {
        Duration::MAX => Duration::ZERO,
        same => (same / 3).min(STALLED),
    }
}

#[cfg(test)]
mod tests;

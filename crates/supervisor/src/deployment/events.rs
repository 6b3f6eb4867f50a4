//! What happens to a Deployment: processes end, probes speak, releases are given up.

use super::{Deployment, Failed};
use crate::{
    context::Context,
    logs,
    probe::Word,
    process,
    rollout::{Action, GaveUp, Moment},
    schedule::Ended,
};

/// Lines of a log that a condition carries.
const LAST_LINES: usize = 8;

impl Deployment {
    /// The process with this key is gone; says whether it was one of ours.
    pub fn ended(&mut self, key: u64, ended: Ended, context: &mut Context) -> bool {
        let Some((&id, replica)) = self.replicas.iter_mut().find(|(_, replica)| replica.key == key) else {
            return false;
        };
        replica.gone();
        context.dirty = true;
        let mut words = logs::tail(&replica.log, LAST_LINES);
        words.insert(
            0,
            format!("{} ended with {}", replica.name, process::describe(ended)),
        );
        tracing::info!(
            app = self.app,
            replica = replica.name,
            how = process::describe(ended),
            "ended"
        );
        self.crashed(id, words, context.now());
        true
    }

    pub(super) fn crashed(&mut self, id: u64, words: Vec<String>, now: Moment) {
        let Some(member) = self.members.iter_mut().find(|m| m.id == id) else {
            return;
        };
        if !member.crashed(now) {
            return self.forget(id);
        }
        let release = member.release.clone();
        self.last_words = words;
        if let Some(on) = self.candidate.as_mut().filter(|on| on.plan.hash == release) {
            on.crashes += 1;
        }
    }

    /// The probes of the process with this key say something; says whether it was one of ours.
    pub fn probed(&mut self, key: u64, word: &Word, context: &mut Context) -> bool {
        let Some((&id, replica)) = self.replicas.iter_mut().find(|(_, replica)| replica.key == key) else {
            return false;
        };
        let name = replica.name.clone();
        let now = context.now();
        let Some(member) = self.members.iter_mut().find(|m| m.id == id) else {
            return true;
        };
        match word {
            Word::Ready => member.set_ready(true, now),
            Word::Unready => member.set_ready(false, now),
            Word::Dead(reason) => {
                tracing::warn!(app = self.app, replica = name, reason, "must be replaced");
                self.heritage = Some((member.restarts + 1, member.crashes + 1));
                let release = member.release.clone();
                let mut words = vec![format!("{name}: {reason}")];
                words.extend(logs::tail(&replica.log, LAST_LINES));
                self.last_words = words;
                if let Some(on) = self.candidate.as_mut().filter(|on| on.plan.hash == release) {
                    on.crashes += 1;
                }
                // It may hang for its whole grace period: the next one does not wait for that.
                self.apply(&Action::Stop(id), context);
            }
        }
        true
    }

    pub(super) fn give_up_with_words(&mut self, why: GaveUp, now: Moment) {
        let Some(on) = &self.candidate else { return };
        let (reason, words) = match why {
            GaveUp::Crashes => (
                format!("crashed {} times before it was ready", on.crashes),
                self.last_words.clone(),
            ),
            GaveUp::Deadline => {
                let of_release = self.members.iter().filter(|m| m.release == on.plan.hash);
                let logs =
                    of_release.filter_map(|m| Some(logs::tail(&self.replicas.get(&m.id)?.log, LAST_LINES)));
                let words = logs.flatten().collect();
                (
                    format!("not ready within {} s", on.plan.progress_deadline_s),
                    words,
                )
            }
        };
        // A replica that never got as far as a process failed for a reason outside the release.
        let outside = self
            .replicas
            .values()
            .any(|r| r.start_failed && r.release == on.plan.hash);
        // So did what stands in for an image: it is this machine's, and was too slow or in somebody's way.
        let outside = outside || on.plan.stand_in.is_some();
        let again = outside.then(|| now + crate::context::LOOK_AGAIN);
        let mut message = reason;
        for line in words {
            message.push('\n');
            message.push_str(&line);
        }
        self.give_up(message, again);
    }

    pub(super) fn give_up(&mut self, message: String, again: Option<Moment>) {
        if let Some(on) = self.candidate.take() {
            let known = self
                .failed
                .as_ref()
                .is_some_and(|failed| failed.hash == on.plan.hash);
            if !known {
                tracing::warn!(
                    app = self.app,
                    deployment = self.name,
                    release = on.plan.hash,
                    message,
                    "given up"
                );
            }
            self.failed = Some(Failed {
                hash: on.plan.hash,
                message,
                again,
            });
        }
    }
}

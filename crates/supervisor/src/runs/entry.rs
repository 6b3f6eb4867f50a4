//! One run on its way: attempts, retries, ends.

use super::{Entry, timestamp};
use crate::{
    attempt::{self, Attempt},
    context::{Context, ImageState},
    process,
    rollout::Moment,
    schedule::{Ended, Verdict, after_attempt},
};
use engine::RunPhase;
use std::time::Duration;

impl Entry {
    pub(super) fn step(&mut self, may_start: bool, now: Moment, context: &mut Context) {
        let Some(unfinished) = &mut self.unfinished else {
            return;
        };
        let limit = unfinished
            .wish
            .job
            .active_deadline_s
            .map(|s| Duration::from_secs(u64::from(s)));
        if unfinished.stop.is_none()
            && limit.is_some_and(|limit| now.saturating_sub(unfinished.since) >= limit)
        {
            self.stop("activeDeadlineSeconds is over", now);
        }
        let Some(unfinished) = &mut self.unfinished else {
            return;
        };
        match (&unfinished.stop, &unfinished.attempt) {
            (Some((why, _)), None) => {
                let why = why.clone();
                self.finish(RunPhase::Failed, Some(why), context);
            }
            (Some((why, Some(kill_at))), Some(attempt)) if *kill_at <= now => {
                attempt.process.kill();
                unfinished.stop = Some((why.clone(), None));
            }
            (None, None) if may_start && unfinished.not_before <= now => self.start(context),
            _ => {}
        }
    }

    fn start(&mut self, context: &mut Context) {
        let Some(unfinished) = &mut self.unfinished else {
            return;
        };
        let wish = &unfinished.wish;
        let prepared = match context.image(wish.job.pod.container.image.as_deref().unwrap_or_default()) {
            ImageState::Preparing => return,
            ImageState::Failed(reason, _) => {
                self.run.log_tail = vec![reason];
                return;
            }
            ImageState::Ready(prepared) => prepared,
        };
        self.run.attempts += 1;
        self.run.phase = RunPhase::Running;
        self.run.exit_code = None;
        context.dirty = true;
        match Attempt::start(&self.run, wish, &prepared, context) {
            Ok(attempt) => unfinished.attempt = Some(attempt),
            Err(reason) => {
                attempt::note(&self.run, &context.home, &reason);
                self.attempt_ended(Ended::Killed, context);
            }
        }
    }

    pub(super) fn stop(&mut self, why: &str, now: Moment) {
        let Some(unfinished) = self.unfinished.as_mut().filter(|u| u.stop.is_none()) else {
            return;
        };
        let grace = Duration::from_secs(u64::from(unfinished.wish.job.pod.grace_s));
        unfinished.stop = Some((why.to_owned(), Some(now + grace)));
        if let Some(attempt) = &unfinished.attempt {
            attempt.process.terminate();
        }
    }

    pub(super) fn attempt_ended(&mut self, ended: Ended, context: &mut Context) {
        let Some(unfinished) = &mut self.unfinished else {
            return;
        };
        unfinished.attempt = None;
        context.dirty = true;
        attempt::read_output(&mut self.run, &context.home);
        if let Ended::Code(code) = ended {
            self.run.exit_code = Some(code);
        }
        let how = process::describe(ended);
        tracing::info!(
            run = self.run.id,
            attempt = self.run.attempts,
            how,
            "attempt ended"
        );
        if let Some((why, _)) = &unfinished.stop {
            let why = (ended != Ended::Code(0)).then(|| why.clone());
            let phase = if why.is_none() {
                RunPhase::Succeeded
            } else {
                RunPhase::Failed
            };
            return self.finish(phase, why, context);
        }
        match after_attempt(&unfinished.wish.job, unfinished.failed, ended) {
            Verdict::Succeeded => self.finish(RunPhase::Succeeded, None, context),
            Verdict::Failed => self.finish(RunPhase::Failed, None, context),
            Verdict::Retry { after, counted } => {
                unfinished.failed += u32::from(counted);
                unfinished.not_before = context.now() + after;
                self.run.phase = RunPhase::Pending;
            }
        }
    }

    fn finish(&mut self, phase: RunPhase, why: Option<String>, context: &mut Context) {
        tracing::info!(run = self.run.id, ?phase, why, "over");
        self.run.phase = phase;
        self.run.finished_at = Some(timestamp());
        self.run.log_tail.extend(why.map(|why| format!("engine: {why}")));
        self.unfinished = None;
        context.dirty = true;
    }
}

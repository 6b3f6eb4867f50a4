//! Runs of Jobs: admitted, started, retried, ended, remembered.

use crate::{
    attempt::{self, Attempt},
    context::{Context, ImageState},
    home::random_hex,
    plan::{Concurrency, JobPlan},
    process,
    rollout::Moment,
    schedule::{Admission, Ended, Verdict, admit, after_attempt},
    server::Refusal,
    state::{SavedRun, SavedUnfinished},
};
use engine::{Run, RunPhase};
use jiff::{Timestamp, Unit};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Runs of one template that are not over.
const UNFINISHED_MAX: usize = 16;
/// Runs remembered in all.
const REMEMBERED_MAX: usize = 50;

/// Who wants a run.
#[derive(Clone, Debug)]
pub struct Wish {
    /// CronJob or Job.
    pub template: String,
    /// What runs.
    pub job: JobPlan,
    /// Of the CronJob.
    pub concurrency: Concurrency,
    /// Appended to the container's.
    pub args: Vec<String>,
    /// Set over the container's.
    pub env: BTreeMap<String, String>,
    /// The schedule wants it, not a person.
    pub by_clock: bool,
}

#[derive(Debug)]
struct Entry {
    run: Run,
    unfinished: Option<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    wish: Wish,
    failed: u32,
    not_before: Moment,
    since: Moment,
    attempt: Option<Attempt>,
    /// It is being ended for this reason; SIGKILL at that moment.
    stop: Option<(String, Option<Moment>)>,
}

/// All runs, newest first.
#[derive(Debug, Default)]
pub struct Runs {
    entries: Vec<Entry>,
}

impl Runs {
    /// Admits a run; `None` when the schedule's start is skipped.
    ///
    /// # Errors
    /// Its image cannot be run, or too many wait already.
    pub fn request(&mut self, wish: Wish, context: &mut Context) -> Result<Option<Run>, Refusal> {
        let image = wish.job.pod.container.image.clone().unwrap_or_default();
        if let ImageState::Failed(reason, _) = context.image(&image) {
            return Err(Refusal::conflict(format!(
                "{} cannot run: {reason}",
                wish.template
            )));
        }
        let now = context.now();
        let unfinished =
            |entry: &&mut Entry| entry.unfinished.is_some() && entry.run.template == wish.template;
        let active = self.entries.iter_mut().filter(unfinished).count();
        if active >= UNFINISHED_MAX {
            return Err(Refusal::conflict(format!(
                "{active} runs of {} are not over yet",
                wish.template
            )));
        }
        match admit(wish.concurrency, active, wish.by_clock) {
            Admission::Skip => return Ok(None),
            Admission::Replace => {
                for entry in self.entries.iter_mut().filter(unfinished) {
                    entry.stop("replaced by a newer run", now);
                }
            }
            Admission::Start | Admission::Wait => {}
        }
        let random = random_hex(3).map_err(|error| Refusal::conflict(error.to_string()))?;
        let run = Run {
            id: format!("{}-{random}", wish.template),
            template: wish.template.clone(),
            phase: RunPhase::Pending,
            exit_code: None,
            attempts: 0,
            started_at: timestamp(),
            finished_at: None,
            stdout: String::new(),
            log_tail: Vec::new(),
        };
        tracing::info!(run = run.id, by_clock = wish.by_clock, "admitted");
        let unfinished = Unfinished {
            wish,
            failed: 0,
            not_before: now,
            since: now,
            attempt: None,
            stop: None,
        };
        self.entries.insert(
            0,
            Entry {
                run: run.clone(),
                unfinished: Some(unfinished),
            },
        );
        context.dirty = true;
        Ok(Some(run))
    }

    /// Carries out every step that is due.
    pub fn step(&mut self, context: &mut Context) {
        let now = context.now();
        for index in (0..self.entries.len()).rev() {
            let may_start = self.may_start(index);
            let Some(entry) = self.entries.get_mut(index) else {
                continue;
            };
            entry.step(may_start, now, context);
        }
    }

    /// Oldest first where runs may not overlap; a run between two attempts is not over.
    fn may_start(&self, index: usize) -> bool {
        let Some(Entry {
            run,
            unfinished: Some(this),
        }) = self.entries.get(index)
        else {
            return false;
        };
        this.wish.concurrency == Concurrency::Allow
            || !self.entries.iter().enumerate().any(|(at, other)| {
                let earlier = other.run.attempts > 0 && run.attempts == 0 || at > index;
                let same = other.unfinished.is_some() && other.run.template == run.template;
                at != index && same && earlier
            })
    }

    /// The process with this key is gone; says whether it was one of ours.
    pub fn ended(&mut self, key: u64, ended: Ended, context: &mut Context) -> bool {
        let has_key = |entry: &Entry| {
            let attempt = entry.unfinished.as_ref().and_then(|u| u.attempt.as_ref());
            attempt.is_some_and(|attempt| attempt.key == key)
        };
        match self.entries.iter_mut().find(|entry| has_key(entry)) {
            Some(entry) => {
                entry.attempt_ended(ended, context);
                true
            }
            None => false,
        }
    }

    /// The run of that id as it is now.
    pub fn find(&self, id: &str, context: &Context) -> Option<Run> {
        let entry = self.entries.iter().find(|entry| entry.run.id == id)?;
        let mut run = entry.run.clone();
        if entry.unfinished.as_ref().is_some_and(|u| u.attempt.is_some()) {
            attempt::read_output(&mut run, &context.home);
        }
        Some(run)
    }

    /// All of them, without their output, which [`Runs::find`] has.
    pub fn list(&self) -> Vec<Run> {
        self.entries.iter().map(|entry| entry.run.clone()).collect()
    }

    /// SIGKILL to the attempt under way; `None` when there is no such run.
    pub fn kill(&self, id: &str) -> Option<bool> {
        let entry = self.entries.iter().find(|entry| entry.run.id == id)?;
        let attempt = entry.unfinished.as_ref().and_then(|u| u.attempt.as_ref());
        Some(attempt.map(|attempt| attempt.process.kill()).is_some())
    }

    /// Ends all of them for good.
    pub fn stop_all(&mut self, why: &str, now: Moment) {
        for entry in &mut self.entries {
            entry.stop(why, now);
        }
    }

    /// Whether a process of a run lives.
    pub fn any_running(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.unfinished.as_ref().is_some_and(|u| u.attempt.is_some()))
    }

    /// Files that attempts under way write to.
    pub fn files_in_use(&self) -> Vec<PathBuf> {
        let attempts = self
            .entries
            .iter()
            .filter_map(|entry| entry.unfinished.as_ref()?.attempt.as_ref());
        attempts
            .flat_map(|attempt| [attempt.stdout.clone(), attempt.stderr.clone()])
            .collect()
    }

    /// Images that unfinished runs need.
    pub fn images(&self) -> Vec<String> {
        let wishes = self.entries.iter().filter_map(|entry| entry.unfinished.as_ref());
        wishes
            .filter_map(|unfinished| unfinished.wish.job.pod.container.image.clone())
            .collect()
    }

    /// Forgets old runs with their logs; `limits` answers how many succeeded and failed ones of a
    /// template are kept. The newest of each stays, so that whoever started it learns its end.
    pub fn forget(&mut self, limits: impl Fn(&str) -> (usize, usize), context: &mut Context) {
        let mut kept: BTreeMap<(String, bool), usize> = BTreeMap::new();
        let mut all = 0;
        self.entries.retain(|entry| {
            all += 1;
            let succeeded = entry.run.phase == RunPhase::Succeeded;
            let (succeeded_max, failed_max) = limits(&entry.run.template);
            let most = if succeeded { succeeded_max } else { failed_max }.max(1);
            let count = kept.entry((entry.run.template.clone(), succeeded)).or_default();
            if entry.unfinished.is_some() {
                return true;
            }
            *count += 1;
            let stays = *count <= most && all <= REMEMBERED_MAX;
            if !stays {
                let _ = std::fs::remove_dir_all(attempt::folder(&context.home, &entry.run.id));
                context.dirty = true;
            }
            stays
        });
    }

    /// What a successor must know.
    pub fn saved(&self) -> Vec<SavedRun> {
        let unfinished = |u: &Unfinished| SavedUnfinished {
            job: u.wish.job.clone(),
            args: u.wish.args.clone(),
            env: u.wish.env.clone(),
            concurrency: u.wish.concurrency,
            failed: u.failed,
            attempt: u.attempt.as_ref().map(|attempt| attempt.process.identity),
        };
        let of = |entry: &Entry| SavedRun {
            run: entry.run.clone(),
            unfinished: entry.unfinished.as_ref().map(unfinished),
        };
        self.entries.iter().map(of).collect()
    }

    /// What a predecessor left. An attempt under way is ended and counts as killed: nobody knows
    /// any more what it would have answered.
    pub fn restore(saved: Vec<SavedRun>, context: &mut Context) -> Self {
        let mut runs = Runs::default();
        for SavedRun { run, unfinished } in saved {
            let mut entry = Entry {
                run,
                unfinished: None,
            };
            if let Some(unfinished) = unfinished {
                let now = context.now();
                entry.unfinished = Some(Unfinished {
                    wish: Wish {
                        template: entry.run.template.clone(),
                        job: unfinished.job,
                        concurrency: unfinished.concurrency,
                        args: unfinished.args,
                        env: unfinished.env,
                        by_clock: false,
                    },
                    failed: unfinished.failed,
                    not_before: now,
                    since: now,
                    attempt: None,
                    stop: None,
                });
                if let Some(identity) = unfinished.attempt {
                    if let Some(left) = process::adopt(identity, true) {
                        left.kill();
                        tokio::spawn(process::wait(left, None));
                    }
                    entry.attempt_ended(Ended::Killed, context);
                }
            }
            runs.entries.push(entry);
        }
        runs
    }
}

impl Entry {
    fn step(&mut self, may_start: bool, now: Moment, context: &mut Context) {
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

    fn stop(&mut self, why: &str, now: Moment) {
        let Some(unfinished) = self.unfinished.as_mut().filter(|u| u.stop.is_none()) else {
            return;
        };
        let grace = Duration::from_secs(u64::from(unfinished.wish.job.pod.grace_s));
        unfinished.stop = Some((why.to_owned(), Some(now + grace)));
        if let Some(attempt) = &unfinished.attempt {
            attempt.process.terminate();
        }
    }

    fn attempt_ended(&mut self, ended: Ended, context: &mut Context) {
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

/// Now, in RFC 3339 to the millisecond.
fn timestamp() -> String {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now).to_string()
}

//! Runs of Jobs: admitted, started, retried, ended, remembered.

mod entry;
mod kept;

use crate::{
    attempt::{self, Attempt},
    context::{Context, ImageState},
    home::random_hex,
    plan::{Concurrency, JobPlan},
    rollout::Moment,
    schedule::{Admission, Ended, admit},
    server::Refusal,
};
use engine::{Run, RunPhase};
use jiff::Timestamp;
use std::{collections::BTreeMap, path::PathBuf};

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
    /// Of the run, where whoever wants it gave one.
    pub name: Option<String>,
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
    /// Its image cannot be run, too many wait already, or its name cannot be one.
    pub fn request(&mut self, wish: Wish, context: &mut Context) -> Result<Option<Run>, Refusal> {
        if let Some(name) = &wish.name {
            check_name(name, &wish.template)?;
            if let Some(known) = self.entries.iter().find(|entry| entry.run.id == *name) {
                return Ok(Some(known.run.clone()));
            }
        }
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
        let id = match &wish.name {
            Some(name) => name.clone(),
            None => {
                let random = random_hex(3).map_err(|error| Refusal::conflict(error.to_string()))?;
                format!("{}-{random}", wish.template)
            }
        };
        let run = Run {
            id,
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
        let short = |entry: &Entry| Run {
            stdout: String::new(),
            ..entry.run.clone()
        };
        self.entries.iter().map(short).collect()
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
}

/// It becomes a folder of logs and part of an address; Kubernetes' rule for names of Jobs.
fn check_name(name: &str, template: &str) -> Result<(), Refusal> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let tail = name
        .strip_prefix(template)
        .and_then(|rest| rest.strip_prefix('-'));
    match name.len() <= 63 && tail.is_some_and(|tail| !tail.is_empty() && tail.bytes().all(plain)) {
        true => Ok(()),
        false => Err(Refusal::conflict(format!(
            "run {name:?}: expected {template}- and lower-case letters, digits and dashes, 63 in all"
        ))),
    }
}

/// Now, in RFC 3339 to the millisecond; always as many digits, so that texts sort like times.
fn timestamp() -> String {
    format!("{:.3}", Timestamp::now())
}

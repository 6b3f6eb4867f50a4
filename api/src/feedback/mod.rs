//! Labels that come later: matched with what was answered, counted, compared with held-out rows.
//!
//! The request path leaves its answers in a ring, under a lock that is held for a copy. Whoever brings a label
//! fetches them into the ledger ([`drift::ledger`]). What is labelled is a pooled window as that of the inputs is, and travels
//! with it between replicas; so do labels that came to another replica than the one that had answered.

mod body;
mod core;
pub mod described;
mod exchange;
mod export;
mod labels;
mod matching;
mod pending;
mod status;
#[cfg(test)]
mod tests;

use crate::{
    config::{Config, FeedbackConfig},
    monitor::{now_ms, now_us},
    state::State,
};
pub use body::{Feedback as Body, Item, read};
use contract::{Manifest, manifest::Task};
use core::{Core, Shape};
use drift::{
    ledger::{Answered, Answers},
    performance::{HeldOut, quality},
    rates::Rate,
};
pub use exchange::{HearError, Told};
pub use export::Export;
use labels::Labels;
pub use matching::Counted;
pub use status::{Outcome, Performance};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Metric of a manifest: the ⌈n/2⌉-th smallest of n held-out absolute errors.
const MEDIAN_ERROR: &str = contract::names::MEDIAN_ABSOLUTE_ERROR;

/// Everything known about labels of one model.
#[derive(Debug)]
pub struct Feedback {
    labels: Labels,
    columns: Vec<String>,
    target: String,
    /// Columns that are never kept; empty where all are.
    never: Box<[bool]>,
    /// Keyed, so that nobody can choose ids that meet.
    hasher: RandomState,
    answers: Mutex<Answers>,
    core: Mutex<Core>,
    counts: [AtomicU64; Outcome::ALL.len()],
    held_out: Option<f64>,
    captures: bool,
    /// Whether there are other replicas, who may know what we do not.
    shared: bool,
    retention: Duration,
}

impl Feedback {
    /// For a model; `None` where no labels are taken.
    ///
    /// # Errors
    /// In words, when a column that is never to be kept is no feature.
    pub fn new(manifest: &Manifest, config: &Config) -> Result<Option<Arc<Feedback>>, String> {
        let FeedbackConfig {
            rows, window_size, ..
        } = config.feedback;
        if rows == 0 {
            return Ok(None);
        }
        let columns: Vec<String> = manifest
            .features
            .iter()
            .map(|feature| feature.name.clone())
            .collect();
        if let Some(name) = config
            .feedback
            .except()
            .find(|name| !columns.iter().any(|column| column == name))
        {
            let expected = columns.join(", ");
            return Err(format!(
                "--capture-except (CAPTURE_EXCEPT) names {name:?}, expected features of the model: {expected}"
            ));
        }
        let mut never: Box<[bool]> = columns
            .iter()
            .map(|column| config.feedback.except().any(|name| name == column))
            .collect();
        if !never.contains(&true) {
            never = Box::default();
        }
        let captures = config.feedback.captures();
        let kept = match captures {
            true => config.feedback.capture_rows,
            false => 0,
        };
        let shape = Shape {
            rows,
            window: window_size,
            features: columns.len(),
            kept,
            retention: config.feedback.retention,
        };
        let hasher = RandomState::new();
        let replica = hasher.build_hasher().finish();
        let held_out = held_out(manifest);
        let mut rule = config.drift.rule();
        rule.least_rows = rule.least_rows.min(window_size as u64);
        let metric = match manifest.task {
            Task::Classification => "accuracy",
            Task::Regression => "rmse",
        };
        Ok(Some(Arc::new(Feedback {
            labels: Labels::of(manifest),
            never,
            answers: Mutex::new(Answers::new(rows, columns.len(), kept)),
            core: Mutex::new(Core::new(&manifest.model_digest, &shape, rule, held_out, replica)),
            columns,
            target: manifest.dataset.target.clone(),
            hasher,
            counts: Default::default(),
            held_out: manifest.metrics.get(metric).copied(),
            captures,
            shared: config.drift.exchange.is_on() && manifest.drift_reference.is_some(),
            retention: config.feedback.retention,
        })))
    }

    fn request(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    /// Remembers answers to the rows of a request. `inputs` are row after row.
    pub fn record(&self, id: &str, answers: impl Iterator<Item = f64>, inputs: &[f64], narrow: bool) {
        let (request, time) = (self.request(id), now_us());
        let mut ring = lock(&self.answers);
        let rows = inputs.chunks_exact(self.columns.len().max(1));
        for (row, (answer, inputs)) in (0..).zip(answers.zip(rows)) {
            let answered = Answered {
                request,
                row,
                time,
                answer,
                narrow,
            };
            ring.push(answered, inputs, &self.never);
        }
    }

    fn count(&self, outcome: Outcome, labels: usize) {
        self.counts[outcome as usize].fetch_add(labels as u64, Relaxed);
    }

    /// Labels by what became of them.
    pub fn counts(&self) -> impl Iterator<Item = (Outcome, u64)> {
        let counts = Outcome::ALL.into_iter().zip(&self.counts);
        counts.map(|(outcome, count)| (outcome, count.load(Relaxed)))
    }

    /// How well the model does; `None` until a label came.
    pub fn performance(&self) -> Option<Performance> {
        let core = lock(&self.core);
        let pairs = core.pairs();
        if core.labelled.total() == 0 {
            return None;
        }
        let performance = Performance {
            drift: core.watch.alarm().is_some(),
            verdict: core.watch.verdict(),
            rows: pairs.len(),
            size: core.labelled.size(),
            total: core.labelled.total(),
            confidence: 0.0,
            accuracy: None,
            rmse: None,
            mae: None,
            held_out: self.held_out,
            p_value: None,
            threshold: core.watch.threshold(),
            effect: None,
        };
        let judged = core.watch.judged();
        drop(core);
        Some(performance.with(quality(self.labels.are_classes(), &pairs), judged))
    }

    /// The labelled rows with their inputs; `None` where inputs are not kept.
    pub fn export(&self) -> Option<Export> {
        let mut core = lock(&self.core);
        core.fetch(&self.answers);
        core.expire(now_us());
        let rows: Vec<_> = core.captured.as_ref()?.rows().iter().cloned().collect();
        drop(core);
        let names = self.columns.iter().chain([&self.target]);
        Some(Export::of(names, &rows, |label| self.labels.text(label)))
    }

    /// Columns that exports have no values of.
    pub fn never_kept(&self) -> Vec<&str> {
        let columns = self.columns.iter().zip(&self.never);
        let never = columns.filter(|(_, never)| **never);
        never.map(|(column, _)| column.as_str()).collect()
    }

    /// Forgets what is too old, whether anything comes in or not.
    fn sweep(&self) {
        let mut core = lock(&self.core);
        if self.captures {
            core.fetch(&self.answers);
            core.expire(now_us());
        }
        let unclaimed = core.pending.expire(now_ms());
        drop(core);
        self.count(Outcome::Unclaimed, unclaimed);
    }
}

/// What the manifest says of held-out rows, where it is enough to test with.
fn held_out(manifest: &Manifest) -> Option<HeldOut> {
    let rows = manifest.dataset.holdout_rows;
    let metric = |name: &str| manifest.metrics.get(name).copied().filter(|_| rows > 0);
    match manifest.task {
        Task::Classification => metric("accuracy").map(|accuracy| {
            let wrong = ((1.0 - accuracy) * rows as f64).round().clamp(0.0, rows as f64);
            HeldOut::Wrong(Rate {
                events: wrong as u64,
                of: rows,
            })
        }),
        Task::Regression => metric(MEDIAN_ERROR).map(|error| HeldOut::MedianError { rows, error }),
    }
}

/// Forgets what is too old as long as `state` is there.
pub fn watch(state: &State) {
    let served = state.served().ok();
    let Some(feedback) = served.and_then(|served| served.feedback()) else {
        return;
    };
    if !feedback.captures && !feedback.shared {
        return;
    }
    let period = (feedback.retention / 8).clamp(Duration::from_millis(100), Duration::from_secs(10));
    let feedback = Arc::downgrade(feedback);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(feedback) = feedback.upgrade() else {
                return;
            };
            let _ = tokio::task::spawn_blocking(move || feedback.sweep()).await;
        }
    });
}

/// A panic under a lock would be a defect of ours; serving on is better than refusing all.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The pooled window, its statistics, and what was found by looking at it.

use super::{Training, lock};
use crate::config::{DriftConfig, DriftMode};
use drift::{
    baseline::Baseline,
    counts::{Counts, Evaluation, FeatureState},
    episode::{Episode, Episodes},
    explain::{Severity, movements},
    inbox::Inbox,
    ks::{Method, critical_distance, p_value_of},
    looks::Looks,
    pooled::{MergeError, PooledWindow, Row},
    rule::{Decision, Rule, Signal, Verdict},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

/// Looks that are remembered for the picture over time.
const HISTORY: usize = 240;
/// Features that moved most, told in words.
const MOVEMENTS: usize = 3;

/// What a look left behind.
#[derive(Clone, Debug)]
pub struct Past {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Rows recorded by all replicas until then.
    pub total: u64,
    /// Whether it found drift.
    pub drift: bool,
    /// The Kolmogorov–Smirnov statistic of each feature, where it could be compared.
    pub ks: Arc<[Option<f64>]>,
}

/// What can be had without a lock.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Grows with every change.
    pub version: u64,
    /// Whether the newest look found drift.
    pub detected: bool,
    /// Rows in the window.
    pub rows: usize,
    /// Rows it holds when it is full.
    pub size: usize,
    /// Rows recorded by all replicas.
    pub total: u64,
    /// Whose rows these are.
    pub model: Arc<str>,
    /// The newest episode.
    pub episode: Option<Episode>,
    /// Episodes so far.
    pub episodes: u64,
    /// Replicas with rows in the window.
    pub merged: usize,
    /// Names of the features.
    pub baseline: Arc<Baseline>,
    /// Statistics at the newest look; none before the first.
    pub looked: Option<Arc<(Evaluation, Decision)>>,
}

/// All that a status is made of, at one moment.
#[derive(Debug)]
pub struct Comparison {
    pub version: u64,
    pub mode: DriftMode,
    pub rule: Rule,
    pub threshold: f64,
    pub classes: Arc<[String]>,
    pub training: Arc<Baseline>,
    pub window: PooledWindow,
    pub evaluation: Evaluation,
    pub seen: Seen,
    pub episodes: Episodes,
    pub history: Vec<Past>,
    pub replica: u64,
}

impl Comparison {
    /// Every comparison of the rows as they are.
    pub fn signals(&self) -> Vec<Signal> {
        self.rule.signals(&self.training, &self.evaluation)
    }
}

#[derive(Debug)]
pub(super) struct Core {
    mode: DriftMode,
    rule: Rule,
    threshold: f64,
    replica: u64,
    classes: Arc<[String]>,
    model: Arc<str>,
    baseline: Arc<Baseline>,
    window: PooledWindow,
    counts: Counts,
    looks: Looks,
    looked: Option<Arc<(Evaluation, Decision)>>,
    detected: bool,
    episodes: Episodes,
    history: VecDeque<Past>,
    spare: Inbox,
    version: u64,
    /// Of the documents' rule: the smallest numerator that is drift, and the version it was asked at.
    critical: Option<u64>,
    judged: u64,
}

/// Keeps the counts of what is in the window.
fn counted(counts: &mut Counts) -> impl FnMut(&Row, bool) {
    |row, came| match came {
        true => counts.add(&row.values, row.class),
        false => counts.remove(&row.values, row.class),
    }
}

fn inbox(baseline: &Baseline, replica: u64, size: usize, every: u32) -> Inbox {
    let inbox = Inbox::new(replica, size, baseline.features().len(), every);
    match baseline.scores() {
        Some(_) => inbox.with_scores(),
        None => inbox,
    }
}

impl Core {
    pub fn new(training: Training, config: &DriftConfig, replica: u64) -> Self {
        let size = config.window_size;
        let columns = training.baseline.columns().count();
        let rule = config.rule();
        let baseline = Arc::new(training.baseline);
        let critical = match config.mode {
            DriftMode::Compat => critical_distance(baseline.rows() as u64, size as u64, config.threshold),
            DriftMode::Calibrated => None,
        };
        Core {
            mode: config.mode,
            rule,
            threshold: config.threshold,
            replica,
            classes: training.classes.into(),
            window: PooledWindow::new(&*training.model, size, columns),
            model: training.model.into(),
            counts: Counts::new(Arc::clone(&baseline)),
            looks: Looks::new(&rule, size),
            looked: None,
            detected: false,
            episodes: Episodes::default(),
            history: VecDeque::new(),
            spare: inbox(&baseline, replica, size, 1),
            version: 0,
            critical,
            judged: 0,
            baseline,
        }
    }

    /// Of the shape that [`Core::fetch`] takes.
    pub fn inbox(&self, size: usize, every: u32) -> Inbox {
        inbox(&self.baseline, self.replica, size, every)
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn window(&self) -> &PooledWindow {
        &self.window
    }

    pub fn episodes(&self) -> &Episodes {
        &self.episodes
    }

    pub fn replica(&self) -> u64 {
        self.replica
    }

    /// Takes over what the request path has left.
    pub fn fetch(&mut self, inbox: &Mutex<Inbox>) {
        {
            let mut inbox = lock(inbox);
            if inbox.is_empty() {
                return;
            }
            inbox.swap(&mut self.spare);
        }
        let drained = self
            .spare
            .drain(&self.baseline, &mut self.window, counted(&mut self.counts));
        debug_assert!(drained.is_ok(), "{drained:?}");
        self.version += 1;
    }

    /// Takes over what another replica knows. Nothing has changed if an error is returned.
    pub fn merge(&mut self, other: &PooledWindow, episodes: &Episodes) -> Result<(), MergeError> {
        let (rows, total) = (self.window.rows().back().map(|row| row.key), self.window.total());
        let mut moved = 0;
        let mut count = counted(&mut self.counts);
        self.window.merge(other, |row, came| {
            moved += 1;
            count(row, came);
        })?;
        let before = self.episodes.clone();
        self.episodes.merge(episodes);
        let open = self.episodes.open_one().map(|episode| episode.since_rows);
        self.looks.follow(open);
        let newest = self.window.rows().back().map(|row| row.key);
        if moved > 0 || rows != newest || total != self.window.total() || before != self.episodes {
            self.version += 1;
        }
        Ok(())
    }

    /// Looks, if it is time.
    pub fn look(&mut self, now_ms: u64) {
        let total = self.window.total();
        let due = self.looks.due(total);
        if self.mode == DriftMode::Compat && self.judged != self.version {
            // The documents' rule has no times to look at.
            let evaluation = self.counts.evaluate();
            let detected = self.judges_compat(&evaluation);
            self.version += u64::from(detected != self.detected);
            self.detected = detected;
            self.judged = self.version;
        }
        if !due {
            return;
        }
        let evaluation = self.counts.evaluate();
        let mut decision = match self.mode {
            DriftMode::Calibrated => self.rule.look(&self.baseline, &evaluation, &self.window),
            DriftMode::Compat => self.compat(&evaluation),
        };
        // Before the first rows of a model there is nothing to be seen.
        if self.window.rows().is_empty() {
            decision.verdict = Verdict::Collecting;
        }
        self.detected = decision.verdict == Verdict::Drift;
        self.looks.looked(total, decision.verdict);
        match (self.looks.alarm(), self.episodes.open_one()) {
            (Some(_), None) => {
                let moved = movements(&self.baseline, &evaluation, &self.window, &decision, MOVEMENTS);
                let largest = moved.iter().map(|moved| moved.effect).fold(0.0, f64::max);
                let words = moved.into_iter().map(|moved| moved.words).collect();
                self.episodes.open(now_ms, total, Severity::of(largest), words);
            }
            (None, Some(_)) => self.episodes.close(now_ms),
            _ => {}
        }
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Past {
            at_ms: now_ms,
            total,
            drift: self.detected,
            ks: evaluation
                .features
                .iter()
                .map(|feature| (feature.state == FeatureState::Compared).then_some(feature.ks))
                .collect(),
        });
        self.looked = Some(Arc::new((evaluation, decision)));
        self.version += 1;
    }

    /// The documents' rule: a full window, and any feature's p-value below the threshold.
    fn judges_compat(&self, evaluation: &Evaluation) -> bool {
        let full = self.window.rows().len() == self.window.size();
        let features = self.baseline.features().iter().zip(&evaluation.features);
        full && features
            .filter(|(_, now)| now.state == FeatureState::Compared)
            .any(|(before, now)| match &before.sample {
                // An integer tells, where no value is missing.
                Some(sample)
                    if now.values == self.window.size() as u64
                        && sample.count() == self.baseline.rows() as u64 =>
                {
                    self.critical.is_some_and(|critical| now.numerator >= critical)
                }
                Some(sample) => {
                    p_value_of(now.numerator, sample.count(), now.values, Method::Auto).0 < self.threshold
                }
                None => false,
            })
    }

    /// The same as a look has it, with each feature's p-value.
    fn compat(&self, evaluation: &Evaluation) -> Decision {
        let full = self.window.rows().len() == self.window.size();
        let mut signals = self.rule.signals(&self.baseline, evaluation);
        signals.retain(|signal| signal.kind == drift::rule::SignalKind::Distribution);
        for signal in &mut signals {
            signal.adjusted = signal.p_value;
            signal.drift = signal.p_value < self.threshold;
        }
        let drift = signals.iter().any(|signal| signal.drift);
        Decision {
            verdict: match (full, drift) {
                (false, _) => Verdict::Collecting,
                (true, true) => Verdict::Drift,
                (true, false) => Verdict::Quiet,
            },
            signals,
            signal_level: self.threshold,
            joint: None,
            joint_levels: [0.0; 2],
        }
    }

    pub fn seen(&self) -> Seen {
        Seen {
            version: self.version,
            detected: self.detected,
            rows: self.window.rows().len(),
            size: self.window.size(),
            total: self.window.total(),
            model: Arc::clone(&self.model),
            episode: self.episodes.newest().cloned(),
            episodes: self.episodes.newest().map_or(0, |newest| newest.number),
            merged: self.window.replicas(),
            baseline: Arc::clone(&self.baseline),
            looked: self.looked.clone(),
        }
    }

    pub fn comparison(&mut self) -> Comparison {
        Comparison {
            version: self.version,
            mode: self.mode,
            rule: self.rule,
            threshold: self.threshold,
            classes: Arc::clone(&self.classes),
            training: Arc::clone(&self.baseline),
            window: self.window.clone(),
            evaluation: self.counts.evaluate(),
            seen: self.seen(),
            episodes: self.episodes.clone(),
            history: self.history.iter().cloned().collect(),
            replica: self.replica,
        }
    }
}

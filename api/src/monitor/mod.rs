//! Drift of the traffic, watched beside the requests.
//!
//! The request path leaves its rows in an inbox, under a lock that is held for a copy. A thread of its own
//! fetches them, keeps the statistics of the pooled window and looks at it when a look is due.
//! What others ask for all the time (flag, metrics) is published without a lock; what costs p-values
//! (`/drift/status`) is computed once for each state of the window.

mod core;
pub mod events;
pub mod exchange;
mod file;
pub mod peers;
pub mod report;
pub mod status;
mod thread;

use crate::{
    config::{DriftConfig, DriftMode},
    feedback::Feedback,
};
use arc_swap::ArcSwap;
use contract::Manifest;
use core::{Comparison, Core, Seen};
use drift::{
    Reference, Window,
    baseline::{Baseline, BaselineError},
    inbox::Inbox,
    npy::Matrix,
};
use peers::Peers;
use report::Report;
use status::Status;
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::Thread,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

pub use thread::{hand_over, watch};

/// Microseconds since 1970.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    now_us() / 1_000
}

/// Everything known about the traffic's drift.
#[derive(Debug)]
pub struct Monitor {
    features: usize,
    /// Rows between two looks.
    stride: usize,
    inbox: Mutex<Inbox>,
    core: Mutex<Core>,
    seen: ArcSwap<Seen>,
    /// The same for those who wait for changes.
    changes: watch::Sender<Arc<Seen>>,
    shown: Mutex<Option<(u64, Arc<Status>)>>,
    reported: Mutex<Option<(u64, Arc<Report>)>>,
    /// The documents' rule, asked by each request: where no other replica has a say.
    inline: Option<Mutex<Window>>,
    /// The thread that looks, and whether it waits to be woken.
    thread: OnceLock<Thread>,
    asleep: AtomicBool,
    peers: Peers,
    /// Labels travel with the rows.
    feedback: Option<Arc<Feedback>>,
}

/// What was answered to rows, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answered<'a> {
    /// Class index of each row; none for regression, or where nobody asked for it.
    pub labels: &'a [i64],
    /// Probabilities, or the one number; `width` for each row.
    pub scores: &'a [f32],
    /// Scores of one row.
    pub width: usize,
}

impl Answered<'_> {
    fn class(&self, row: usize) -> Option<u16> {
        self.labels.get(row).and_then(|label| u16::try_from(*label).ok())
    }

    /// The probability of the answered class, which is the largest, or the number; NaN where it is not known.
    fn score(&self, row: usize) -> f64 {
        let scores = self.scores.get(row * self.width..(row + 1) * self.width);
        let largest = |scores: &[f32]| scores.iter().copied().fold(f32::NAN, f32::max);
        f64::from(scores.map_or(f32::NAN, largest))
    }
}

/// A model's side of the comparison.
#[derive(Clone, Debug)]
pub struct Training {
    /// Digest of the model: whose rows these are.
    pub model: String,
    /// Class names in order of their numbers, where there are classes.
    pub classes: Vec<String>,
    /// The rows of the drift reference.
    pub baseline: Baseline,
    /// The same sorted, for the documents' rule, which knows no missing values.
    pub reference: Arc<Reference>,
}

impl Training {
    /// From the manifest and the matrix that it names.
    ///
    /// # Errors
    /// When names and columns do not pair up, or a value is infinite.
    pub fn new(manifest: &Manifest, matrix: &Matrix, reference: Reference) -> Result<Self, BaselineError> {
        let names = reference.names().to_vec();
        let counted = manifest.drift_reference.as_ref();
        let predictions = counted.map(|reference| reference.predictions.clone());
        let score = match manifest.classes.is_empty() {
            true => "the answer",
            false => "the probability of the answered class",
        };
        Ok(Training {
            model: manifest.model_digest.clone(),
            classes: manifest.classes.clone(),
            baseline: Baseline::new(names, matrix, predictions.unwrap_or_default())?
                .with_class_names(manifest.classes.clone())
                .with_scores(score, counted.map_or(&[][..], |reference| &reference.scores)),
            reference: Arc::new(reference),
        })
    }
}

impl Monitor {
    /// An empty window beside the training rows; or the one of the state file, if it is of this model.
    pub fn new(training: Training, config: &DriftConfig, feedback: Option<Arc<Feedback>>) -> Self {
        let features = training.baseline.features().len();
        // A restarted process is another replica: it counts its rows anew.
        let replica = RandomState::new().build_hasher().finish();
        let size = config.window_size;
        let inline = (config.mode == DriftMode::Compat && !config.exchange.is_on()).then(|| {
            let window = Window::new(Arc::clone(&training.reference), size, config.threshold);
            let window =
                window.expect("the configuration admits only sizes and thresholds that a window takes");
            Mutex::new(window)
        });
        let mut core = Core::new(training, config, replica);
        if let Some(path) = &config.state_file {
            file::restore(path, &mut core, feedback.as_deref());
        }
        Monitor {
            features,
            stride: config.rule().stride(size) as usize,
            inbox: Mutex::new(core.inbox(size, config.every as u32)),
            seen: ArcSwap::from_pointee(core.seen()),
            changes: watch::Sender::new(Arc::new(core.seen())),
            core: Mutex::new(core),
            shown: Mutex::new(None),
            reported: Mutex::new(None),
            inline,
            thread: OnceLock::new(),
            asleep: AtomicBool::new(false),
            peers: Peers::new(&config.exchange),
            feedback,
        }
    }

    /// Records rows (row after row, as wide as the reference) with what was answered to them, and says whether
    /// there is drift, as far as is known now. `narrow`: the values came as float32.
    pub fn record(&self, rows: &[f64], answered: Answered<'_>, narrow: bool) -> bool {
        let time = now_us();
        let mut inbox = lock(&self.inbox);
        for (place, row) in rows.chunks_exact(self.features).enumerate() {
            // The width is right by construction.
            let pushed = inbox.record(time, row, answered.class(place), answered.score(place), narrow);
            debug_assert!(pushed.is_ok(), "{pushed:?}");
        }
        let waiting = inbox.len();
        drop(inbox);
        let Some(window) = &self.inline else {
            if waiting >= self.stride && self.asleep.load(Relaxed) {
                self.wake();
            }
            return self.seen.load().detected;
        };
        let mut window = lock(window);
        for row in rows.chunks_exact(self.features) {
            // A row with a missing value is not the documents' case: it is left out there.
            let _ = window.push(row);
        }
        window.flag()
    }

    fn wake(&self) {
        if self.asleep.swap(false, Relaxed)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// What the last update saw.
    pub fn seen(&self) -> Arc<Seen> {
        self.seen.load_full()
    }

    /// Whether there is drift, as each answer to a prediction says.
    pub fn flag(&self) -> bool {
        match &self.inline {
            Some(window) => lock(window).flag(),
            None => self.seen.load().detected,
        }
    }

    /// Fetches what the request path has left, and looks if a look is due. Not for a thread that serves.
    pub fn catch_up(&self) -> Arc<Seen> {
        let mut core = lock(&self.core);
        core.fetch(&self.inbox);
        core.look(now_ms());
        self.publish(&core)
    }

    fn publish(&self, core: &Core) -> Arc<Seen> {
        if self.seen.load().version != core.version() {
            let seen = Arc::new(core.seen());
            self.seen.store(Arc::clone(&seen));
            self.changes.send_replace(seen);
        }
        self.seen.load_full()
    }

    /// The whole answer of `/drift/status`, up to date. May take a tenth of a second for each feature at 10,000 rows
    /// a side, once for each state of the window. Not for a thread that serves.
    pub fn status(&self) -> Arc<Status> {
        let status = self.once(&self.shown, |comparison| {
            Status::of(&comparison, &comparison.signals())
        });
        Arc::new(status.with(self.peers.report(now_ms())))
    }

    /// The whole answer of `/drift/report`; the same is to be said of it.
    pub fn report(&self) -> Arc<Report> {
        let report = self.once(&self.reported, |comparison| Report::of(&comparison));
        Arc::new(report.with(self.peers.report(now_ms())))
    }

    /// Made anew only where the window has changed since; others who ask meanwhile wait for the same.
    fn once<T>(&self, kept: &Mutex<Option<(u64, Arc<T>)>>, make: impl FnOnce(Comparison) -> T) -> Arc<T> {
        let seen = self.catch_up();
        let mut kept = lock(kept);
        if let Some((version, made)) = &*kept
            && *version == seen.version
        {
            return Arc::clone(made);
        }
        let comparison = lock(&self.core).comparison();
        let version = comparison.version;
        let made = Arc::new(make(comparison));
        *kept = Some((version, Arc::clone(&made)));
        made
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<Arc<Seen>> {
        self.changes.subscribe()
    }

    /// The other replicas.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }
}

/// A panic under a lock would be a defect of ours; serving on is better than refusing all.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! How much is asked, how fast, and for how long.

use crate::report::{Report, Tally};
use crate::target::{Target, model_version};
use crate::worker::{Plan, work};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// When a load ends by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// No request is started later than this after the start.
    Duration(Duration),
    /// This many requests.
    Requests(u64),
    /// When it is stopped.
    Stopped,
}

/// Finds in an answer's body what to count it by.
pub type Label = fn(&[u8]) -> Option<&[u8]>;

/// A load to come.
#[derive(Clone, Debug)]
pub struct Load {
    /// `None`: each connection sends as soon as it has its answer.
    rate_per_s: Option<f64>,
    connections: usize,
    limit: Limit,
    timeout: Duration,
    label: Option<Label>,
}

/// Why a load did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nobody would send anything.
    #[error("load has {0} connections, expected 1 to 10000")]
    Connections(usize),
    /// Zero, negative, not a number, or beyond what a schedule in nanoseconds can hold.
    #[error("load has a rate of {0} requests per second, expected 0.001 to 1000000")]
    Rate(f64),
    /// The system has no more threads.
    #[error("a thread for each connection")]
    Thread(#[source] std::io::Error),
}

impl Load {
    fn new(rate_per_s: Option<f64>, connections: usize, limit: Limit) -> Self {
        let timeout = Duration::from_secs(5);
        Self {
            rate_per_s,
            connections,
            limit,
            timeout,
            label: Some(model_version),
        }
    }

    /// As fast as the server answers: each of `connections` has one request under way.
    pub fn closed(connections: usize, limit: Limit) -> Self {
        Self::new(None, connections, limit)
    }

    /// Request k is due k/`rate_per_s` seconds after the start, whatever became of those before.
    /// While all connections wait, due requests queue up and are then sent at once.
    pub fn open(rate_per_s: f64, connections: usize) -> Self {
        Self::new(Some(rate_per_s), connections, Limit::Stopped)
    }

    /// Ends by itself.
    pub fn limit(self, limit: Limit) -> Self {
        Self { limit, ..self }
    }

    /// Bounds connecting, and each request; 5 s unless told.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// What of an answer's body to count by; [`model_version`] unless told, `None` for nothing.
    pub fn label(self, label: Option<Label>) -> Self {
        Self { label, ..self }
    }

    /// Starts it in the background.
    pub fn start(&self, target: &Target) -> Result<Running, StartError> {
        if !(1..=10_000).contains(&self.connections) {
            return Err(StartError::Connections(self.connections));
        }
        if let Some(rate) = self.rate_per_s.filter(|rate| !(0.001..=1e6).contains(rate)) {
            return Err(StartError::Rate(rate));
        }
        let plan = Arc::new(Plan {
            address: target.address,
            requests: target.requests(),
            rate_per_s: self.rate_per_s,
            limit: self.limit,
            timeout: self.timeout,
            label: self.label,
            start: Instant::now(),
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let mut running = Running {
            plan,
            workers: Vec::with_capacity(self.connections),
        };
        for _ in 0..self.connections {
            let tally = Arc::new(Mutex::new(Tally::default()));
            let (plan, shared) = (Arc::clone(&running.plan), Arc::clone(&tally));
            // An error here drops `running`, which tells the threads already started to stop.
            let thread = thread::Builder::new()
                .stack_size(256 * 1024)
                .spawn(move || work(&plan, &shared))
                .map_err(StartError::Thread)?;
            running.workers.push(Worker { tally, thread });
        }
        Ok(running)
    }
}

#[derive(Debug)]
struct Worker {
    tally: Arc<Mutex<Tally>>,
    thread: JoinHandle<()>,
}

pub(crate) fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    // Counts stay counts even if a thread panicked between two of them.
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A load under way. Dropping it stops the load and does not wait for it.
#[derive(Debug)]
pub struct Running {
    plan: Arc<Plan>,
    workers: Vec<Worker>,
}

impl Running {
    /// When it started: the zero of all times in the report.
    pub fn started(&self) -> Instant {
        self.plan.start
    }

    /// What it has done so far.
    pub fn report(&self) -> Report {
        Report::of(
            self.workers.iter().map(|worker| lock(&worker.tally).clone()),
            self.plan.start.elapsed(),
        )
    }

    /// Whether it came to its limit.
    pub fn is_finished(&self) -> bool {
        self.workers.iter().all(|worker| worker.thread.is_finished())
    }

    /// Lets requests under way come to their end (each has its timeout) and starts no other.
    pub fn stop(self) -> Report {
        self.plan.stop.store(true, Ordering::Relaxed);
        self.wait()
    }

    /// Waits for the limit. With [`Limit::Stopped`] there is none: use [`Running::stop`].
    pub fn wait(mut self) -> Report {
        let workers = std::mem::take(&mut self.workers);
        let tallies: Vec<Tally> = workers
            .into_iter()
            .map(|worker| {
                if let Err(panic) = worker.thread.join() {
                    std::panic::resume_unwind(panic);
                }
                std::mem::take(&mut *lock(&worker.tally))
            })
            .collect();
        Report::of(tallies, self.plan.start.elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.plan.stop.store(true, Ordering::Relaxed);
    }
}

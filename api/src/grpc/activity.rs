//! What goes on in one connection, for its deadlines.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::OwnedSemaphorePermit;

/// Calls of one connection. Its streams run on tasks of their own, so the numbers are atomic; each is
/// looked at alone.
#[derive(Debug)]
pub struct Activity {
    opened: Instant,
    calls: AtomicUsize,
    streams: AtomicUsize,
    any: AtomicBool,
    since_ms: AtomicU64,
}

/// What a connection is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No request came yet.
    Fresh,
    /// Between requests.
    Idle,
    /// Streams alone, which last as long as the client wants.
    Streams,
    /// Calls that are to be answered.
    Calls,
}

impl Default for Activity {
    fn default() -> Self {
        Activity {
            opened: Instant::now(),
            calls: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            any: AtomicBool::new(false),
            since_ms: AtomicU64::new(0),
        }
    }
}

impl Activity {
    /// What it is busy with.
    pub fn phase(&self) -> Phase {
        match (self.calls.load(Relaxed), self.streams.load(Relaxed)) {
            (0, 0) if !self.any.load(Relaxed) => Phase::Fresh,
            (0, 0) => Phase::Idle,
            (0, _) => Phase::Streams,
            _ => Phase::Calls,
        }
    }

    /// How long nothing has ended or begun from rest, to the millisecond.
    pub fn age(&self) -> Duration {
        let since = Duration::from_millis(self.since_ms.load(Relaxed));
        self.opened.elapsed().saturating_sub(since)
    }

    /// The age begins anew.
    pub fn touch(&self) {
        self.since_ms
            .store(self.opened.elapsed().as_millis() as u64, Relaxed);
    }

    /// A call begins; it ends when the answer is dropped. A stream brings its permit.
    pub fn begin(self: &Arc<Self>, stream: Option<OwnedSemaphorePermit>) -> Turn {
        self.any.store(true, Relaxed);
        let turn = Turn {
            activity: Arc::clone(self),
            stream,
        };
        if turn.counter().fetch_add(1, Relaxed) == 0 {
            self.touch();
        }
        turn
    }
}

/// A call that goes on.
#[derive(Debug)]
pub struct Turn {
    activity: Arc<Activity>,
    stream: Option<OwnedSemaphorePermit>,
}

impl Turn {
    fn counter(&self) -> &AtomicUsize {
        match self.stream {
            None => &self.activity.calls,
            Some(_) => &self.activity.streams,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.activity.touch();
        self.counter().fetch_sub(1, Relaxed);
    }
}

//! Where a connection is in its conversation, and since when.
//!
//! Shared by the three parts of one connection, which run on one task: the stream (first byte of a
//! request), the handler (head complete, answered) and the watchdog (deadlines). One timer for
//! each connection, looked at a few times a minute, instead of two for each request.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// A part of the conversation; each has a deadline of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Accepted, no byte read yet.
    Fresh,
    /// Between requests.
    Idle,
    /// Some of a request's head was read.
    Head,
    /// The head is complete, the answer is not.
    Request,
}

const PHASES: [Phase; 4] = [Phase::Fresh, Phase::Idle, Phase::Head, Phase::Request];

/// Which paths a socket answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surface {
    /// All.
    #[default]
    Whole,
    /// All but the metrics, which are answered elsewhere.
    WithoutMetrics,
    /// Probes and metrics.
    Admin,
    /// What replicas ask each other.
    Replicas,
}

/// One connection's conversation.
#[derive(Debug)]
pub struct Exchange {
    /// The client's address, or that of a proxy.
    pub peer: Option<IpAddr>,
    /// What it may see.
    pub surface: Surface,
    opened: Instant,
    phase: AtomicU8,
    since_ms: AtomicU64,
    expired: AtomicBool,
    /// An answer was handed to hyper and none of it was written yet.
    answered: AtomicBool,
    /// The answer said so: what else is read belongs to a body that nobody wants.
    closing: AtomicBool,
}

impl Default for Exchange {
    fn default() -> Self {
        Exchange::new(None, Surface::Whole)
    }
}

impl Exchange {
    /// A connection that was just accepted.
    pub fn new(peer: Option<IpAddr>, surface: Surface) -> Self {
        Exchange {
            peer,
            surface,
            opened: Instant::now(),
            phase: AtomicU8::new(Phase::Fresh as u8),
            since_ms: AtomicU64::new(0),
            expired: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        }
    }

    /// Bytes were read.
    pub fn bytes(&self) {
        if matches!(self.phase(), Phase::Fresh | Phase::Idle) && !self.closing.load(Relaxed) {
            self.enter(Phase::Head, Instant::now());
        }
    }

    /// A request's head is complete.
    pub fn begin(&self, now: Instant) {
        self.enter(Phase::Request, now);
    }

    /// Its answer is made.
    pub fn end(&self) {
        self.expired.store(false, Relaxed);
        self.answered.store(true, Relaxed);
        self.enter(Phase::Idle, Instant::now());
    }

    /// The connection ends with the answer that is made.
    pub fn close(&self) {
        self.closing.store(true, Relaxed);
    }

    /// Whether what is about to be written begins an answer of ours; asked once for each answer.
    pub fn writes_answer(&self) -> bool {
        self.answered.load(Relaxed) && self.answered.swap(false, Relaxed)
    }

    /// Tells the handler that its time is up.
    pub fn expire(&self) {
        self.expired.store(true, Relaxed);
    }

    /// Whether the request's time is up.
    pub fn is_expired(&self) -> bool {
        self.expired.load(Relaxed)
    }

    /// Where the conversation is.
    pub fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Relaxed))]
    }

    /// How long it has been there, to the millisecond.
    pub fn age(&self) -> Duration {
        self.opened
            .elapsed()
            .saturating_sub(Duration::from_millis(self.since_ms.load(Relaxed)))
    }

    fn enter(&self, phase: Phase, now: Instant) {
        let since = now.saturating_duration_since(self.opened);
        self.since_ms.store(since.as_millis() as u64, Relaxed);
        self.phase.store(phase as u8, Relaxed);
    }
}

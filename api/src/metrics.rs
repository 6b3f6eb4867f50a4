//! Counters of the request path: atomics only, so that measuring never waits.

use crate::{error::Code, protocol::Protocol};
use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of the latency buckets, in nanoseconds, with their text in seconds. One row takes
/// microseconds, a full batch milliseconds, a slow body up to the deadline.
pub const LATENCY_BUCKETS: [(u64, &str); 16] = [
    (25_000, "0.000025"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (1_000_000_000, "1"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
];

/// Counts since the process started.
#[derive(Debug, Default)]
pub struct Metrics {
    predictions: [Predictions; Protocol::ALL.len()],
    rows: AtomicU64,
    /// Requests to anything but predictions, probes and metrics.
    others: AtomicU64,
    /// Requests in flight; also what the concurrency limit counts.
    pub in_flight: AtomicUsize,
    /// Open connections; also what the connection limit counts.
    pub connections: AtomicUsize,
}

/// Counts of one protocol.
#[derive(Debug)]
struct Predictions {
    /// Answered prediction requests by latency; the last bucket is everything above.
    latency: [AtomicU64; LATENCY_BUCKETS.len() + 1],
    latency_sum_ns: AtomicU64,
    errors: [AtomicU64; Code::ALL.len()],
}

impl Default for Predictions {
    fn default() -> Self {
        Predictions {
            latency: Default::default(),
            latency_sum_ns: AtomicU64::new(0),
            errors: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Metrics {
    /// One prediction request answered, well or not, after `latency`.
    pub fn prediction(&self, protocol: Protocol, latency: Duration, error: Option<Code>) {
        let counts = &self.predictions[protocol as usize];
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BUCKETS.partition_point(|(bound, _)| *bound < nanoseconds);
        counts.latency[bucket].fetch_add(1, Relaxed);
        counts.latency_sum_ns.fetch_add(nanoseconds, Relaxed);
        if let Some(code) = error {
            counts.errors[code as usize].fetch_add(1, Relaxed);
        }
    }

    /// Rows predicted.
    pub fn rows(&self, count: usize) {
        self.rows.fetch_add(count as u64, Relaxed);
    }

    /// One request to another route.
    pub fn other(&self) {
        self.others.fetch_add(1, Relaxed);
    }

    /// Requests answered, probes and scrapes left out.
    pub fn requests_served(&self) -> u64 {
        self.requests() + self.others.load(Relaxed)
    }

    /// Prediction requests answered. Not a counter of its own: one atomic less for each request,
    /// and never at odds with the histogram.
    pub fn requests(&self) -> u64 {
        let buckets = self.predictions.iter().flat_map(|counts| &counts.latency);
        buckets.map(|bucket| bucket.load(Relaxed)).sum()
    }

    /// A copy to write out.
    pub fn snapshot(&self) -> Snapshot {
        let counts = |counts: &Predictions| PredictionsSnapshot {
            latency: counts.latency.each_ref().map(|bucket| bucket.load(Relaxed)),
            latency_sum_ns: counts.latency_sum_ns.load(Relaxed),
            errors: counts.errors.each_ref().map(|count| count.load(Relaxed)),
        };
        Snapshot {
            predictions: self.predictions.each_ref().map(counts),
            rows: self.rows.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            connections: self.connections.load(Relaxed),
        }
    }
}

/// [`Metrics`] at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// By `Protocol as usize`.
    pub predictions: [PredictionsSnapshot; Protocol::ALL.len()],
    /// Rows predicted.
    pub rows: u64,
    /// Requests in flight.
    pub in_flight: usize,
    /// Open connections.
    pub connections: usize,
}

/// Counts of one protocol at one moment.
#[derive(Clone, Debug)]
pub struct PredictionsSnapshot {
    /// See [`LATENCY_BUCKETS`]; not cumulative.
    pub latency: [u64; LATENCY_BUCKETS.len() + 1],
    /// Sum of all latencies.
    pub latency_sum_ns: u64,
    /// By `Code as usize`.
    pub errors: [u64; Code::ALL.len()],
}

impl PredictionsSnapshot {
    /// Requests answered.
    pub fn requests(&self) -> u64 {
        self.latency.iter().sum()
    }
}

//! What came of it.

use crate::connection::FailureKind;
use crate::histogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Failures kept with their story; all are counted.
pub const MAX_FAILURES: usize = 100;
/// Labels told apart; a server that makes up a new one each time must not fill the memory.
pub const MAX_LABELS: usize = 64;

/// One request that did not get a 200.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Seconds after the start.
    pub at_s: f64,
    /// What went wrong.
    pub kind: FailureKind,
    /// For a person.
    pub detail: String,
}

/// How often, first and last an answer carried a label.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Answers.
    pub count: u64,
    /// Seconds after the start.
    pub first_s: f64,
    /// Seconds after the start.
    pub last_s: f64,
}

/// Of answered requests: with a fixed rate from the moment the request was due, so that a stalled
/// server is not flattered by the requests that waited for it; else from sending it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the requests took no longer.
    pub p50_ms: f64,
    /// Nine of ten took no longer.
    pub p90_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// 999 of 1,000 took no longer.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// The mean.
    pub mean_ms: f64,
}

impl From<&Histogram> for Latency {
    fn from(histogram: &Histogram) -> Self {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        Self {
            p50_ms: ms(histogram.percentile(0.5)),
            p90_ms: ms(histogram.percentile(0.9)),
            p99_ms: ms(histogram.percentile(0.99)),
            p999_ms: ms(histogram.percentile(0.999)),
            max_ms: ms(histogram.max()),
            mean_ms: ms(histogram.mean()),
        }
    }
}

/// All of a load, or of what it has done so far. `sent = ok + failed`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Requests attempted (a connection that could not be made counts).
    pub sent: u64,
    /// Answered with 200.
    pub ok: u64,
    /// All others.
    pub failed: u64,
    /// How many of each kind.
    pub failed_by_kind: BTreeMap<FailureKind, u64>,
    /// The first 100 of them.
    pub failures: Vec<Failure>,
    /// Seconds from the start to the last answer (or to now).
    pub elapsed_s: f64,
    /// Answers with 200 for each of those seconds.
    pub ok_per_s: f64,
    /// See [`Latency`].
    pub latency: Latency,
    /// By label, the `model_version` unless another label was asked for.
    pub versions: BTreeMap<String, Seen>,
}

/// What one thread has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub ok: u64,
    pub failed: BTreeMap<FailureKind, u64>,
    pub failures: Vec<Failure>,
    pub latency: Histogram,
    pub versions: Vec<(Vec<u8>, Seen)>,
}

impl Tally {
    pub fn fail(&mut self, at: Duration, kind: FailureKind, detail: String) {
        *self.failed.entry(kind).or_default() += 1;
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(Failure {
                at_s: at.as_secs_f64(),
                kind,
                detail,
            });
        }
    }

    pub fn succeed(&mut self, at: Duration, latency: Duration, label: Option<&[u8]>) {
        self.ok += 1;
        self.latency.record(latency);
        let Some(label) = label else { return };
        let at_s = at.as_secs_f64();
        if let Some((_, seen)) = self.versions.iter_mut().find(|(name, _)| name == label) {
            seen.count += 1;
            seen.last_s = at_s;
        } else if self.versions.len() < MAX_LABELS {
            self.versions.push((
                label.to_vec(),
                Seen {
                    count: 1,
                    first_s: at_s,
                    last_s: at_s,
                },
            ));
        }
    }
}

impl Report {
    pub(crate) fn of(tallies: impl IntoIterator<Item = Tally>, elapsed: Duration) -> Self {
        let mut report = Self {
            elapsed_s: elapsed.as_secs_f64(),
            ..Self::default()
        };
        let mut latency = Histogram::default();
        for tally in tallies {
            report.ok += tally.ok;
            report.failures.extend(tally.failures);
            latency.merge(&tally.latency);
            for (kind, count) in tally.failed {
                report.failed += count;
                *report.failed_by_kind.entry(kind).or_default() += count;
            }
            for (label, seen) in tally.versions {
                let all = report
                    .versions
                    .entry(String::from_utf8_lossy(&label).into_owned());
                all.and_modify(|all| {
                    all.count += seen.count;
                    all.first_s = all.first_s.min(seen.first_s);
                    all.last_s = all.last_s.max(seen.last_s);
                })
                .or_insert(seen);
            }
        }
        report.failures.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        report.failures.truncate(MAX_FAILURES);
        report.sent = report.ok + report.failed;
        report.ok_per_s = report.ok as f64 / report.elapsed_s.max(1e-9);
        report.latency = Latency::from(&latency);
        report
    }
}

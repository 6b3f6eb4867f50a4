//! When to look, and since when there is an alarm.

use crate::rule::{Rule, Verdict};
use serde::{Deserialize, Serialize};

/// An alarm that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Rows recorded, over all replicas, when it was raised.
    pub since: u64,
    /// Looks in a row that found nothing since.
    pub quiet_looks: u32,
}

/// Looks at a window after every so many rows, and keeps an alarm open until a whole window's worth
/// of looks in a row was quiet: one drift is one alarm.
///
/// Looking is what costs error; whoever asks for the state between two looks gets the last look's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    stride: u64,
    per_window: u32,
    looked_at: Option<u64>,
    alarm: Option<Alarm>,
}

impl Looks {
    /// For a window of `size` rows.
    pub fn new(rule: &Rule, size: usize) -> Self {
        Self {
            stride: rule.stride(size),
            per_window: rule.looks,
            looked_at: None,
            alarm: None,
        }
    }

    /// Whether it is time to look, given how many rows there have been (`PooledWindow::total`).
    ///
    /// Looks stand at multiples of the stride, so that replicas that have heard the same rows look
    /// at the same places.
    pub fn due(&self, total: u64) -> bool {
        total / self.stride > self.looked_at.unwrap_or(0) / self.stride
    }

    /// Tells what the look found; true if it raised a new alarm.
    pub fn looked(&mut self, total: u64, verdict: Verdict) -> bool {
        self.looked_at = Some(total);
        match (&mut self.alarm, verdict) {
            (Some(alarm), Verdict::Drift) => alarm.quiet_looks = 0,
            (None, Verdict::Drift) => {
                self.alarm = Some(Alarm {
                    since: total,
                    quiet_looks: 0,
                });
                return true;
            }
            (Some(alarm), _) => {
                alarm.quiet_looks += 1;
                if alarm.quiet_looks >= self.per_window {
                    self.alarm = None;
                }
            }
            (None, _) => {}
        }
        false
    }

    /// Raises or lowers the alarm because other replicas have: `Some` is the number of rows since when.
    pub fn follow(&mut self, open_since: Option<u64>) {
        self.alarm = match (self.alarm, open_since) {
            (Some(alarm), Some(_)) => Some(alarm),
            (None, Some(since)) => Some(Alarm {
                since,
                quiet_looks: 0,
            }),
            (_, None) => None,
        };
    }

    /// The open alarm.
    pub fn alarm(&self) -> Option<Alarm> {
        self.alarm
    }

    /// Rows at the last look.
    pub fn looked_at(&self) -> Option<u64> {
        self.looked_at
    }
}

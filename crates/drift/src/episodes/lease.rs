//! Who may start a run, where a start cannot be repeated without harm.

use super::Ledger;
use serde::{Deserialize, Serialize};

/// The right to start one run, for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Name of the run.
    pub run: String,
    /// Since when, in milliseconds since 1970.
    pub at_ms: u64,
}

impl Ledger {
    /// Takes the right to start this run, unless somebody took it less than `for_ms` ago. What lies in the future
    /// was written by a clock that has been put back, and counts for nothing.
    pub fn take_lease(&mut self, run: &str, now_ms: u64, for_ms: u64) -> bool {
        let is_held = self
            .lease
            .as_ref()
            .is_some_and(|lease| lease.run == run && lease.at_ms <= now_ms && now_ms - lease.at_ms < for_ms);
        if !is_held {
            self.lease = Some(Lease {
                run: run.to_owned(),
                at_ms: now_ms,
            });
        }
        !is_held
    }
}

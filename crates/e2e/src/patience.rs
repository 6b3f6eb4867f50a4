//! How long scenarios wait before they call a promise broken.

use std::time::Duration;

/// Longest waits.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub rollout: Duration,
    pub run: Duration,
    pub notice: Duration,
}

impl Patience {
    const fn seconds(rollout: u64, run: u64, notice: u64) -> Self {
        Patience {
            rollout: Duration::from_secs(rollout),
            run: Duration::from_secs(run),
            notice: Duration::from_secs(notice),
        }
    }
    /// Processes of this machine.
    pub const LOCAL: Patience = Patience::seconds(40, 90, 20);
    /// Pods are scheduled, images pulled, failed Jobs tried again after 10 and 20 s.
    pub const CLUSTER: Patience = Patience::seconds(90, 240, 90);
}

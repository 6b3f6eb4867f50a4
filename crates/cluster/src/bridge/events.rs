//! The cluster as it looks to whoever follows the API's drift events. Only where a bridge runs (a person's
//! machine, CI); elsewhere the CronJob of the drift monitor is all there is, and enough.

use super::{core::Core, runs};
use contract::names::DRIFT_MONITOR;
use drift_events::Checks;
use engine::Status;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct Asker(pub Arc<Core>);

impl Checks for Asker {
    async fn status(&self) -> Result<Status, String> {
        self.0.status().await.map_err(|error| error.message)
    }

    async fn start(&self) -> Result<(), String> {
        let started = runs::start(&self.0.reader, DRIFT_MONITOR, None, &[], &[]).await;
        started.map(drop).map_err(|error| error.message)
    }

    fn is_over(&self) -> bool {
        // It ends with the program.
        false
    }
}

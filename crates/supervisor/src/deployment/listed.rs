//! The list of a Deployment's replicas: what a headless Service's name is in a cluster.

use super::Deployment;
use crate::{context::Context, state::write_whole};
use std::path::PathBuf;

impl Deployment {
    /// Writes the private addresses of all processes, one a line, where they have changed. Those that stop are among
    /// them until they have ended: they may have something to hand over.
    pub(super) fn list_replicas(&mut self, context: &Context) {
        let plan = self.live.as_ref().or(self.candidate.as_ref().map(|on| &on.plan));
        let Some(plan) = plan.filter(|plan| plan.stand_in.is_none()) else {
            return;
        };
        let mut addresses: Vec<String> = self
            .replicas
            .values()
            .filter(|replica| replica.has_process())
            .filter_map(|replica| replica.probe_at)
            .map(|address| address.to_string())
            .collect();
        addresses.sort_unstable();
        let text: String = addresses.into_iter().map(|line| line + "\n").collect();
        if self.listed.as_ref() == Some(&text) {
            return;
        }
        let path: PathBuf = [
            context.home.as_path(),
            "engine/replicas".as_ref(),
            plan.pod.namespace.as_ref(),
            self.name.as_ref(),
        ]
        .into_iter()
        .collect();
        match write_whole(&path, text.as_bytes()) {
            Ok(()) => self.listed = Some(text),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the list of replicas cannot be written")
            }
        }
    }
}

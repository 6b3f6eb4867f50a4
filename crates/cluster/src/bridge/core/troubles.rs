//! What is wrong with pods: since when, and what they said last.

use super::{Core, LOG_LINES, PATIENCE};
use crate::{argo::Application, live::Moment, snapshot::log_tail, trouble::Trouble, workload::Workload};

impl Core {
    /// A trouble that could pass and does not is one that lasts.
    pub(super) fn lose_patience(&self, at: Moment, workloads: &mut [Workload]) {
        let mut memory = self.memory();
        for trouble in workloads
            .iter_mut()
            .filter_map(|workload| workload.trouble.as_mut())
        {
            let since = *memory.troubles.entry(trouble.pod.clone()).or_insert(at);
            trouble.lasting |= at.saturating_sub(since) >= PATIENCE;
        }
        if memory.troubles.len() > 1000 {
            memory.troubles.clear();
        }
    }

    pub(super) async fn log_of(&self, app: &Application, trouble: &Trouble) -> Vec<String> {
        let key = (trouble.pod.clone(), trouble.restarts);
        if let Some(known) = self.memory().logs.get(&key) {
            return known.clone();
        }
        let (client, pod) = (&self.reader.client, &trouble.pod);
        let read = log_tail(client, &app.namespace, pod, &trouble.container, LOG_LINES).await;
        let Ok(lines) = read else {
            return Vec::new();
        };
        let mut memory = self.memory();
        if memory.logs.len() > 100 {
            memory.logs.clear();
        }
        memory.logs.insert(key, lines.clone());
        lines
    }
}

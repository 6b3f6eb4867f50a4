//! Memory of pods, from the metrics API where a cluster has it. It is some seconds old by its
//! nature, so it is read now and then and not with each status.

use crate::{connect::within_for, quantity, snapshot::Reader};
use engine::Status;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Metrics are gathered every quarter of a minute.
const AGE_MAX: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(2);

/// Working sets in bytes by pod, as last read.
#[derive(Debug, Default)]
pub struct Usage {
    known: Mutex<(Option<Instant>, BTreeMap<String, u64>)>,
}

#[derive(Deserialize)]
struct List {
    items: Vec<PodMetrics>,
}

#[derive(Deserialize)]
struct PodMetrics {
    metadata: Metadata,
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
struct Container {
    usage: BTreeMap<String, String>,
}

impl Usage {
    /// Reads what these namespaces use, where the last reading is old. A cluster without metrics has
    /// no memory to tell.
    pub async fn read(&self, reader: &Reader, namespaces: &BTreeSet<String>) {
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.0.is_some_and(|at| at.elapsed() < AGE_MAX) {
                return;
            }
            known.0 = Some(Instant::now());
        }
        let mut found = BTreeMap::new();
        for namespace in namespaces {
            let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods");
            let Ok(request) = http::Request::get(path).body(Vec::new()) else {
                continue;
            };
            let list = within_for(DEADLINE, "read metrics", reader.client.request::<List>(request)).await;
            for pod in list.map_or_else(|_| Vec::new(), |list| list.items) {
                found.insert(pod.metadata.name, bytes(&pod.containers));
            }
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).1 = found;
    }

    /// Tells it with each replica.
    pub fn tell(&self, status: &mut Status) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for replica in status.apps.iter_mut().flat_map(|app| &mut app.replicas) {
            replica.resident_bytes = known.1.get(&replica.name).copied();
        }
    }
}

fn bytes(containers: &[Container]) -> u64 {
    let of = |container: &Container| quantity::value(container.usage.get("memory")?);
    containers.iter().filter_map(of).sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_added_up() {
        let text = r#"{"items": [{"metadata": {"name": "p"}, "timestamp": "x", "window": "10s", "containers": [
            {"name": "a", "usage": {"cpu": "1m", "memory": "10Mi"}}, {"name": "b", "usage": {"memory": "512Ki"}},
            {"name": "c", "usage": {}}]}]}"#;
        let list: List = serde_json::from_str(text).unwrap();
        assert_eq!(bytes(&list.items[0].containers), 10 * 1024 * 1024 + 512 * 1024);
    }
}

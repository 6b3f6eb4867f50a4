//! Where a Service answers on this machine: at the node, where that can be reached, else through a
//! forward.

use super::{
    forward::{self, Target},
    traffic::{PAUSE, TABLES},
};
use crate::{argo::Application, live::Moment, snapshot::Snapshot};
use k8s_openapi::api::core::v1::{Node, Service};
use kube::{Api, Client, api::ListParams};
use std::{collections::BTreeMap, io::ErrorKind, time::Duration};
use tokio::{net::TcpStream, sync::Mutex};

const PROBE: Duration = Duration::from_millis(500);
/// A node that refuses a port whose pods are ready will go on refusing it.
const REFUSALS_MAX: u32 = 6;
/// Local ports of Services that have none of their own; the offset is added.
const FORWARDED: &[(&str, u16)] = &[
    ("git-server", 30300),
    ("registry", 30501),
    ("mlflow", 30500),
    ("inference-api", 30080),
    ("ml-pipeline-ui", 30600),
];
/// The Service that people open, of Applications that have none of their own name.
const PAGES: &[(&str, &str)] = &[("kubeflow-pipelines", "ml-pipeline-ui")];

/// See the module.
pub struct Addresses {
    client: Client,
    port_offset: u16,
    known: Mutex<Known>,
}

impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Addresses(+{})", self.port_offset)
    }
}

#[derive(Default)]
struct Known {
    node: Option<String>,
    addresses: BTreeMap<Target, String>,
    tries: BTreeMap<Target, Tries>,
}

/// Probes of a node's port.
#[derive(Default)]
struct Tries {
    refused: u32,
    /// Not before.
    next: Moment,
}

/// What a node said about one of its ports.
enum Port {
    Open,
    Refused,
    Silent,
}

impl Addresses {
    /// Knows nothing yet.
    pub fn new(client: Client, port_offset: u16) -> Self {
        Addresses {
            client,
            port_offset,
            known: Mutex::default(),
        }
    }

    /// Base address of an Application's Service, where it has one.
    pub async fn of(&self, app: &Application, snapshot: &Snapshot) -> Option<String> {
        let mut services = app.of_kind("Service").filter_map(|resource| {
            let all = &snapshot.namespaces.get(&resource.namespace)?.services;
            all.iter()
                .find(|service| service.metadata.name.as_ref() == Some(&resource.name))
        });
        // Of several, its page or the one with the Application's name; else the first.
        let first = services.next()?;
        let wanted = page(&app.name);
        let named = |service: &&Service| service.metadata.name.as_deref() == Some(wanted);
        let service = std::iter::once(first)
            .chain(services)
            .find(named)
            .unwrap_or(first);
        let target = Target {
            namespace: service.metadata.namespace.clone().unwrap_or_default(),
            service: service.metadata.name.clone().unwrap_or_default(),
        };
        let mut known = self.known.lock().await;
        if let Some(address) = known.addresses.get(&target) {
            return Some(address.clone());
        }
        let port = service.spec.as_ref()?.ports.as_ref()?.first()?;
        let node_port = port.node_port.and_then(|port| u16::try_from(port).ok());
        if let Some(port) = node_port
            && let Some(node) = self.node(&mut known).await
        {
            let address = format!("http://{node}:{port}");
            let serves = snapshot
                .workloads(app)
                .0
                .iter()
                .any(|workload| workload.unsettled.is_none() && workload.wanted > 0);
            let tries = known.tries.entry(target.clone()).or_default();
            if !serves {
                // No pod is behind it, and asking would do harm (see `TABLES`).
                tries.next = snapshot.at + TABLES;
                return Some(address);
            }
            if snapshot.at < tries.next {
                return Some(address);
            }
            tries.next = snapshot.at + PAUSE;
            match probe(&node, port).await {
                Port::Open => {
                    known.addresses.insert(target, address.clone());
                    return Some(address);
                }
                // The node's rules may not be there yet: asked again.
                Port::Refused => {
                    tries.refused += 1;
                    if tries.refused < REFUSALS_MAX {
                        return Some(address);
                    }
                }
                Port::Silent => {}
            }
        }
        let port = node_port
            .or_else(|| forwarded(&target.service))
            .unwrap_or_default();
        self.forward_as(&mut known, target, port).await
    }

    /// A forward to a Service, under the port that is its own where that is free.
    pub async fn forward(&self, namespace: &str, service: &str) -> Option<String> {
        let target = Target {
            namespace: namespace.to_owned(),
            service: service.to_owned(),
        };
        let mut known = self.known.lock().await;
        if let Some(address) = known.addresses.get(&target) {
            return Some(address.clone());
        }
        let port = forwarded(service).unwrap_or_default();
        self.forward_as(&mut known, target, port).await
    }

    async fn forward_as(&self, known: &mut Known, target: Target, port: u16) -> Option<String> {
        let port = match port {
            0 => 0,
            port => port.checked_add(self.port_offset).unwrap_or(0),
        };
        let made = forward::listen(self.client.clone(), target.clone(), port).await;
        match made {
            Ok(address) => {
                let address = format!("http://{address}");
                known.addresses.insert(target, address.clone());
                Some(address)
            }
            Err(error) => {
                tracing::warn!(%error, service = target.service, "no forward");
                None
            }
        }
    }

    async fn node(&self, known: &mut Known) -> Option<String> {
        if known.node.is_none() {
            let nodes: Api<Node> = Api::all(self.client.clone());
            let found = crate::connect::list(&nodes, "Nodes", &ListParams::default())
                .await
                .ok()?;
            known.node = found.items.iter().find_map(internal_ip);
        }
        known.node.clone()
    }
}

/// The Service whose address is an Application's.
fn page(app: &str) -> &str {
    let page = PAGES.iter().find(|(name, _)| *name == app);
    page.map_or(app, |(_, service)| service)
}

fn forwarded(service: &str) -> Option<u16> {
    FORWARDED
        .iter()
        .find(|(name, _)| *name == service)
        .map(|(_, port)| *port)
}

/// A node's address inside the cluster's network.
pub fn internal_ip(node: &Node) -> Option<String> {
    let addresses = node.status.as_ref()?.addresses.as_ref()?;
    let found = addresses.iter().find(|address| address.type_ == "InternalIP")?;
    Some(found.address.clone())
}

async fn probe(node: &str, port: u16) -> Port {
    match tokio::time::timeout(PROBE, TcpStream::connect((node, port))).await {
        Ok(Ok(_)) => Port::Open,
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Port::Refused,
        _ => Port::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages keep their port where the node cannot be reached: what `up` says of them stays true.
    #[test]
    fn what_people_open_has_a_port_of_its_own() {
        for (app, port) in [
            ("inference-api", 30080),
            ("mlflow", 30500),
            ("kubeflow-pipelines", 30600),
        ] {
            assert_eq!(forwarded(page(app)), Some(port), "{app}");
        }
        assert_eq!(forwarded(page("training")), None);
    }
}

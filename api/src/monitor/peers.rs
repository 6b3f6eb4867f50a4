//! The other replicas: where they are, and what is known of them.

use super::lock;
use crate::{config::ExchangeConfig, guard::small_file};
use serde::Serialize;
use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex};
use tokio::net::lookup_host;
use utoipa::ToSchema;

/// Most replicas that are asked.
pub const MOST: usize = 64;

/// What is known of one.
#[derive(Clone, Debug, Default)]
struct Peer {
    merged_ms: Option<u64>,
    other_model: bool,
    own: bool,
    error: Option<String>,
}

/// Who has a part in the window.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Replicas {
    /// This one, until it stops.
    pub id: String,
    /// Replicas with rows in the window.
    pub merged: usize,
    /// Whether there are others to exchange rows with.
    pub exchange: bool,
    /// None of the others can be reached: this answer is of this replica's rows and what it heard before.
    pub alone: bool,
    /// Age of the oldest exchange with those that are there, in milliseconds.
    pub exchanged_ms_ago: Option<u64>,
    /// Others that cannot be reached, and why.
    pub unreachable: Vec<Unreachable>,
}

/// One that cannot be reached.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Unreachable {
    /// Its address, or the name that is not found.
    pub address: String,
    /// Why.
    pub error: String,
    /// Age of the last exchange with it, in milliseconds.
    pub exchanged_ms_ago: Option<u64>,
}

impl Replicas {
    pub(super) fn of_window(replica: u64, merged: usize) -> Self {
        Replicas {
            id: format!("{replica:016x}"),
            merged,
            exchange: false,
            alone: false,
            exchanged_ms_ago: None,
            unreachable: Vec::new(),
        }
    }
}

/// The other replicas.
#[derive(Debug)]
pub struct Peers {
    config: ExchangeConfig,
    known: Mutex<BTreeMap<String, Peer>>,
}

impl Peers {
    pub(super) fn new(config: &ExchangeConfig) -> Self {
        Peers {
            config: config.clone(),
            known: Mutex::default(),
        }
    }

    /// Addresses as they are now: of the list and of the file, names looked up. What is gone is forgotten.
    pub async fn addresses(&self) -> Vec<SocketAddr> {
        let mut names: Vec<String> = self.config.peers.iter().flat_map(|list| split(list)).collect();
        let mut failed = BTreeMap::new();
        if let Some(path) = &self.config.peers_file {
            match small_file(path) {
                Ok(bytes) => names.extend(split(&String::from_utf8_lossy(&bytes))),
                Err(error) => {
                    failed.insert(path.display().to_string(), error.to_string());
                }
            }
        }
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for name in names.iter().take(MOST) {
            match tokio::time::timeout(self.config.period, lookup_host(name)).await {
                Ok(Ok(found)) => addresses.extend(found),
                // A headless Service without ready pods has no name: that is nobody, not a fault.
                Ok(Err(error)) => drop(failed.insert(name.clone(), error.to_string())),
                Err(_) => drop(failed.insert(name.clone(), "the name was not found in time".to_owned())),
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(MOST);
        let mut known = lock(&self.known);
        let present: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        known.retain(|name, _| present.contains(name) || failed.contains_key(name));
        for (name, error) in failed {
            known.entry(name).or_default().error = Some(error);
        }
        addresses
    }

    /// Notes how an exchange ended.
    pub(super) fn note(
        &self,
        address: SocketAddr,
        now_ms: u64,
        result: Result<super::exchange::Taken, String>,
    ) {
        use super::exchange::Taken;
        let mut known = lock(&self.known);
        let peer = known.entry(address.to_string()).or_default();
        match result {
            Ok(taken) => {
                peer.error = None;
                peer.own = taken == Taken::Own;
                peer.other_model = taken == Taken::OtherModel;
                if taken == Taken::Merged {
                    peer.merged_ms = Some(now_ms);
                }
            }
            Err(error) => peer.error = Some(error),
        }
    }

    /// For the status; its own id and count come from the window.
    pub(crate) fn report(&self, now_ms: u64) -> Replicas {
        let known = lock(&self.known);
        let others = || known.iter().filter(|(_, peer)| !peer.own && !peer.other_model);
        let ago = |peer: &Peer| peer.merged_ms.map(|at| now_ms.saturating_sub(at));
        let mut replicas = Replicas {
            exchange: self.config.is_on(),
            ..Replicas::of_window(0, 0)
        };
        for (address, peer) in others() {
            match &peer.error {
                None => replicas.exchanged_ms_ago = replicas.exchanged_ms_ago.max(ago(peer)),
                Some(error) => replicas.unreachable.push(Unreachable {
                    address: address.clone(),
                    error: error.clone(),
                    exchanged_ms_ago: ago(peer),
                }),
            }
        }
        let reached = others().filter(|(_, peer)| peer.error.is_none()).count();
        replicas.alone = reached == 0 && !replicas.unreachable.is_empty();
        replicas
    }
}

fn split(list: &str) -> impl Iterator<Item = String> {
    let parts = list.split([',', '\n']).map(str::trim);
    parts
        .filter(|part| !part.is_empty() && !part.starts_with('#'))
        .map(str::to_owned)
}

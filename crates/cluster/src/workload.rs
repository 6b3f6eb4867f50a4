//! Pure: what a Deployment or StatefulSet and its pods say, from one reading.

use crate::trouble::{self, Trouble};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, StatefulSet},
        core::v1::{Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use sha2::{Digest, Sha256};

/// On a Deployment that was stopped for a test: how many replicas it had.
pub const STOPPED: &str = "driftless.dev/stopped-from-replicas";
const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

/// One Deployment or StatefulSet, judged.
#[derive(Clone, Debug)]
pub struct Workload {
    /// `Deployment` or `StatefulSet`.
    pub kind: &'static str,
    /// Where.
    pub namespace: String,
    /// Which.
    pub name: String,
    /// Replicas that its manifest wants.
    pub wanted: u32,
    /// Hash of its pod template: another one is another release.
    pub fingerprint: String,
    /// Images of its containers, by container.
    pub images: Vec<(String, String)>,
    /// Why the rollout is not at its end; `None` when it is.
    pub unsettled: Option<String>,
    /// Why the newest release of it does not come up.
    pub trouble: Option<Trouble>,
    /// Stopped for a test.
    pub stopped: bool,
    /// Its pods that are not on their way out.
    pub pods: Vec<Replica>,
}

/// One pod of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Replica {
    /// Its name.
    pub name: String,
    /// Passed its readiness probe.
    pub ready: bool,
    /// Of its first container.
    pub restarts: u32,
    /// With digest, where known.
    pub image: String,
}

/// Judges a Deployment. `sets` may be empty where the rollout is at its end; `sets` and `pods` are
/// those of its namespace.
pub fn of_deployment(deployment: &Deployment, sets: &[ReplicaSet], pods: &[Pod]) -> Workload {
    let (meta, spec) = (&deployment.metadata, deployment.spec.clone().unwrap_or_default());
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = count(spec.replicas.or(Some(1)));
    let name = meta.name.clone().unwrap_or_default();
    let seen = status.observed_generation >= meta.generation;
    let mine: Vec<&Pod> = pods
        .iter()
        .filter(|pod| {
            let hash = label(&pod.metadata, HASH);
            owner(&pod.metadata, "ReplicaSet").is_some_and(|set| {
                hash.is_some_and(|hash| set.strip_suffix(hash) == Some(&format!("{name}-")))
            })
        })
        .collect();
    let newest: Vec<&Pod> = match newest_hash(meta, sets) {
        Some(newest) if seen => mine
            .iter()
            .copied()
            .filter(|pod| label(&pod.metadata, HASH) == Some(newest))
            .collect(),
        _ => Vec::new(),
    };
    let unsettled = if !seen {
        Some("the change is not taken up yet".to_owned())
    } else {
        unsettled(
            wanted,
            count(status.updated_replicas),
            count(status.replicas),
            count(status.ready_replicas).min(count(status.available_replicas)),
        )
    };
    let late = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "Progressing" && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
    });
    let trouble = trouble::of(&newest).or_else(|| {
        let late = late.filter(|_| seen && unsettled.is_some())?;
        Some(Trouble::late(&name, late.message.as_deref().unwrap_or_default()))
    });
    Workload {
        kind: "Deployment",
        namespace: meta.namespace.clone().unwrap_or_default(),
        wanted,
        fingerprint: fingerprint(&spec.template),
        images: images(&spec.template),
        unsettled,
        trouble,
        stopped: meta
            .annotations
            .as_ref()
            .is_some_and(|all| all.contains_key(STOPPED)),
        pods: replicas(&mine),
        name,
    }
}

/// Judges a StatefulSet.
pub fn of_stateful_set(set: &StatefulSet, pods: &[Pod]) -> Workload {
    let (meta, spec) = (&set.metadata, set.spec.clone().unwrap_or_default());
    let status = set.status.clone().unwrap_or_default();
    let wanted = count(spec.replicas.or(Some(1)));
    let name = meta.name.clone().unwrap_or_default();
    let mine: Vec<&Pod> = pods
        .iter()
        .filter(|pod| owner(&pod.metadata, "StatefulSet") == Some(&name))
        .collect();
    let seen = status.observed_generation >= meta.generation;
    // Where one revision is left, Kubernetes counts its replicas as current, not as updated.
    let updated = match status.update_revision == status.current_revision {
        true => status.current_replicas,
        false => status.updated_replicas,
    };
    let unsettled = match seen {
        false => Some("the change is not taken up yet".to_owned()),
        true => unsettled(
            wanted,
            count(updated),
            u32::try_from(status.replicas).unwrap_or_default(),
            count(status.ready_replicas),
        ),
    };
    Workload {
        kind: "StatefulSet",
        namespace: meta.namespace.clone().unwrap_or_default(),
        wanted,
        fingerprint: fingerprint(&spec.template),
        images: images(&spec.template),
        trouble: trouble::of(&mine).filter(|_| unsettled.is_some()),
        unsettled,
        stopped: meta
            .annotations
            .as_ref()
            .is_some_and(|all| all.contains_key(STOPPED)),
        pods: replicas(&mine),
        name,
    }
}

/// Old pods that still count would answer clients beside the new ones: they must be on their way out.
fn unsettled(wanted: u32, updated: u32, all: u32, ready: u32) -> Option<String> {
    if updated < wanted {
        Some(format!("{updated} of {wanted} replicas are of the new release"))
    } else if all > updated {
        Some(format!("{} replicas of the old release serve", all - updated))
    } else if ready < wanted || updated > wanted {
        Some(format!("{ready} of {wanted} replicas ready"))
    } else {
        None
    }
}

fn count(number: Option<i32>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// The ReplicaSet with the Deployment's own revision is the newest one; with another revision the
/// controller has not got that far.
fn newest_hash<'a>(meta: &ObjectMeta, sets: &'a [ReplicaSet]) -> Option<&'a str> {
    let revision = |meta: &ObjectMeta| meta.annotations.as_ref()?.get(REVISION)?.parse::<u64>().ok();
    let mine = sets.iter().filter(|set| {
        let owners = set.metadata.owner_references.iter().flatten();
        owners
            .into_iter()
            .any(|owner| Some(&owner.uid) == meta.uid.as_ref())
    });
    let newest = mine.max_by_key(|set| revision(&set.metadata))?;
    (revision(&newest.metadata) >= revision(meta))
        .then(|| label(&newest.metadata, HASH))
        .flatten()
}

fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    Some(meta.labels.as_ref()?.get(key)?.as_str())
}

fn owner<'a>(meta: &'a ObjectMeta, kind: &str) -> Option<&'a str> {
    let mut owners = meta.owner_references.iter().flatten();
    Some(owners.find(|owner| owner.kind == kind)?.name.as_str())
}

/// A hash of the template as the API server keeps it.
pub fn fingerprint(template: &impl serde::Serialize) -> String {
    // Serde's own maps are sorted here (BTreeMap), so the same template has the same text.
    let text = serde_json::to_vec(template).unwrap_or_default();
    Sha256::digest(text)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn images(template: &PodTemplateSpec) -> Vec<(String, String)> {
    let containers = template.spec.iter().flat_map(|pod| &pod.containers);
    containers
        .map(|container| {
            (
                container.name.clone(),
                container.image.clone().unwrap_or_default(),
            )
        })
        .collect()
}

fn replicas(pods: &[&Pod]) -> Vec<Replica> {
    let ended = |pod: &Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        pod.metadata.deletion_timestamp.is_some() || matches!(phase, Some("Succeeded" | "Failed"))
    };
    let mut found: Vec<Replica> = pods
        .iter()
        .filter(|pod| !ended(pod))
        .map(|pod| replica(pod))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn replica(pod: &Pod) -> Replica {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let first = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    let of_first = status
        .and_then(|status| status.container_statuses.as_ref())
        .and_then(|all| {
            all.iter()
                .find(|one| Some(&one.name) == first.map(|first| &first.name))
        });
    let asked = first.and_then(|first| first.image.clone()).unwrap_or_default();
    let pulled = of_first
        .map(|status| status.image_id.as_str())
        .unwrap_or_default();
    let digest = pulled.rsplit_once('@').map(|(_, digest)| digest);
    Replica {
        name: pod.metadata.name.clone().unwrap_or_default(),
        ready: conditions
            .is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True")),
        restarts: of_first.map_or(0, |status| count(Some(status.restart_count))),
        image: match digest {
            Some(digest) if !asked.contains('@') => format!("{asked}@{digest}"),
            _ => asked,
        },
    }
}

#[cfg(test)]
mod tests;

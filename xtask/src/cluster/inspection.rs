//! What `driftless-cluster inspect` says, and what follows from it: whose cluster, may we, does it fit.

use crate::{
    failure::{Failure, Id, Outcome},
    pins,
    profile::Profile,
    tools,
    world::{Cluster, Keeper},
};
use serde::Deserialize;

/// A look at a cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Inspection {
    /// E.g. `v1.36.3`.
    pub server_version: String,
    /// Every node.
    pub nodes: Vec<Node>,
    /// What this user may do.
    pub may: Vec<Right>,
    /// Argo CD.
    pub argocd: Argocd,
    /// `driftless`, `empty` or `foreign`.
    pub owner: String,
    /// Those of ours that are there, by whomever they were made.
    pub namespaces: Vec<String>,
    /// Where claims without a class go.
    pub default_storage_class: Option<String>,
    /// Whether Minikube's registry addon is there.
    pub registry_service: bool,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Takes pods.
    pub ready: bool,
    /// Thousandths of a processor that pods may ask for.
    pub cpu_allocatable_m: u64,
    /// Memory that pods may ask for.
    pub memory_allocatable_mib: u64,
    /// Memory that pods have asked for.
    pub requested_memory_mib: u64,
}

/// A verb on a resource.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Right {
    /// E.g. `create`.
    pub verb: String,
    /// E.g. `namespaces`.
    pub resource: String,
    /// Empty for the whole cluster.
    pub namespace: Option<String>,
    /// Whether this user may.
    pub allowed: bool,
}

/// The Argo CD of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Argocd {
    /// Its controller is there.
    pub installed: bool,
    /// Of its image.
    pub version: Option<String>,
    /// Installed by `up`.
    pub ours: bool,
    /// The type `Application` is known.
    pub application_crd: bool,
}

/// What asks for memory, and how to do without it: the default environment's requests, rounded up
/// (`xtask/tests/rendered` adds them up).
const PIECES: [(&str, u64, &str); 5] = [
    (
        "Argo CD",
        352,
        "use an Argo CD that is there (it is found by its controller)",
    ),
    (
        "the Git server",
        224,
        "--git-url URL of a hosted repository leaves it out",
    ),
    ("MLflow", 512, "nothing works without it"),
    (
        "API, training and drift check",
        256,
        "a training run alone asks for 128 MiB",
    ),
    (
        PIPELINES,
        1472,
        "--profile lite leaves it out, and the retrain is a Job",
    ),
];
const PIPELINES: &str = "Kubeflow Pipelines and one step of a run";
/// What the node of a Minikube that was made for it has for pods, whatever they ask for: Kubernetes' own parts ask for
/// a quarter of what they use.
const NODE_FULL_MIB: u64 = 5120;

impl Inspection {
    /// What a dry run assumes.
    pub fn empty() -> Self {
        Inspection {
            server_version: pins::KUBERNETES.to_owned(),
            owner: "empty".to_owned(),
            default_storage_class: Some("standard".to_owned()),
            registry_service: true,
            ..Inspection::default()
        }
    }

    /// Whether `up` has set this cluster up.
    pub fn ours(&self) -> bool {
        self.owner == "driftless"
    }

    /// An Argo CD that somebody else installed: it is used, not replaced.
    pub fn foreign_argocd(&self) -> bool {
        self.argocd.installed && !self.argocd.ours
    }

    /// All that speaks against using this cluster. The profile that is meant, and the one that is there, are asked for
    /// last: nobody may look who may do nothing.
    ///
    /// # Errors
    /// `cluster-foreign`, `kubernetes-too-old`, `cluster-forbidden`, `storage-class-missing`,
    /// `argocd-too-old`, `cluster-too-small`, `workload-not-ready` when no node takes pods.
    pub fn check(
        &self,
        cluster: &Cluster,
        profiles: impl FnOnce() -> Outcome<(Profile, Option<Profile>)>,
    ) -> Outcome<()> {
        let attempted = format!("use the cluster of context {}", cluster.context);
        let fail = |id, cause: String| Err(Failure::new(id, attempted.clone()).because(cause));
        if self.owner == "foreign" && !cluster.any_cluster {
            return fail(
                Id::ClusterForeign,
                "it was not set up by `cargo xtask up`, and other things run in it".to_owned(),
            );
        }
        match tools::version(&self.server_version) {
            Some(version) if version < pins::KUBERNETES_MIN => {
                let (major, minor) = pins::KUBERNETES_MIN;
                let cause = format!(
                    "it is Kubernetes {}, needed is {major}.{minor}",
                    self.server_version
                );
                return fail(Id::KubernetesTooOld, cause);
            }
            _ => {}
        }
        self.may_all(&attempted)?;
        if self.default_storage_class.is_none() {
            return fail(
                Id::StorageClassMissing,
                "no StorageClass is the default one, so the volumes of MLflow and Git would never be bound"
                    .to_owned(),
            );
        }
        if self.foreign_argocd() {
            let version = self.argocd.version.clone().unwrap_or_default();
            if tools::version(&version).is_some_and(|found| found < pins::ARGOCD_MIN) {
                let (major, minor) = pins::ARGOCD_MIN;
                let cause = format!("its Argo CD is {version}, needed is {major}.{minor} or newer");
                return fail(Id::ArgocdTooOld, cause);
            }
        }
        self.fits(cluster, profiles()?, &attempted)
    }

    fn may_all(&self, attempted: &str) -> Outcome<()> {
        let missing: Vec<String> = self
            .may
            .iter()
            .filter(|right| !right.allowed)
            .map(Right::in_words)
            .collect();
        let Some(first) = missing.first() else {
            return Ok(());
        };
        let cause = match missing.len() {
            1 => first.clone(),
            count => format!("{first}, and {} more that are listed above", count - 1),
        };
        Err(Failure::new(Id::ClusterForbidden, attempted)
            .because(cause)
            .detail(missing))
    }

    /// Memory that no pod has asked for yet.
    pub fn free_memory_mib(&self) -> u64 {
        let free = |node: &Node| {
            node.memory_allocatable_mib
                .saturating_sub(node.requested_memory_mib)
        };
        self.nodes.iter().filter(|node| node.ready).map(free).sum()
    }

    fn fits(
        &self,
        cluster: &Cluster,
        (wanted, there): (Profile, Option<Profile>),
        attempted: &str,
    ) -> Outcome<()> {
        let pipelines = wanted.has_pipelines() && there != Some(Profile::Full);
        // What a dry run assumes has no nodes; ours already asks for what it needs.
        if self.nodes.is_empty() || (self.ours() && !pipelines) {
            return Ok(());
        }
        if !self.nodes.iter().any(|node| node.ready) {
            let names: Vec<_> = self.nodes.iter().map(|node| node.name.as_str()).collect();
            return Err(Failure::new(Id::WorkloadNotReady, attempted)
                .because(format!("no node takes pods: {} not ready", names.join(", "))));
        }
        let asked_for = |name: &str| match name {
            PIPELINES => pipelines,
            _ if self.ours() => false,
            "Argo CD" => !self.foreign_argocd(),
            "the Git server" => cluster.git_url.is_none(),
            _ => true,
        };
        let pieces = || PIECES.iter().filter(|(name, ..)| asked_for(name));
        let needed: u64 = pieces().map(|(_, mib, _)| mib).sum();
        let free = self.free_memory_mib();
        let node: u64 = self.nodes.iter().map(|node| node.memory_allocatable_mib).sum();
        if pipelines && cluster.engine == Keeper::Minikube && node < NODE_FULL_MIB {
            return Err(Failure::new(Id::ClusterTooSmall, attempted)
                .because(format!(
                    "the node has {node} MiB, Kubeflow Pipelines beside all else needs {NODE_FULL_MIB}, and Minikube does \
                     not change the memory of a node that is there"
                ))
                .next(
                    "cargo xtask up --profile lite, or cargo xtask down --purge and then cargo xtask up (everything anew)",
                ));
        }
        if free >= needed {
            return Ok(());
        }
        let list = pieces().map(|(name, mib, without)| format!("{name}: {mib} MiB; {without}"));
        Err(Failure::new(Id::ClusterTooSmall, attempted)
            .because(format!(
                "{free} MiB of memory are not asked for yet, needed are {needed}"
            ))
            .detail(list.collect()))
    }
}

impl Right {
    /// What is missing, with a role that has it.
    fn in_words(&self) -> String {
        let place = match self.namespace.as_deref() {
            None | Some("") => "in the whole cluster".to_owned(),
            Some(namespace) => format!("in namespace {namespace}"),
        };
        // The namespaces are made first, so only `cluster-admin` can do all of it.
        let role = match (self.namespace.as_deref(), self.verb.as_str()) {
            (None | Some(""), _) => "ClusterRole cluster-admin",
            (_, "get" | "list" | "watch") => "ClusterRole view, bound there",
            _ => "ClusterRole admin, bound there",
        };
        format!("may not {} {} {place} ({role} has it)", self.verb, self.resource)
    }
}

#[cfg(test)]
mod tests;

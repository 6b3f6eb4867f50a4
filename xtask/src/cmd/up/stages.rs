//! The steps of `up` for each engine, in order; steps of one stage run beside each other.

use super::{argocd, bridge, cluster, engine, first, git_server, minikube, root, sources};
use crate::{
    cmd::{doctor, images},
    ctx::Ctx,
    failure::Outcome,
    step::{self, Step, nothing_to_verify},
    world::Keeper,
};
use std::time::Duration;

type Probe = fn(&Ctx) -> Outcome<step::Probe>;
type Act = fn(&Ctx, step::Deadline) -> Outcome<step::Acted>;
type Verify = fn(&Ctx) -> Outcome<()>;

const fn step(name: &'static str, probe: Probe, act: Act, verify: Verify, seconds: u64) -> Step {
    Step {
        name,
        probe,
        act,
        verify,
        deadline: Duration::from_secs(seconds),
        hint: "",
    }
}

const DOCTOR: Step = step("doctor", doctor::probe, doctor::act, nothing_to_verify, 20);
const TOOLS: Step = step(
    "tools",
    sources::tools_probe,
    sources::tools,
    sources::tools_verify,
    900,
);
const BUILD: Step = step(
    "build",
    images::build_probe,
    images::build,
    images::build_verify,
    3600,
);
const GIT: Step = step("git", sources::git_probe, sources::git, sources::git_verify, 120);
const DATA: Step = step(
    "data",
    sources::data_probe,
    sources::data,
    sources::data_verify,
    20,
);
const IMAGES: Step = step("images", images::probe, images::act, images::verify, 180);
const LIVE: Step = step("live", first::live_probe, first::live, nothing_to_verify, 60);

/// Of the local engine.
pub const LOCAL: &[&[Step]] = &[
    &[DOCTOR],
    &[TOOLS, BUILD],
    &[GIT],
    &[DATA],
    // Before the images: MLflow takes seconds to start, and images are packed meanwhile.
    &[step("engine", engine::probe, engine::act, nothing_to_verify, 30)],
    &[IMAGES],
    &[Step {
        hint: "cargo xtask logs mlflow",
        ..step(
            "mlflow",
            first::mlflow_probe,
            first::mlflow,
            nothing_to_verify,
            120,
        )
    }],
    &[step(
        "train",
        first::train_probe,
        first::train,
        first::train_verify,
        300,
    )],
    &[LIVE],
];

const CLUSTER_STEP: Step = step("cluster", cluster::probe, cluster::act, cluster::verify, 60);
const CRDS: Step = step("crds", argocd::crds_probe, argocd::crds, nothing_to_verify, 180);
const ARGOCD: Step = step(
    "argocd",
    argocd::argocd_probe,
    argocd::argocd,
    nothing_to_verify,
    600,
);
const GIT_SERVER: Step = step(
    "git-server",
    git_server::probe,
    git_server::act,
    nothing_to_verify,
    600,
);
const BRIDGE: Step = step("bridge", bridge::probe, bridge::act, nothing_to_verify, 60);
const ROOT: Step = step("root", root::probe, root::act, nothing_to_verify, 60);
// Kubeflow Pipelines is a dozen images of other people's.
const APPS: Step = step("apps", root::apps_probe, root::apps, nothing_to_verify, 1500);
// Pods are started and images pulled on the way.
const TRAIN_THERE: Step = step(
    "train",
    first::train_probe,
    first::train,
    first::train_verify,
    900,
);
const LIVE_THERE: Step = step("live", first::live_probe, first::live, nothing_to_verify, 180);

/// Of a cluster that is there.
pub const CLUSTER: &[&[Step]] = &[
    &[DOCTOR],
    &[TOOLS, BUILD],
    &[CLUSTER_STEP],
    &[CRDS],
    // Both are mostly waiting for pods.
    &[ARGOCD, GIT_SERVER],
    &[BRIDGE],
    &[GIT],
    &[IMAGES],
    &[ROOT],
    &[APPS],
    &[DATA],
    &[TRAIN_THERE],
    &[LIVE_THERE],
];

/// Of Minikube: its cluster is made first.
pub const MINIKUBE: &[&[Step]] = &[
    &[DOCTOR],
    &[TOOLS, BUILD],
    &[step(
        "minikube",
        minikube::probe,
        minikube::act,
        minikube::verify,
        900,
    )],
    &[CLUSTER_STEP],
    &[CRDS],
    &[ARGOCD, GIT_SERVER],
    &[BRIDGE],
    &[GIT],
    &[IMAGES],
    &[ROOT],
    &[APPS],
    &[DATA],
    &[TRAIN_THERE],
    &[LIVE_THERE],
];

/// The steps of this world.
pub fn of(ctx: &Ctx) -> &'static [&'static [Step]] {
    match ctx.cluster.as_ref().map(|cluster| cluster.engine) {
        None => LOCAL,
        Some(Keeper::Cluster) => CLUSTER,
        Some(Keeper::Minikube) => MINIKUBE,
    }
}

/// Names that `--from` takes: the steps of all engines.
pub const NAMES: [&str; 18] = [
    "doctor",
    "tools",
    "build",
    "minikube",
    "cluster",
    "crds",
    "argocd",
    "git-server",
    "bridge",
    "git",
    "data",
    "engine",
    "images",
    "mlflow",
    "root",
    "apps",
    "train",
    "live",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_those_of_the_steps() {
        let of_all: BTreeSet<_> = [LOCAL, CLUSTER, MINIKUBE]
            .iter()
            .flat_map(|stages| stages.iter().copied().flatten())
            .map(|step| step.name)
            .collect();
        assert_eq!(of_all, BTreeSet::from(NAMES));
    }
}

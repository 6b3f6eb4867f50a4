//! What is installed: everything, or all but Kubeflow Pipelines.
//!
//! Git says it, by two folders that `up` writes. That it was written is noted in the cluster, so that an `up` without
//! `--profile` keeps what is there, also one from another machine.

use crate::{
    ctx::Ctx,
    failure::Outcome,
    kubectl,
    world::{Cluster, Keeper},
};
use clap::ValueEnum;
use contract::names::DRIFT_MONITOR;
use serde::{Deserialize, Serialize};

/// Application of Kubeflow Pipelines; its address is the page's.
pub const PIPELINES: &str = "kubeflow-pipelines";
/// Note of what `main` was told last.
const NOTE: &str = "profile";
/// First line of each file.
const HEADER: &str = "# Written whole by `cargo xtask up`; not for editing.";
const HEAD: &str = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";

/// What is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// With Kubeflow Pipelines, which runs the retrain
    Full,
    /// Without it: the retrain is a Job
    Lite,
}

impl Profile {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Full => "full",
            Profile::Lite => "lite",
        }
    }

    /// Whether Kubeflow Pipelines is part of it.
    pub fn has_pipelines(self) -> bool {
        self == Profile::Full
    }
}

/// The profile as far as it can be told without asking the cluster: as typed, as typed before, else what the engine is
/// meant for. A cluster of somebody else's is not given nine Deployments unasked.
pub fn beforehand(cluster: &Cluster) -> Profile {
    cluster.profile.unwrap_or(match cluster.engine {
        Keeper::Minikube => Profile::Full,
        Keeper::Cluster => Profile::Lite,
    })
}

/// The profile that is meant: as typed, else as it is there, else [`beforehand`].
///
/// # Errors
/// `cluster-not-named`, and what is wrong with the cluster.
pub fn wanted(ctx: &Ctx) -> Outcome<Profile> {
    let cluster = ctx.the_cluster()?;
    match cluster.profile {
        Some(typed) if cluster.profile_typed => Ok(typed),
        _ => Ok(there(ctx)?.unwrap_or_else(|| beforehand(cluster))),
    }
}

/// The profile that `main` was told last; `None` before the first time.
///
/// # Errors
/// What is wrong with the cluster.
pub fn there(ctx: &Ctx) -> Outcome<Option<Profile>> {
    let note = kubectl::read_stamp(ctx, NOTE)?;
    Ok(Profile::from_str(&note, true).ok())
}

/// Notes what `main` was told.
///
/// # Errors
/// `apply-failed`, and what is wrong with the cluster.
pub fn note(ctx: &Ctx, profile: Profile) -> Outcome<()> {
    match there(ctx)? == Some(profile) {
        true => Ok(()),
        false => kubectl::stamp(ctx, NOTE, profile.name()),
    }
}

/// The two files of an environment: path in the repository, contents.
pub fn files(environment: &str, profile: Profile) -> [(String, String); 2] {
    // Kustomize refuses a component that says nothing.
    let nothing = format!(
        "{HEAD}metadata:\n  # Kustomize refuses a component that says nothing.\n  name: profile-{}\n",
        profile.name()
    );
    let listing = |component: &str| format!("{HEAD}components:\n  - {component}\n");
    let (apps, trigger) = match profile {
        Profile::Full => (
            format!("{HEADER} Full: with Kubeflow Pipelines.\n{nothing}"),
            format!(
                "{HEADER} Full: Kubeflow Pipelines runs the retrain.\n{}",
                listing("../../../../components/pipeline-trigger")
            ),
        ),
        Profile::Lite => (
            format!(
                "{HEADER} Lite: without Kubeflow Pipelines.\n\
                 # `cargo xtask up --engine cluster --environment {environment} --profile full` writes the other one, here and \
                 in the drift monitor's overlay.\n{}",
                listing("../../../components/lite")
            ),
            format!("{HEADER} Lite: the retrain is a Job.\n{nothing}"),
        ),
    };
    [
        (
            format!("argocd/environments/{environment}/profile/kustomization.yaml"),
            apps,
        ),
        (
            format!("kustomize/overlays/{environment}/{DRIFT_MONITOR}/profile/kustomization.yaml"),
            trigger,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whichever it is: both files are of one profile, and as they would be written.
    #[test]
    fn the_clone_holds_what_up_would_write() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for environment in ["minikube", "prod"] {
            let held = |profile: &Profile| {
                let mut files = files(environment, *profile).into_iter();
                files.all(|(path, text)| std::fs::read_to_string(root.join(path)).unwrap() == text)
            };
            let of = Profile::value_variants().iter().filter(|profile| held(profile));
            assert_eq!(of.count(), 1, "{environment}");
        }
    }
}

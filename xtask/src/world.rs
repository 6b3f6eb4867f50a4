//! Which engine is used, and for a cluster: which one, and how to reach what it needs.
//!
//! Flags and their variables come first, then what `up` remembered in the state folder. What is
//! remembered holds no secrets.

use crate::{
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    flags::{self, EngineChoice, Globals},
    profile::Profile,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where `up` remembers the settings of a cluster, inside of the state folder.
const REMEMBERED: &str = "cluster.json";
/// Profile of Minikube, and with it the context.
const PROFILE: &str = "driftless";
/// The registry addon of Minikube, as the nodes pull from it.
const ADDON_ON_NODES: &str = "localhost:5000/driftless";
/// The same, as pods push to it. Its Service has no TLS.
const ADDON_IN_CLUSTER: &str = "http://registry.kube-system.svc.cluster.local/driftless";
/// The Git server that `up` brings along, as pods reach it.
const GIT_IN_CLUSTER: &str = "http://git-server.gitops.svc.cluster.local:3000/driftless/driftless.git";

/// Who keeps the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keeper {
    /// We do: started and deleted by xtask.
    Minikube,
    /// Somebody else.
    Cluster,
}

/// What must be known of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Which engine.
    pub engine: Keeper,
    /// Context of the kubeconfig; passed to every call.
    pub context: String,
    /// Folder of kustomize/overlays.
    pub environment: String,
    /// Registry and path as the nodes pull from it.
    pub registry: String,
    /// The same as pods push to it.
    pub registry_in_cluster: String,
    /// A hosted repository; absent for the Git server in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_url: Option<String>,
    /// Where third-party files are looked up first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_mirror: Option<PathBuf>,
    /// As it was typed last; what is there counts more, see [`crate::profile`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// It was typed just now.
    #[serde(skip)]
    pub profile_typed: bool,
    /// A cluster with other things in it may be used; asked anew each time.
    #[serde(skip)]
    pub any_cluster: bool,
}

impl Cluster {
    /// `minikube` or `cluster`.
    pub fn engine_name(&self) -> &'static str {
        match self.engine {
            Keeper::Minikube => "minikube",
            Keeper::Cluster => "cluster",
        }
    }

    /// The flags that name this cluster in a later command.
    pub fn flags(&self) -> String {
        match self.engine {
            Keeper::Minikube if self.context == PROFILE => "--engine minikube".to_owned(),
            _ => format!("--engine {} --context {}", self.engine_name(), self.context),
        }
    }

    /// Where this machine pushes images to: the registry of Minikube is inside of it, and the bridge
    /// forwards a port to it.
    pub fn push_store(&self, forwarded: &str) -> String {
        match self.engine {
            Keeper::Minikube if self.registry == ADDON_ON_NODES => {
                let path = ADDON_ON_NODES.split_once('/').map_or("", |(_, path)| path);
                format!("{forwarded}/{path}")
            }
            _ => self.registry.clone(),
        }
    }

    /// The repository as Argo CD and the trainer reach it.
    pub fn git_in_cluster(&self) -> &str {
        self.git_url.as_deref().unwrap_or(GIT_IN_CLUSTER)
    }
}

/// The world that the flags name, and in words why it is this one.
///
/// # Errors
/// `cluster-not-named` when a cluster is asked for without saying which, or without a registry.
pub fn choose(ctx: Ctx, globals: &Globals) -> Outcome<(Ctx, String)> {
    let keeper = match globals.engine {
        EngineChoice::Local => return Ok((ctx, "local, as asked".to_owned())),
        EngineChoice::Auto => {
            let why = "local: it needs neither Docker nor Kubernetes (--engine minikube and cluster do)";
            return Ok((ctx, why.to_owned()));
        }
        EngineChoice::Minikube => Keeper::Minikube,
        EngineChoice::Cluster => Keeper::Cluster,
    };
    // A variable names the clusters of `--engine cluster`; Minikube's profile is our own.
    let context = match (keeper, &globals.cluster.context) {
        (Keeper::Minikube, _) => PROFILE.to_owned(),
        (Keeper::Cluster, Some(context)) if !context.is_empty() => context.clone(),
        (Keeper::Cluster, _) => {
            return Err(not_named(
                "--context is missing, and without a name no cluster is touched",
            ));
        }
    };
    let state = match (&globals.state, keeper) {
        (Some(_), _) => ctx.state.clone(),
        (None, Keeper::Minikube) => ctx.root.join(".driftless-minikube"),
        (None, Keeper::Cluster) => ctx
            .root
            .join(format!(".driftless-cluster-{}", folder_name(&context))),
    };
    let remembered = remembered(&ctx, &state).filter(|cluster| cluster.context == context);
    let cluster = settings(keeper, context, globals, remembered.as_ref(), &ctx.root)?;
    let why = format!("{}, context {}, as asked", cluster.engine_name(), cluster.context);
    Ok((ctx.with_cluster(state, cluster), why))
}

/// The cluster that is named by variables alone, for checks that run where there is one.
///
/// # Errors
/// A text: what is missing.
pub fn of_variables(ctx: &Ctx) -> Result<Ctx, String> {
    let line = ["cargo xtask", "e2e", "--engine", "cluster"];
    let globals = flags::parse(line).map_err(|error| error.to_string())?.globals;
    let set = |value: &Option<String>| value.as_ref().is_some_and(|text| !text.is_empty());
    for (value, name) in [
        (&globals.cluster.context, "DRIFTLESS_CONTEXT"),
        (&globals.cluster.registry, "DRIFTLESS_REGISTRY"),
    ] {
        if !set(value) {
            return Err(format!("{name} is not set"));
        }
    }
    let here = ctx.elsewhere(ctx.state.clone(), ctx.port_offset);
    choose(here, &globals)
        .map(|(ctx, _)| ctx)
        .map_err(|failure| failure.causes.join(": "))
}

fn not_named(cause: &str) -> Failure {
    Failure::new(Id::ClusterNotNamed, "find out which cluster is meant")
        .because(cause)
        .in_step("start")
}

fn settings(
    engine: Keeper,
    context: String,
    globals: &Globals,
    before: Option<&Cluster>,
    root: &Path,
) -> Outcome<Cluster> {
    let flags = &globals.cluster;
    let text = |flag: &Option<String>, kept: Option<&String>| {
        flag.clone().filter(|text| !text.is_empty()).or(kept.cloned())
    };
    let minikube = engine == Keeper::Minikube;
    let registry = match text(&flags.registry, before.map(|cluster| &cluster.registry)) {
        // DRIFTLESS_REGISTRY is about the clusters of `--engine cluster`.
        _ if minikube => ADDON_ON_NODES.to_owned(),
        Some(registry) => registry.trim_end_matches('/').to_owned(),
        None => {
            return Err(not_named(
                "--registry is missing: the nodes need a place to pull images from",
            ));
        }
    };
    let in_cluster = text(
        &flags.registry_in_cluster,
        before.map(|cluster| &cluster.registry_in_cluster),
    );
    let registry_in_cluster = match in_cluster {
        _ if minikube => ADDON_IN_CLUSTER.to_owned(),
        Some(name) => with_scheme(name.trim_end_matches('/')),
        None => registry.clone(),
    };
    let absolute = |dir: &PathBuf| {
        if dir.is_absolute() {
            dir.clone()
        } else {
            root.join(dir)
        }
    };
    Ok(Cluster {
        environment: text(&flags.environment, before.map(|cluster| &cluster.environment))
            .unwrap_or_else(|| "minikube".to_owned()),
        git_url: text(
            &flags.git_url,
            before.and_then(|cluster| cluster.git_url.as_ref()),
        ),
        upstream_mirror: flags
            .upstream_mirror
            .as_ref()
            .map(absolute)
            .or_else(|| before.and_then(|cluster| cluster.upstream_mirror.clone())),
        profile: flags.profile.or(before.and_then(|cluster| cluster.profile)),
        profile_typed: flags.profile.is_some(),
        any_cluster: flags.yes_this_cluster,
        engine,
        context,
        registry,
        registry_in_cluster,
    })
}

/// The addon's name alone means plain http; every other registry says so itself.
fn with_scheme(name: &str) -> String {
    let addon = ADDON_IN_CLUSTER.trim_start_matches("http://");
    let host = addon.split('/').next().unwrap_or(addon);
    if name.split('/').next() == Some(host) {
        format!("http://{name}")
    } else {
        name.to_owned()
    }
}

/// Contexts may hold slashes and colons (`arn:aws:eks:...`).
fn folder_name(context: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    context.chars().map(|c| if plain(c) { c } else { '-' }).collect()
}

fn remembered(ctx: &Ctx, state: &Path) -> Option<Cluster> {
    serde_json::from_str(&ctx.read_text(&state.join(REMEMBERED))?).ok()
}

/// Keeps the settings for later commands; does nothing for the local engine, or where they are kept.
///
/// # Errors
/// `state-unwritable`, `disk-full`.
pub fn remember(ctx: &Ctx) -> Outcome<()> {
    let Some(cluster) = &ctx.cluster else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(cluster).unwrap_or_default();
    let path = ctx.state.join(REMEMBERED);
    if ctx.read_text(&path).as_ref() == Some(&text) {
        return Ok(());
    }
    ctx.write(Id::StateUnwritable, &path, &text, 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_make_folder_names() {
        assert_eq!(folder_name("driftless-lab"), "driftless-lab");
        assert_eq!(folder_name("arn:aws:eks:x/y"), "arn-aws-eks-x-y");
        assert_eq!(folder_name("../up"), "..-up");
    }

    #[test]
    fn only_the_addon_is_plain_http_by_name() {
        let addon = "registry.kube-system.svc.cluster.local/driftless";
        assert_eq!(with_scheme(addon), format!("http://{addon}"));
        assert_eq!(with_scheme("ghcr.io/me"), "ghcr.io/me");
        assert_eq!(with_scheme("http://other.svc/me"), "http://other.svc/me");
    }
}

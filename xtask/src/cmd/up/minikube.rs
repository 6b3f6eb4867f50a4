//! The step `minikube`: a profile of our own, with explicit sizes and a pinned Kubernetes.

use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Id, Outcome},
    pins,
    profile::{self, Profile},
    step::{Acted, Deadline, Probe, looks_done},
};
use serde_json::Value;

/// minikube for our profile, and no other.
pub fn looks(ctx: &Ctx, args: &[&str]) -> Outcome<Cmd> {
    Ok(Cmd::reads("minikube")
        .args(args)
        .args(["--profile", &ctx.the_cluster()?.context]))
}

/// The same, changing something.
pub fn changes(ctx: &Ctx, args: &[&str]) -> Outcome<Cmd> {
    Ok(Cmd {
        effect: crate::exec::Effect::Changes,
        ..looks(ctx, args)?
    })
}

/// What it says of host, kubelet and API server; `None` when there is no such profile.
pub fn state(ctx: &Ctx) -> Outcome<Option<[String; 3]>> {
    // Its exit code adds up what does not run, so the text is read whatever the code.
    let status = looks(ctx, &["status", "--output=json"])?;
    let output = ctx.ran(Id::MinikubeFailed, "ask Minikube for its state", &status)?;
    let Ok(said) = serde_json::from_str::<Value>(output.stdout.trim()) else {
        return Ok(None);
    };
    // Several nodes are a list, the first of which is the control plane.
    let node = if said.is_array() { &said[0] } else { &said };
    let text = |key: &str| node[key].as_str().unwrap_or("Unknown").to_owned();
    Ok(Some([text("Host"), text("Kubelet"), text("APIServer")]))
}

/// What the node is given. Minikube does not change that of a node that it has made before.
pub fn memory_mib(ctx: &Ctx) -> Outcome<u64> {
    Ok(match profile::beforehand(ctx.the_cluster()?) {
        Profile::Full => pins::MINIKUBE_MEMORY_FULL_MIB,
        Profile::Lite => pins::MINIKUBE_MEMORY_MIB,
    })
}

pub fn probe(ctx: &Ctx) -> Outcome<Probe> {
    Ok(match state(ctx)? {
        Some(parts) if parts.iter().all(|part| part == "Running") => {
            Probe::Done(format!("profile {} runs", ctx.the_cluster()?.context))
        }
        Some([host, kubelet, server]) => {
            Probe::Needed(format!("host {host}, kubelet {kubelet}, API server {server}"))
        }
        None => Probe::Needed("there is no such profile yet".to_owned()),
    })
}

pub fn act(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let start = changes(ctx, &["start"])?
        .args(["--kubernetes-version", pins::KUBERNETES])
        .args(["--container-runtime", "containerd"])
        .args(["--cpus", &pins::MINIKUBE_CPUS.to_string()])
        .args(["--memory", &format!("{}mb", memory_mib(ctx)?)])
        .args(["--disk-size", &format!("{}mb", pins::MINIKUBE_DISK_MIB)])
        .args(["--addons", "registry,metrics-server"])
        // The person's current context stays the current one; nothing is asked.
        .args(["--keep-context", "--interactive=false"])
        .deadline(deadline.left());
    ctx.report.waiting("Minikube fetches and starts Kubernetes");
    ctx.must(Id::MinikubeFailed, "start Minikube", &start)?;
    Acted::changed(format!("Kubernetes {} started", pins::KUBERNETES))
}

pub fn verify(ctx: &Ctx) -> Outcome<()> {
    looks_done(ctx, probe, Id::MinikubeFailed, "start Minikube")
}

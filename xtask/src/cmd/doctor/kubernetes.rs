//! Checks for the engines minikube and cluster: before anything is changed, and after the fact.

use super::Check;
use crate::{
    cluster::{self, inspect},
    cmd::up::{self, minikube},
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    kubectl, pins,
    profile::{self, Profile},
    report::{Ending, Line},
    step::Probe,
    tools, venv,
    world::Keeper,
};
use std::{path::Path, time::Instant};

/// What can be looked at before anything is built.
pub const BEFORE: &[Check] = &[Check {
    name: "kubectl",
    run: kubectl_there,
}];

/// The same, where the cluster is made on this machine.
pub const BEFORE_MINIKUBE: &[Check] = &[
    BEFORE[0],
    Check {
        name: "minikube",
        run: minikube_there,
    },
    Check {
        name: "driver",
        run: driver,
    },
    Check {
        name: "processors",
        run: processors,
    },
];

/// What needs the program that talks to clusters.
pub const CLUSTER: &[Check] = &[Check {
    name: "cluster",
    run: cluster,
}];

/// minikube, for the engine that needs it.
const MINIKUBE: tools::Tool = tools::Tool {
    name: "minikube",
    min: Some(pins::MINIKUBE_MIN),
    get: "install Minikube (https://minikube.sigs.k8s.io/docs/start)",
};

/// What Minikube makes its node with, best first.
const DRIVERS: [&str; 4] = ["docker", "podman", "qemu-system-x86_64", "virsh"];

/// Whether Minikube is ours to start.
pub fn starts_minikube(ctx: &Ctx) -> bool {
    let keeper = ctx.cluster.as_ref().map(|cluster| cluster.engine);
    keeper == Some(Keeper::Minikube) && !matches!(minikube::probe(ctx), Ok(Probe::Done(_)))
}

fn kubectl_there(ctx: &Ctx) -> Outcome<String> {
    let found = match kubectl::on_path(ctx) {
        Ok(_) => return Ok("kubectl on PATH".to_owned()),
        Err(found) => found,
    };
    if let Probe::Done(_) = venv::KUBECTL.probe(ctx)? {
        return Ok("kubectl as pinned".to_owned());
    }
    // The pinned one is a Python package.
    let python = super::python_for_venvs(ctx);
    match (python, found) {
        (Ok(_), _) => Ok("kubectl will be installed".to_owned()),
        (Err(failure), None) => Err(failure),
        (Err(_), Some((major, minor))) => {
            let (min_major, min_minor) = pins::KUBECTL_MIN;
            Err(Failure::new(Id::ToolTooOld, "find kubectl")
                .because(format!(
                    "kubectl is {major}.{minor}, needed is {min_major}.{min_minor}, and without python3 no newer one can be brought"
                ))
                .next("install a newer kubectl, or python3-venv, then repeat"))
        }
    }
}

fn minikube_there(ctx: &Ctx) -> Outcome<String> {
    if ctx.exec.find(MINIKUBE.name).is_none() {
        return tools::check(ctx, &MINIKUBE);
    }
    // It has no --version.
    tools::check_as(ctx, &MINIKUBE, &["version", "--short"])
}

fn driver(ctx: &Ctx) -> Outcome<String> {
    if !starts_minikube(ctx) {
        return Ok(String::new());
    }
    match DRIVERS.iter().find(|name| ctx.exec.find(name).is_some()) {
        Some(name) => Ok((*name).to_owned()),
        None => Err(
            Failure::new(Id::ToolMissing, "find what Minikube can make a node with")
                .because(format!("none of {} is on PATH", DRIVERS.join(", ")))
                .next("install Docker or Podman, or use --engine local, which needs neither"),
        ),
    }
}

fn processors(ctx: &Ctx) -> Outcome<String> {
    if !starts_minikube(ctx) {
        return Ok(String::new());
    }
    let text = ctx.read_text(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    // A machine that does not say how many it has is taken at its word by Minikube.
    if count > 0 && count < pins::MINIKUBE_CPUS as usize {
        return Err(
            Failure::new(Id::MachineTooSmall, "check the processors").because(format!(
                "there is {count}, Kubernetes needs {}",
                pins::MINIKUBE_CPUS
            )),
        );
    }
    Ok(String::new())
}

/// Memory that must be available on this machine, with what can be left out; `None` where the
/// cluster is elsewhere.
pub fn memory_needed(ctx: &Ctx) -> Option<(u64, &'static str)> {
    let Some(cluster) = &ctx.cluster else {
        return Some((pins::MEMORY_MIN_MIB, ""));
    };
    let instead = match profile::beforehand(cluster) {
        Profile::Full => {
            "; --profile lite needs 4608 and leaves Kubeflow Pipelines out, --engine local needs 1024 and leaves Kubernetes out"
        }
        Profile::Lite => "; --engine local needs 1024 and leaves Kubernetes out",
    };
    let node = minikube::memory_mib(ctx).unwrap_or(pins::MINIKUBE_MEMORY_MIB);
    starts_minikube(ctx).then_some((node + 512, instead))
}

/// Disk that is used before all runs on a node of this machine.
pub fn disk_needed_mib(ctx: &Ctx) -> u64 {
    let full = ctx.cluster.as_ref().map(profile::beforehand) == Some(Profile::Full);
    match starts_minikube(ctx) {
        true if full => pins::MINIKUBE_DISK_USED_MIB + pins::MINIKUBE_DISK_PIPELINES_MIB,
        true => pins::MINIKUBE_DISK_USED_MIB,
        false => 0,
    }
}

fn cluster(ctx: &Ctx) -> Outcome<String> {
    if ctx
        .exec
        .find(&ctx.binary("driftless-cluster").display().to_string())
        .is_none()
    {
        return Ok("not looked at: nothing was built yet".to_owned());
    }
    if starts_minikube(ctx) {
        return Ok("Minikube does not run yet".to_owned());
    }
    let found = inspect(ctx)?;
    up::cluster::check(ctx, &found)?;
    Ok(format!(
        "Kubernetes {}, {} MiB of memory not asked for",
        found.server_version,
        found.free_memory_mib()
    ))
}

/// Doctor after the fact: what only shows from inside, a line each.
///
/// # Errors
/// What is wrong with the cluster.
pub fn after(ctx: &Ctx) -> Outcome<Vec<(Line, Outcome<()>)>> {
    let start = Instant::now();
    let cmd = cluster::looks(ctx, &["check"])?.deadline(std::time::Duration::from_secs(120));
    let answer = cluster::must(ctx, "look from inside of the cluster", &cmd)?;
    let checks = answer["checks"].as_array().cloned().unwrap_or_default();
    let line = |check: &serde_json::Value| {
        let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
        let ok = check["ok"] == true;
        let said = [text("name"), text("note")];
        let line = Line {
            name: "inside".to_owned(),
            ending: if ok { Ending::Done } else { Ending::Failed },
            seconds: start.elapsed().as_secs_f64(),
            note: said.join(": ").trim_end_matches(": ").to_owned(),
        };
        let result = match ok {
            true => Ok(()),
            false => Err(
                Failure::new(Id::ClusterCheckFailed, format!("check {}", text("name")))
                    .because(text("note"))
                    .in_step("inside"),
            ),
        };
        (line, result)
    };
    Ok(checks.iter().map(line).collect())
}

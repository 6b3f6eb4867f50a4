//! What the default profile asks of a node.

use crate::tree::{self, INSTALL, PIPELINES, list, named, objects, text};
use serde_yaml::Value;
use std::fmt::Write;
use xtask::cmd::render::rules;

/// 1.6 GiB: the bar for everything without Kubeflow Pipelines.
const MOST_MIB: u64 = 1638;
/// Two cores less what the node's own parts ask for.
const MOST_MILLICORES: u64 = 1400;

/// Kubeflow Pipelines on top of it: its nine Deployments and the upload, without the pods of a run.
const MOST_OF_PIPELINES_MIB: u64 = 1200;

#[test]
fn the_default_profile_fits() {
    let Some(rendered) = tree::rendered() else { return };
    if !rendered.contains_key(INSTALL) {
        return eprintln!("SKIPPED the_default_profile_fits: Argo CD's part is not rendered");
    }
    let folders = rendered.iter().filter(|(name, _)| {
        (name.starts_with("minikube-") || *name == INSTALL) && !name.ends_with(PIPELINES)
    });
    let (table, memory, cpu) = requests(folders.map(|(_, text)| text.as_str()));
    insta::assert_snapshot!("requests", table);
    assert!(memory <= MOST_MIB, "{memory} MiB");
    assert!(cpu <= MOST_MILLICORES, "{cpu} m");
}

#[test]
fn kubeflow_pipelines_ask_for_half_of_what_upstream_does() {
    let Some(rendered) = tree::rendered() else { return };
    let text = &rendered[&format!("minikube-{PIPELINES}")];
    let (table, memory, _) = requests(std::iter::once(text.as_str()));
    insta::assert_snapshot!("requests-kubeflow-pipelines", table);
    assert!(memory <= MOST_OF_PIPELINES_MIB, "{memory} MiB");
}

/// A line for each workload, and the sums in MiB and millicores.
fn requests<'a>(folders: impl Iterator<Item = &'a str>) -> (String, u64, u64) {
    let mut table = String::new();
    let (mut memory, mut cpu) = (0, 0);
    for text in folders {
        for object in objects(text)
            .iter()
            .filter(|object| !rules::pod_spec(object).is_null())
        {
            // A job of each kind at once: more than there ever is.
            let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
            let (one_memory, one_cpu) = (pod(object, "memory", mib), pod(object, "cpu", millicores));
            memory += replicas * one_memory;
            cpu += replicas * one_cpu;
            writeln!(
                table,
                "{} {replicas} x {one_memory} MiB {one_cpu} m",
                named(object)
            )
            .unwrap();
        }
    }
    writeln!(table, "all: {memory} MiB {cpu} m").unwrap();
    (table, memory, cpu)
}

/// As the scheduler counts: the containers together, or the largest that runs before them.
fn pod(object: &Value, resource: &str, read: fn(&str) -> u64) -> u64 {
    let each = |of: &str| {
        list(&rules::pod_spec(object)[of])
            .map(|container| read(text(&container["resources"]["requests"][resource])))
            .collect::<Vec<_>>()
    };
    let before = each("initContainers").into_iter().max().unwrap_or_default();
    each("containers").iter().sum::<u64>().max(before)
}

fn mib(quantity: &str) -> u64 {
    match (quantity.strip_suffix("Mi"), quantity.strip_suffix("Gi")) {
        (Some(number), _) => number.parse().unwrap(),
        (_, Some(number)) => number.parse::<u64>().unwrap() * 1024,
        _ => panic!("write memory in Mi or Gi, not {quantity:?}"),
    }
}

fn millicores(quantity: &str) -> u64 {
    match quantity.strip_suffix('m') {
        Some(number) => number.parse().unwrap(),
        None => quantity.parse::<u64>().unwrap() * 1000,
    }
}

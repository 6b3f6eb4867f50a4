//! Which crate may know which: invariants said as absences, read from `cargo metadata`.

use super::Finding;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Crates that bring IO, a clock or an async runtime with them.
const IO: &[&str] = &[
    "tokio",
    "reqwest",
    "ureq",
    "git2",
    "axum",
    "hyper",
    "hyper-util",
    "fs4",
    "tempfile",
    "socket2",
    "rustix",
    "oci-client",
    "tar",
    "mlflow-client",
    "engine",
    "kfp-client",
    "kfp-run",
];

/// A crate (or several) must not reach these, directly or through crates of ours.
const FORBIDDEN: &[(&[&str], &[&str], &str)] = &[
    (
        &["contract", "drift", "kfp", "model", "onnx"],
        IO,
        "it is pure: values in, values out",
    ),
    (
        &["inference-api"],
        &[
            "gitops",
            "git2",
            "oci",
            "oci-client",
            "mlflow-client",
            "engine",
            "reqwest",
            "ureq",
            "trainer",
            "cluster",
            "kube",
            "kfp",
            "kfp-client",
            "kfp-run",
        ],
        "the API serves a model from disk; it writes nowhere and asks nobody",
    ),
    (
        &["supervisor"],
        &[
            "gitops",
            "mlflow-client",
            "trainer",
            "model",
            "onnx",
            "kfp",
            "kfp-client",
            "kfp-run",
        ],
        "the engine runs what Git says; it does not know what a model is",
    ),
    (
        &["xtask"],
        &[
            "tokio",
            "reqwest",
            "git2",
            "kube",
            "oci",
            "gitops",
            "trainer",
            "supervisor",
            "cluster",
            "model",
            "kfp",
            "kfp-client",
            "kfp-run",
        ],
        "the first `cargo xtask` is a compile: it stays light",
    ),
    (
        &["engine"],
        &["tokio", "reqwest", "git2", "kube", "oci", "gitops"],
        "whoever asks an engine should not compile one",
    ),
    (
        &["kfp-run"],
        &[
            "axum",
            "cluster",
            "engine",
            "git2",
            "gitops",
            "hyper",
            "kfp-client",
            "kube",
            "mlflow-client",
            "trainer",
        ],
        "a pipeline runs here as processes: no cluster, no server, and what a step is for is the step's to know",
    ),
    (
        &["kfp-client"],
        &[
            "cluster",
            "engine",
            "git2",
            "gitops",
            "kfp",
            "kfp-run",
            "kube",
            "mlflow-client",
            "oci",
            "trainer",
        ],
        "it speaks one API and takes documents as they are",
    ),
    (
        &["traffic"],
        &["engine", "tokio", "reqwest"],
        "load knows nothing of what it asks",
    ),
];

/// Crates that only these may depend on.
const RESERVED: &[(&str, &[&str], &str)] = &[
    (
        "gitops",
        &["trainer", "e2e", "cluster"],
        "only `trainer promote` writes Git (e2e and the bridge read it)",
    ),
    (
        "mlflow-client",
        &["trainer"],
        "only the trainer writes to the registry",
    ),
    (
        "kfp-client",
        &["trainer"],
        "only the trainer uploads pipelines and starts runs of them",
    ),
    (
        "kfp-run",
        &["trainer"],
        "whoever runs a pipeline here types `kfp-run` or `trainer pipeline run`",
    ),
    (
        "kube",
        &["cluster", "supervisor"],
        "whoever needs a cluster asks the crate `cluster` (the local engine reads manifests with kube-core)",
    ),
    (
        "cluster",
        &["trainer", "e2e"],
        "a cluster is reached through the bridge; in a pod the trainer asks for itself",
    ),
];

/// Dependencies of each crate of the workspace, tests and build scripts left out.
pub fn graph(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    list(&metadata["packages"])
        .iter()
        .map(|package| {
            let normal = list(&package["dependencies"]);
            let normal = normal.iter().filter(|dependency| dependency["kind"].is_null());
            (
                text(&package["name"]),
                normal.map(|dependency| text(&dependency["name"])).collect(),
            )
        })
        .collect()
}

/// Every forbidden edge, with the way to it.
pub fn check(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (crates, forbidden, why) in FORBIDDEN {
        for from in crates.iter().filter(|name| graph.contains_key(**name)) {
            for (reached, way) in reachable(graph, from) {
                if forbidden.contains(&reached.as_str()) {
                    findings.push(Finding::new("Cargo.toml", 0, format!("edge: {way}: {why}")));
                }
            }
        }
    }
    for (reserved, allowed, why) in RESERVED {
        for (from, to) in graph {
            if to.contains(*reserved) && !allowed.contains(&from.as_str()) {
                findings.push(Finding::new(
                    "Cargo.toml",
                    0,
                    format!("edge: {from} -> {reserved}: {why}"),
                ));
            }
        }
    }
    findings
}

fn reachable(graph: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![(from.to_owned(), from.to_owned())];
    while let Some((name, way)) = open.pop() {
        for next in graph.get(&name).into_iter().flatten() {
            let way = format!("{way} -> {next}");
            if found.insert(next.clone(), way.clone()).is_none() {
                open.push((next.clone(), way));
            }
        }
    }
    found
}

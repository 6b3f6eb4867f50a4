//! Waiting for what Kubernetes promises; a pod that cannot start is told at once, not at the end.

use super::diagnose;
use crate::{
    Error, Kind, Result,
    connect::{get_opt, list},
    jobs,
    workload::{self, Workload},
};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet, StatefulSet},
    batch::v1::Job,
    core::v1::Pod,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(300);
/// The API server may restart while something is waited for.
const AWAY: Duration = Duration::from_secs(20);

/// A deadline, and how long the API server has been away.
struct Patience {
    start: Instant,
    deadline: Duration,
    away_since: Option<Instant>,
}

impl Patience {
    fn new(deadline: Duration) -> Self {
        Patience {
            start: Instant::now(),
            deadline,
            away_since: None,
        }
    }

    fn is_over(&self) -> bool {
        self.start.elapsed() >= self.deadline
    }

    fn seconds(&self) -> f64 {
        (self.start.elapsed().as_secs_f64() * 10.0).round() / 10.0
    }

    /// An answer, or `None` where the API server does not answer for a moment.
    fn bear<T>(&mut self, answer: Result<T>) -> Result<Option<T>> {
        match answer {
            Ok(value) => {
                self.away_since = None;
                Ok(Some(value))
            }
            Err(error) if matches!(error.kind, Kind::Unreachable | Kind::Timeout) => {
                let since = *self.away_since.get_or_insert_with(Instant::now);
                match since.elapsed() >= AWAY || self.is_over() {
                    true => Err(error),
                    false => Ok(None),
                }
            }
            Err(error) => Err(error),
        }
    }
}

/// Until every CRD is established.
pub async fn crds(client: &Client, names: &[String], deadline: Duration) -> Result<Value> {
    let resource = ApiResource {
        group: "apiextensions.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "apiextensions.k8s.io/v1".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        plural: "customresourcedefinitions".to_owned(),
    };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut patience = Patience::new(deadline);
    loop {
        let mut missing = Vec::new();
        for name in names {
            let found =
                patience.bear(get_opt(&api, &format!("CustomResourceDefinition {name}"), name).await)?;
            // Right after it was made its status is not there yet.
            if !found
                .flatten()
                .is_some_and(|crd| is_true(&crd.data, "Established"))
            {
                missing.push(name.as_str());
            }
        }
        if missing.is_empty() {
            return Ok(json!({"established": names, "seconds": patience.seconds()}));
        }
        if patience.is_over() {
            let text = format!(
                "not established within {} s: {}",
                deadline.as_secs(),
                missing.join(", ")
            );
            return Err(Error::new(Kind::Timeout, text));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn is_true(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|c| c["type"] == condition && c["status"] == "True")
    })
}

/// Deployments and StatefulSets of a namespace, judged.
pub async fn judged(client: &Client, namespace: &str) -> Result<Vec<Workload>> {
    let all = ListParams::default();
    let what = |kind: &str| format!("{kind} in namespace {namespace}");
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
    let stateful: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let deployments = list(&deployments, &what("Deployments"), &all).await?;
    let sets = list(&sets, &what("ReplicaSets"), &all).await?;
    let stateful = list(&stateful, &what("StatefulSets"), &all).await?;
    let pods = list(&pods, &what("Pods"), &all).await?;
    let of_deployments = deployments
        .iter()
        .map(|one| workload::of_deployment(one, &sets.items, &pods.items));
    let of_stateful = stateful
        .iter()
        .map(|one| workload::of_stateful_set(one, &pods.items));
    Ok(of_deployments.chain(of_stateful).collect())
}

/// Until every Deployment and StatefulSet of the namespace is ready.
pub async fn workloads(client: &Client, namespace: &str, deadline: Duration) -> Result<Value> {
    let mut patience = Patience::new(deadline);
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let judged = patience.bear(judged(client, namespace).await)?;
        let waits: Vec<String> = judged.iter().flatten().filter_map(waits_for).collect();
        if let (Some(judged), true) = (&judged, waits.is_empty()) {
            let names: Vec<&str> = judged.iter().map(|workload| workload.name.as_str()).collect();
            return Ok(json!({"namespace": namespace, "ready": names, "seconds": patience.seconds()}));
        }
        for workload in judged.iter().flatten() {
            let line = waits_for(workload).unwrap_or_else(|| format!("{} is ready", workload.name));
            if told.insert(workload.name.clone(), line.clone()).as_ref() != Some(&line) {
                eprintln!("{namespace}: {line}");
            }
        }
        if patience.is_over() {
            let mut text = format!(
                "namespace {namespace} is not ready within {} s: {}",
                deadline.as_secs(),
                waits.join("; ")
            );
            let lines = diagnose::lines(client, &[namespace.to_owned()]).await;
            for line in lines.unwrap_or_default() {
                text.push('\n');
                text.push_str(&line);
            }
            return Err(Error::new(Kind::Timeout, text));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What a workload waits for, with the guilty pod where there is one.
fn waits_for(workload: &Workload) -> Option<String> {
    let why = workload.unsettled.as_ref()?;
    Some(match &workload.trouble {
        Some(trouble) => format!("{}: {why}: {}", workload.name, trouble.line()),
        None => format!("{}: {why}", workload.name),
    })
}

/// Until a Job is over, well.
pub async fn job(client: &Client, namespace: &str, name: &str, deadline: Duration) -> Result<Value> {
    let api: Api<Job> = Api::namespaced(client.clone(), namespace);
    let what = format!("Job {name} in namespace {namespace}");
    let mut patience = Patience::new(deadline);
    let mut last = "it is not there".to_owned();
    loop {
        let found = patience.bear(get_opt(&api, &what, name).await)?.flatten();
        if let Some(job) = &found {
            if jobs::has(job, "Complete") {
                return Ok(json!({"job": name, "succeeded": true, "seconds": patience.seconds()}));
            }
            last = format!(
                "it is under way ({} attempts failed)",
                job.status.as_ref().and_then(|s| s.failed).unwrap_or(0)
            );
        }
        let failed = found.as_ref().is_some_and(|job| jobs::has(job, "Failed"));
        if failed || patience.is_over() {
            let mut text = match failed {
                true => format!("{what} failed"),
                false => format!("{what} is not over within {} s: {last}", deadline.as_secs()),
            };
            for line in diagnose::lines(client, &[namespace.to_owned()])
                .await
                .unwrap_or_default()
            {
                text.push('\n');
                text.push_str(&line);
            }
            let kind = if failed { Kind::Other } else { Kind::Timeout };
            return Err(Error::new(kind, text));
        }
        tokio::time::sleep(POLL).await;
    }
}

//! What is wrong, for people: the guilty pods with their reasons, warnings, and last log lines.

use crate::{
    Result, connect::list, ownership::NAMESPACES, snapshot::log_tail, trouble, view, workload::Workload,
};
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Event, PersistentVolumeClaim, Pod},
};
use kube::{Api, Client, api::ListParams};
use std::collections::BTreeMap;

/// Warnings that are told for a namespace.
const EVENTS: usize = 12;
/// Log lines that are told for a pod.
const LOG_LINES: i64 = 12;
/// Pods whose log is told in one namespace.
const LOGS: usize = 6;

/// Lines about namespaces; about all of ours where none is given.
pub async fn lines(client: &Client, namespaces: &[String]) -> Result<Vec<String>> {
    let all: Vec<String> = match namespaces.is_empty() {
        true => NAMESPACES.iter().map(|name| (*name).to_owned()).collect(),
        false => namespaces.to_vec(),
    };
    let mut lines = Vec::new();
    if namespaces.is_empty() {
        lines.extend(applications(client).await);
    }
    for namespace in &all {
        lines.extend(namespace_lines(client, namespace).await?);
    }
    if lines.is_empty() {
        lines.push("nothing is wrong".to_owned());
    }
    Ok(lines)
}

/// What Argo CD says of each Application that is not well.
async fn applications(client: &Client) -> Vec<String> {
    let reader = crate::snapshot::Reader {
        client: client.clone(),
        argocd: "argocd".to_owned(),
        selector: crate::cli::OURS.to_owned(),
        epoch: std::time::Instant::now(),
    };
    let mut lines = Vec::new();
    for app in reader
        .applications()
        .await
        .unwrap_or_default()
        .into_iter()
        .map(view::without_runs)
    {
        let conditions: Vec<String> = app
            .conditions
            .iter()
            .map(|(kind, message)| format!("{kind}: {message}"))
            .collect();
        let well = app.sync == crate::argo::Sync::Synced && app.health == crate::argo::Health::Healthy;
        if well && conditions.is_empty() {
            continue;
        }
        let operation = app.operation.as_ref().map_or(String::new(), |o| {
            format!(", operation {:?}: {}", o.phase, o.message)
        });
        lines.push(format!(
            "application {}: {:?} {:?} at {}{operation}",
            app.name,
            app.sync,
            app.health,
            app.revision.as_deref().unwrap_or("no commit")
        ));
        lines.extend(conditions.into_iter().map(|text| format!("  {text}")));
    }
    lines
}

async fn namespace_lines(client: &Client, namespace: &str) -> Result<Vec<String>> {
    let all = ListParams::default();
    let what = |kind: &str| format!("{kind} in namespace {namespace}");
    let mut lines = Vec::new();
    let workloads = super::wait::judged(client, namespace).await?;
    lines.extend(
        workloads
            .iter()
            .filter_map(|workload| unsettled(namespace, workload)),
    );

    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pods = list(&pods, &what("Pods"), &all).await?;
    let mut logs = 0;
    for pod in pods.items.iter() {
        let Some(line) = pod_line(pod) else { continue };
        lines.push(format!("{namespace}: {line}"));
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        if logs < LOGS {
            let container = trouble::of_pod(pod)
                .map(|trouble| trouble.container)
                .unwrap_or_default();
            let log = log_tail(client, namespace, name, &container, LOG_LINES)
                .await
                .unwrap_or_default();
            logs += usize::from(!log.is_empty());
            lines.extend(log.into_iter().map(|line| format!("  | {line}")));
        }
    }
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    for job in list(&jobs, &what("Jobs"), &all)
        .await?
        .iter()
        .filter(|job| crate::jobs::has(job, "Failed"))
    {
        lines.push(format!(
            "{namespace}: Job {} failed",
            job.metadata.name.as_deref().unwrap_or_default()
        ));
    }
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    for claim in &list(&claims, &what("PersistentVolumeClaims"), &all).await?.items {
        let phase = claim
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            .unwrap_or("Pending");
        if phase != "Bound" {
            lines.push(format!(
                "{namespace}: volume claim {} is {phase}",
                claim.metadata.name.as_deref().unwrap_or_default()
            ));
        }
    }
    // Where all is well, old warnings would only alarm.
    if !lines.is_empty() {
        let events: Api<Event> = Api::namespaced(client.clone(), namespace);
        let events = list(&events, &what("Events"), &all.clone().fields("type=Warning")).await?;
        lines.extend(
            warnings(&events.items)
                .into_iter()
                .map(|line| format!("{namespace}: {line}")),
        );
    }
    Ok(lines)
}

fn unsettled(namespace: &str, workload: &Workload) -> Option<String> {
    let why = workload.unsettled.as_ref()?;
    Some(format!("{namespace}: {} {}: {why}", workload.kind, workload.name))
}

/// A pod that is not well, in one line.
fn pod_line(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    if let Some(trouble) = trouble::of_pod(pod) {
        return Some(trouble.line());
    }
    let phase = status.phase.as_deref().unwrap_or("Unknown");
    let ready = crate::bridge::is_ready(pod);
    if phase == "Succeeded" || ready || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let conditions = status.conditions.iter().flatten();
    let why = conditions
        .into_iter()
        .find(|condition| {
            condition.status == "False" && condition.message.as_ref().is_some_and(|m| !m.is_empty())
        })
        .and_then(|condition| condition.message.clone());
    let why = why.or(status.message.clone()).unwrap_or_default();
    Some(
        format!("pod {name}: {phase}: {why}")
            .trim_end_matches(": ")
            .to_owned(),
    )
}

/// The newest warnings, each text once.
fn warnings(events: &[Event]) -> Vec<String> {
    let mut latest: BTreeMap<String, (jiff::Timestamp, i32)> = BTreeMap::new();
    for event in events {
        let object = &event.involved_object;
        let text = format!(
            "warning {} of {} {}: {}",
            event.reason.as_deref().unwrap_or_default(),
            object.kind.as_deref().unwrap_or_default(),
            object.name.as_deref().unwrap_or_default(),
            event.message.as_deref().unwrap_or_default()
        );
        let at = event
            .last_timestamp
            .as_ref()
            .map(|time| time.0)
            .or(event.event_time.as_ref().map(|time| time.0))
            .unwrap_or(jiff::Timestamp::MIN);
        let entry = latest.entry(text).or_insert((at, 0));
        entry.0 = entry.0.max(at);
        entry.1 += event.count.unwrap_or(1);
    }
    let mut sorted: Vec<_> = latest.into_iter().collect();
    sorted.sort_by_key(|(_, (at, _))| *at);
    let surplus = sorted.len().saturating_sub(EVENTS);
    sorted
        .into_iter()
        .skip(surplus)
        .map(|(text, (_, count))| match count {
            0 | 1 => text,
            count => format!("{text} ({count} times)"),
        })
        .collect()
}

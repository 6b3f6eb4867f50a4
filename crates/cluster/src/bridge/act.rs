//! What the bridge does to an Application on request: its log, killing a pod, stopping it.

use super::{core::Core, runs};
use crate::{
    Error, Kind, Result,
    argo::{Application, Resource, SKIP},
    bridge::forward::is_ready,
    connect::{merge, within},
    in_cluster::applications,
    workload::STOPPED,
};
use futures_util::future::join_all;
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::Pod,
};
use kube::{Api, api::LogParams, core::NamespaceResourceScope};
use serde_json::{Value, json};

/// The Application of that name.
async fn application(core: &Core, name: &str) -> Result<Option<Application>> {
    let all = core.reader.applications().await?;
    Ok(all.into_iter().find(|app| app.name == name))
}

fn none(of: &str) -> Error {
    Error::new(Kind::NotFound, format!("no application or run {of:?}"))
}

fn workloads(app: &Application) -> impl Iterator<Item = &Resource> {
    app.resources
        .iter()
        .filter(|resource| matches!(resource.kind.as_str(), "Deployment" | "StatefulSet"))
}

/// Pods of an Application's workloads that are not on their way out.
async fn pods(core: &Core, app: &Application) -> Result<Vec<Pod>> {
    let mut found = Vec::new();
    for resource in workloads(app) {
        let (namespace, name) = (&resource.namespace, &resource.name);
        let labels = match resource.kind.as_str() {
            "Deployment" => get::<Deployment>(core, namespace, name)
                .await?
                .spec
                .and_then(|s| s.selector.match_labels),
            _ => get::<StatefulSet>(core, namespace, name)
                .await?
                .spec
                .and_then(|s| s.selector.match_labels),
        };
        let labels = labels.unwrap_or_default();
        let selector: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        found.extend(runs::pods(&core.reader, namespace, &selector.join(",")).await?);
    }
    found.retain(|pod| {
        // Pods of Jobs may carry the same labels.
        let of_job = pod
            .metadata
            .owner_references
            .iter()
            .flatten()
            .any(|owner| owner.kind == "Job");
        pod.metadata.deletion_timestamp.is_none() && !of_job
    });
    Ok(found)
}

async fn get<K>(core: &Core, namespace: &str, name: &str) -> Result<K>
where
    K: kube::Resource<Scope = NamespaceResourceScope> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let api: Api<K> = Api::namespaced(core.reader.client.clone(), namespace);
    within(&format!("get {name} in namespace {namespace}"), api.get(name)).await
}

/// Last lines of an Application's pods, in the order of their times, or of a run.
///
/// # Errors
/// `NotFound`, or what the API server said.
pub async fn logs(core: &Core, of: &str, tail: usize) -> Result<Vec<String>> {
    let Some(app) = application(core, of).await? else {
        return runs::logs(&core.reader, of, tail).await?.ok_or_else(|| none(of));
    };
    if workloads(&app).next().is_none() {
        let status = core.status().await?;
        let templates: Vec<&str> = app.of_kind("CronJob").map(|cron| cron.name.as_str()).collect();
        let newest = status
            .runs
            .iter()
            .find(|run| templates.contains(&run.template.as_str()));
        return match newest {
            Some(run) => Ok(runs::logs(&core.reader, &run.id, tail).await?.unwrap_or_default()),
            None => Ok(Vec::new()),
        };
    }
    let pods = pods(core, &app).await?;
    let read = pods.iter().map(|pod| log(core, pod, tail));
    let mut lines: Vec<(String, String)> = join_all(read).await.into_iter().flatten().collect();
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    let surplus = lines.len().saturating_sub(tail);
    Ok(lines.into_iter().skip(surplus).map(|(_, line)| line).collect())
}

/// Lines of a pod with their times; none while it has not begun.
async fn log(core: &Core, pod: &Pod, tail: usize) -> Vec<(String, String)> {
    let (name, namespace) = (pod.metadata.name.as_deref(), pod.metadata.namespace.as_deref());
    let (name, namespace) = (name.unwrap_or_default(), namespace.unwrap_or_default());
    let api: Api<Pod> = Api::namespaced(core.reader.client.clone(), namespace);
    let params = LogParams {
        tail_lines: i64::try_from(tail).ok(),
        timestamps: true,
        ..LogParams::default()
    };
    let read = within(&format!("read the log of pod {name}"), api.logs(name, &params)).await;
    let text = read.unwrap_or_default();
    let timed = |line: &str| {
        let (time, rest) = line.split_once(' ').unwrap_or(("", line));
        (time.to_owned(), rest.to_owned())
    };
    text.lines().map(timed).collect()
}

/// Deletes one pod of an Application or a run, without grace.
///
/// # Errors
/// `NotFound`, `Conflict` when it has no pod, or what the API server said.
pub async fn kill(core: &Core, of: &str) -> Result<()> {
    let Some(app) = application(core, of).await? else {
        return runs::kill(&core.reader, of).await?.ok_or_else(|| none(of));
    };
    let pods = pods(core, &app).await?;
    let pod = pods.iter().find(|pod| is_ready(pod)).or(pods.first());
    let pod = pod.ok_or_else(|| Error::new(Kind::Conflict, format!("application {of} has no pod")))?;
    runs::delete_now(&core.reader, pod).await
}

/// Stops an Application (Argo CD leaves it alone, no replicas), or starts it again as it was.
///
/// # Errors
/// `NotFound`, or what the API server said.
pub async fn suspend(core: &Core, name: &str, suspended: bool) -> Result<()> {
    let app = application(core, name).await?.ok_or_else(|| none(name))?;
    // Argo CD would heal it: it is told to look away first, and to look again last.
    if suspended {
        skip(core, name, json!("true")).await?;
    }
    for resource in workloads(&app) {
        match resource.kind.as_str() {
            "Deployment" => {
                let replicas = |d: &Deployment| d.spec.as_ref().and_then(|spec| spec.replicas);
                scale(core, resource, suspended, replicas).await?;
            }
            _ => {
                let replicas = |s: &StatefulSet| s.spec.as_ref().and_then(|spec| spec.replicas);
                scale(core, resource, suspended, replicas).await?;
            }
        }
    }
    if !suspended {
        skip(core, name, Value::Null).await?;
    }
    core.refresh();
    Ok(())
}

async fn skip(core: &Core, name: &str, value: Value) -> Result<()> {
    let api = applications(&core.reader.client, &core.reader.argocd);
    let patch = json!({"metadata": {"annotations": {SKIP: value}}});
    merge(&api, &format!("Application {name}"), name, &patch)
        .await
        .map(|_| ())
}

async fn scale<K>(
    core: &Core,
    resource: &Resource,
    suspended: bool,
    replicas: impl Fn(&K) -> Option<i32>,
) -> Result<()>
where
    K: kube::Resource<Scope = NamespaceResourceScope> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let api: Api<K> = Api::namespaced(core.reader.client.clone(), &resource.namespace);
    let what = format!(
        "{} {} in namespace {}",
        resource.kind, resource.name, resource.namespace
    );
    let there = within(&format!("get {what}"), api.get(&resource.name)).await?;
    let kept = there
        .meta()
        .annotations
        .as_ref()
        .and_then(|all| all.get(STOPPED)?.parse::<i32>().ok());
    let patch = match (suspended, kept) {
        (true, None) => json!({
            "metadata": {"annotations": {STOPPED: replicas(&there).unwrap_or(1).to_string()}},
            "spec": {"replicas": 0},
        }),
        (false, Some(kept)) => json!({
            "metadata": {"annotations": {STOPPED: null}},
            "spec": {"replicas": kept},
        }),
        _ => return Ok(()),
    };
    merge(&api, &what, &resource.name, &patch).await.map(|_| ())
}

//! Runs are Jobs made from CronJobs.

use crate::{
    Error, Kind, Result,
    connect::{self, merge, within},
    in_cluster::create,
    jobs::{self, WAITS, Wish},
    output,
    snapshot::{Reader, Snapshot},
};
use engine::{Run, RunPhase};
use jiff::Timestamp;
use k8s_openapi::api::{
    batch::v1::{CronJob, Job},
    core::v1::{ContainerStateTerminated, Pod},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, LogParams},
};
use serde_json::json;
use std::cmp::Reverse;

/// Runs that are told.
const TOLD_MAX: usize = 50;
/// Log lines of a run that are read; its result is among them.
const LINES: i64 = 5000;

/// Runs of every template, newest first, without their output.
pub fn list(snapshot: &Snapshot) -> Vec<Run> {
    let mut found: Vec<(Reverse<_>, Run)> = Vec::new();
    for objects in snapshot.namespaces.values() {
        for job in objects.jobs.iter().filter(|job| jobs::template_of(job).is_some()) {
            let pods = pods_of(job, &objects.pods);
            found.push((Reverse(jobs::created(job)), run_of(job, &pods)));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
    found.into_iter().map(|(_, run)| run).take(TOLD_MAX).collect()
}

/// A Job and its pods as a run, without output.
pub fn run_of(job: &Job, pods: &[&Pod]) -> Run {
    let status = job.status.clone().unwrap_or_default();
    let counted = [status.active, status.succeeded, status.failed];
    let counted: i32 = counted.into_iter().flatten().sum();
    let newest = newest(pods);
    let runs = pods.iter().any(|pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        phase == Some("Running")
    });
    let phase = match (jobs::has(job, "Complete"), jobs::has(job, "Failed")) {
        (true, _) => RunPhase::Succeeded,
        (_, true) => RunPhase::Failed,
        _ if runs => RunPhase::Running,
        _ => RunPhase::Pending,
    };
    let over = jobs::is_over(job);
    let ended = status.completion_time.as_ref().map(|time| time.0).or_else(|| {
        let conditions = status.conditions.iter().flatten();
        let failed = conditions
            .into_iter()
            .find(|c| c.type_ == "Failed" && c.status == "True")?;
        Some(failed.last_transition_time.as_ref()?.0)
    });
    let exit_code = newest.and_then(terminated).map(|ended| ended.exit_code);
    Run {
        id: job.metadata.name.clone().unwrap_or_default(),
        template: jobs::template_of(job).unwrap_or_default().to_owned(),
        phase,
        exit_code: match phase {
            // Its pod may be gone before the Job is.
            RunPhase::Succeeded => exit_code.or(Some(0)),
            _ => exit_code,
        },
        attempts: u32::try_from(counted)
            .unwrap_or(0)
            .max(u32::try_from(pods.len()).unwrap_or(0)),
        started_at: jobs::created(job).to_string(),
        finished_at: ended.filter(|_| over).map(|time| time.to_string()),
        stdout: String::new(),
        log_tail: why_not(job, newest),
    }
}

/// What keeps a run from its end, in Kubernetes' words.
fn why_not(job: &Job, newest: Option<&Pod>) -> Vec<String> {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    let failed = conditions.and_then(|all| all.iter().find(|c| c.type_ == "Failed" && c.status == "True"));
    let failed = failed.map(|condition| {
        format!(
            "the Job failed: {}: {}",
            condition.reason.as_deref().unwrap_or_default(),
            condition.message.as_deref().unwrap_or_default()
        )
    });
    let trouble = newest
        .and_then(crate::trouble::of_pod)
        .map(|trouble| trouble.line());
    let waits = jobs::waits(job).then(|| "waits for another run of its template".to_owned());
    [trouble, waits, failed].into_iter().flatten().collect()
}

fn newest<'a>(pods: &[&'a Pod]) -> Option<&'a Pod> {
    pods.iter()
        .max_by_key(|pod| {
            (
                pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
                pod.metadata.name.clone(),
            )
        })
        .copied()
}

/// How its first container ended, if it did.
fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.first()?;
    let states = [&status.state, &status.last_state];
    states
        .into_iter()
        .find_map(|state| state.as_ref()?.terminated.as_ref())
}

fn pods_of<'a>(job: &Job, pods: &'a [Pod]) -> Vec<&'a Pod> {
    let is_owner = |pod: &&Pod| {
        let owners = pod.metadata.owner_references.iter().flatten();
        owners
            .into_iter()
            .any(|owner| Some(&owner.uid) == job.metadata.uid.as_ref())
    };
    pods.iter().filter(is_owner).collect()
}

/// A Job with its pods, found by name in the namespaces of ours.
async fn find_job(reader: &Reader, id: &str) -> Result<Option<(Job, Vec<Pod>)>> {
    for namespace in namespaces(reader).await? {
        let api: Api<Job> = Api::namespaced(reader.client.clone(), &namespace);
        let what = format!("Job {id} in namespace {namespace}");
        let Some(job) = connect::get_opt(&api, &what, id).await? else {
            continue;
        };
        if jobs::template_of(&job).is_none() {
            continue;
        }
        let pods: Vec<Pod> = reader.all(&namespace, "Pods").await?;
        let mine: Vec<Pod> = pods_of(&job, &pods).into_iter().cloned().collect();
        return Ok(Some((job, mine)));
    }
    Ok(None)
}

/// Namespaces with CronJobs of ours.
async fn namespaces(reader: &Reader) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for app in reader.applications().await? {
        found.extend(app.of_kind("CronJob").map(|cron| cron.namespace.clone()));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The run of that id with its output; `None` when there is none.
///
/// # Errors
/// What the API server said.
pub async fn find(reader: &Reader, id: &str) -> Result<Option<Run>> {
    let Some((job, pods)) = find_job(reader, id).await? else {
        return Ok(None);
    };
    let pods: Vec<&Pod> = pods.iter().collect();
    let mut run = run_of(&job, &pods);
    if let Some(log) = log(reader, &pods, LINES).await {
        let (stdout, mut lines) = output::split(&log);
        run.stdout = stdout;
        lines.append(&mut run.log_tail);
        run.log_tail = lines;
    }
    Ok(Some(run))
}

/// Last lines of a run's last attempt; `None` when there is no such run.
///
/// # Errors
/// What the API server said.
pub async fn logs(reader: &Reader, id: &str, tail: usize) -> Result<Option<Vec<String>>> {
    let Some((_, pods)) = find_job(reader, id).await? else {
        return Ok(None);
    };
    let pods: Vec<&Pod> = pods.iter().collect();
    let log = log(reader, &pods, i64::try_from(tail).unwrap_or(LINES)).await;
    Ok(Some(log.unwrap_or_default().lines().map(str::to_owned).collect()))
}

/// The log of the last attempt; nothing while its container has not begun.
async fn log(reader: &Reader, pods: &[&Pod], lines: i64) -> Option<String> {
    let pod = newest(pods)?;
    let api: Api<Pod> = Api::namespaced(reader.client.clone(), pod.metadata.namespace.as_deref()?);
    let params = LogParams {
        tail_lines: Some(lines),
        ..LogParams::default()
    };
    let name = pod.metadata.name.as_deref()?;
    within(&format!("read the log of pod {name}"), api.logs(name, &params))
        .await
        .ok()
}

/// Starts a run, under a name where one is given (a Job of that name is that run); where runs of the template must not overlap and one is not over, the Job is made
/// suspended and let go when its turn comes.
///
/// # Errors
/// `NotFound`, or what the API server said.
pub async fn start(
    reader: &Reader,
    template: &str,
    name: Option<&str>,
    args: &[String],
    env: &[(String, String)],
) -> Result<Run> {
    let cron = template_named(reader, template).await?;
    let namespace = cron.metadata.namespace.clone().unwrap_or_default();
    let jobs: Vec<Job> = reader.all(&namespace, "Jobs").await?;
    let there = |jobs: &[Job]| {
        let same = |job: &&Job| name.is_some() && job.metadata.name.as_deref() == name;
        jobs.iter().find(same).map(|job| run_of(job, &[]))
    };
    if let Some(run) = there(&jobs) {
        return Ok(run);
    }
    let waits = jobs::one_at_a_time(&cron) && !jobs::unfinished(&jobs, template).is_empty();
    let wish = Wish {
        args,
        env,
        waits_since: waits.then(Timestamp::now),
        name,
    };
    match create(&reader.client, &cron, wish).await {
        Ok(job) => Ok(run_of(&job, &[])),
        // Another one was faster.
        Err(error) if error.kind == Kind::Conflict => {
            there(&reader.all(&namespace, "Jobs").await?).ok_or(error)
        }
        Err(error) => Err(error),
    }
}

async fn template_named(reader: &Reader, template: &str) -> Result<CronJob> {
    for app in reader.applications().await? {
        let Some(resource) = app.of_kind("CronJob").find(|cron| cron.name == template) else {
            continue;
        };
        let api: Api<CronJob> = Api::namespaced(reader.client.clone(), &resource.namespace);
        let what = format!("CronJob {template} in namespace {}", resource.namespace);
        if let Some(cron) = connect::get_opt(&api, &what, template).await? {
            return Ok(cron);
        }
    }
    Err(Error::new(
        Kind::NotFound,
        format!("no CronJob {template:?} in any application"),
    ))
}

/// Lets the waiting runs go whose turn has come.
///
/// # Errors
/// What the API server said.
pub async fn let_go(reader: &Reader, snapshot: &[Job]) -> Result<()> {
    let mut templates: Vec<&str> = snapshot
        .iter()
        .filter(|job| jobs::waits(job))
        .filter_map(jobs::template_of)
        .collect();
    templates.sort_unstable();
    templates.dedup();
    for template in templates {
        let Some(job) = jobs::next_turn(snapshot, template) else {
            continue;
        };
        let (name, namespace) = (job.metadata.name.as_deref(), job.metadata.namespace.as_deref());
        let (name, namespace) = (name.unwrap_or_default(), namespace.unwrap_or_default());
        let api: Api<Job> = Api::namespaced(reader.client.clone(), namespace);
        // Whoever came first has it: a change meanwhile makes this fail, and the next look decides.
        let patch = json!({
            "metadata": {"resourceVersion": job.metadata.resource_version, "annotations": {WAITS: null}},
            "spec": {"suspend": false},
        });
        merge(
            &api,
            &format!("Job {name} in namespace {namespace}"),
            name,
            &patch,
        )
        .await?;
    }
    Ok(())
}

/// SIGKILL to a run's pod, by deleting it without grace; `None` when there is no such run.
///
/// # Errors
/// What the API server said, `Conflict` when it has no pod that runs.
pub async fn kill(reader: &Reader, id: &str) -> Result<Option<()>> {
    let Some((_, pods)) = find_job(reader, id).await? else {
        return Ok(None);
    };
    let alive = |pod: &&Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        matches!(phase, Some("Running" | "Pending"))
    };
    let Some(pod) = pods.iter().find(alive) else {
        return Err(Error::new(
            Kind::Conflict,
            format!("run {id} has no pod that runs"),
        ));
    };
    delete_now(reader, pod).await.map(Some)
}

/// Deletes a pod with a grace period of 0.
///
/// # Errors
/// What the API server said.
pub async fn delete_now(reader: &Reader, pod: &Pod) -> Result<()> {
    let (name, namespace) = (pod.metadata.name.as_deref(), pod.metadata.namespace.as_deref());
    let (name, namespace) = (name.unwrap_or_default(), namespace.unwrap_or_default());
    let api: Api<Pod> = Api::namespaced(reader.client.clone(), namespace);
    let params = DeleteParams::default().grace_period(0);
    let what = format!("delete pod {name} in namespace {namespace}");
    within(&what, api.delete(name, &params)).await.map(|_| ())
}

/// Pods of a namespace that a selector selects.
///
/// # Errors
/// What the API server said.
pub async fn pods(reader: &Reader, namespace: &str, selector: &str) -> Result<Vec<Pod>> {
    let api: Api<Pod> = Api::namespaced(reader.client.clone(), namespace);
    let params = ListParams::default().labels(selector);
    Ok(
        connect::list(&api, &format!("Pods in namespace {namespace}"), &params)
            .await?
            .items,
    )
}

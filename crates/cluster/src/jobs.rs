//! Pure: Jobs made from CronJobs.

use crate::{Error, Result};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        batch::v1::{CronJob, Job},
        core::v1::EnvVar,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};

/// As `kubectl create job --from` marks what a person started.
pub const INSTANTIATE: &str = "cronjob.kubernetes.io/instantiate";
/// A Job that waits, suspended, for another of its template; the bridge lets it go.
pub const WAITS: &str = "driftless.dev/waits-for-its-turn";
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// A Job's name is a label of its pods, which is bounded.
const NAME_MAX: usize = 63;

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Appended to the container's.
    pub args: &'a [String],
    /// Set over the container's.
    pub env: &'a [(String, String)],
    /// Made suspended: another one has to end before. Whoever has waited longest is next.
    pub waits_since: Option<Timestamp>,
    /// Of the Job; random where it is not given.
    pub name: Option<&'a str>,
}

/// How a Job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Whether its last pod ended with 0.
    pub succeeded: bool,
    /// When, in milliseconds since 1970, where the API server knows.
    pub at_ms: Option<i64>,
    /// The exit code, where a rule of the Job speaks of it.
    pub exit_code: Option<i32>,
    /// In Kubernetes' words.
    pub message: String,
}

/// How it ended; `None` while it has not.
pub fn end(job: &Job) -> Option<End> {
    let status = job.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    let over =
        conditions.find(|c| c.status == "True" && matches!(c.type_.as_str(), "Complete" | "Failed"))?;
    let message = over.message.clone().unwrap_or_default();
    let at = status
        .completion_time
        .as_ref()
        .or(over.last_transition_time.as_ref());
    Some(End {
        succeeded: over.type_ == "Complete",
        at_ms: at.map(|time| time.0.as_millisecond()),
        exit_code: exit_code(&message),
        message,
    })
}

/// "Container trainer for pod training/x failed with exit code 12 matching FailJob rule at index 0".
fn exit_code(message: &str) -> Option<i32> {
    let (_, rest) = message.split_once("exit code ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The Job of one run of `template`, with `random` in its name (six letters are used) where the wish names none.
///
/// # Errors
/// A template without a container.
pub fn job_of(template: &CronJob, wish: Wish, random: &[u8]) -> Result<Job> {
    let name = template.metadata.name.clone().unwrap_or_default();
    let no = |what: &str| Error::other(format!("make a Job of CronJob {name}: {what}"));
    let made_from = &template.spec.job_template;
    let mut spec = made_from
        .spec
        .clone()
        .ok_or_else(|| no("its template has no spec"))?;
    let pod = spec
        .template
        .spec
        .as_mut()
        .ok_or_else(|| no("its pod has no spec"))?;
    let container = pod
        .containers
        .first_mut()
        .ok_or_else(|| no("its pod has no container"))?;
    if !wish.args.is_empty() {
        container
            .args
            .get_or_insert_default()
            .extend_from_slice(wish.args);
    }
    if !wish.env.is_empty() {
        let given = container.env.get_or_insert_default();
        given.retain(|variable| !wish.env.iter().any(|(name, _)| *name == variable.name));
        given.extend(wish.env.iter().map(|(name, value)| EnvVar {
            name: name.clone(),
            value: Some(value.clone()),
            value_from: None,
        }));
    }
    let of_template = made_from.metadata.clone().unwrap_or_default();
    let mut annotations = of_template.annotations.unwrap_or_default();
    annotations.insert(INSTANTIATE.to_owned(), "manual".to_owned());
    if let Some(since) = wish.waits_since {
        spec.suspend = Some(true);
        annotations.insert(WAITS.to_owned(), format!("{:020}", since.as_nanosecond()));
    }
    let suffix: String = random.iter().take(6).map(|byte| letter(*byte)).collect();
    let stem: String = name.chars().take(NAME_MAX - 1 - suffix.len()).collect();
    let own_name = match wish.name {
        Some(own) => own.to_owned(),
        None => format!("{stem}-{suffix}"),
    };
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(own_name),
            namespace: template.metadata.namespace.clone(),
            labels: of_template.labels,
            annotations: Some(annotations),
            owner_references: Some(vec![OwnerReference {
                api_version: "batch/v1".to_owned(),
                kind: "CronJob".to_owned(),
                name: name.clone(),
                uid: template.metadata.uid.clone().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: None,
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    })
}

fn letter(byte: u8) -> char {
    LETTERS
        .get(usize::from(byte) % LETTERS.len())
        .map_or('x', |letter| char::from(*letter))
}

/// Name of the CronJob that it was made from.
pub fn template_of(job: &Job) -> Option<&str> {
    let owners = job.metadata.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.kind == "CronJob")?;
    Some(&owner.name)
}

/// Whether a condition of that type holds.
pub fn has(job: &Job, condition: &str) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    let holds = |c: &k8s_openapi::api::batch::v1::JobCondition| c.type_ == condition && c.status == "True";
    conditions.is_some_and(|conditions| conditions.iter().any(holds))
}

/// Whether it is over, whatever its end.
pub fn is_over(job: &Job) -> bool {
    has(job, "Complete") || has(job, "Failed")
}

/// Whether it waits for another of its template.
pub fn waits(job: &Job) -> bool {
    let annotations = job.metadata.annotations.as_ref();
    annotations.is_some_and(|annotations| annotations.contains_key(WAITS))
        && job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true)
}

/// Unfinished Jobs of a template, oldest first.
pub fn unfinished<'a>(jobs: &'a [Job], template: &str) -> Vec<&'a Job> {
    let mut found: Vec<&Job> = jobs
        .iter()
        .filter(|job| template_of(job) == Some(template) && !is_over(job))
        .collect();
    found.sort_by_key(|job| (created(job), since(job).to_owned(), job.metadata.name.clone()));
    found
}

/// Since when a Job waits, in words that sort: the API server's times have steps of a second.
fn since(job: &Job) -> &str {
    let annotations = job.metadata.annotations.as_ref();
    let since = annotations.and_then(|annotations| annotations.get(WAITS));
    since.map_or("", String::as_str)
}

/// When it was made, by the API server's clock.
pub fn created(job: &Job) -> Timestamp {
    job.metadata
        .creation_timestamp
        .as_ref()
        .map_or(Timestamp::MIN, |time| time.0)
}

/// Whether runs of this template must not overlap.
pub fn one_at_a_time(template: &CronJob) -> bool {
    let policy = template.spec.concurrency_policy.as_deref();
    matches!(policy, Some("Forbid" | "Replace"))
}

/// The Job whose turn it is: the oldest that waits, where no other of its template runs.
pub fn next_turn<'a>(jobs: &'a [Job], template: &str) -> Option<&'a Job> {
    let open = unfinished(jobs, template);
    match open.iter().any(|job| !waits(job)) {
        true => None,
        false => open.first().copied(),
    }
}

#[cfg(test)]
mod tests;

//! What an application should be on this machine: values made from its objects, nothing else.

use crate::{config::StandIn, services::ServicePort};
use engine::NotHonoured;
use k8s_openapi::api::core::v1::Container;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One application: a sub-folder of the environment's overlays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppPlan {
    /// By name.
    pub deployments: Vec<DeploymentPlan>,
    /// By name.
    pub crons: Vec<CronPlan>,
    /// Run once for each (name, hash).
    pub jobs: Vec<JobPlan>,
    /// Ports on this machine.
    pub services: Vec<ServicePort>,
    /// What of the objects is not honoured.
    pub not_honoured: Vec<NotHonoured>,
}

/// What a process of a pod is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PodPlan {
    /// Name of the Deployment, CronJob or Job.
    pub workload: String,
    /// Its namespace.
    pub namespace: String,
    /// Labels of the template.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the template.
    pub annotations: BTreeMap<String, String>,
    /// The container that runs.
    pub container: Container,
    /// ConfigMaps of the namespace.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// SIGKILL so long after SIGTERM.
    pub grace_s: u32,
}

/// How a probe asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeAction {
    /// `GET <path>` must answer with 200 to 399.
    Http(String),
    /// A connection must be accepted.
    Tcp,
}

/// One probe; times in seconds, as in the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbePlan {
    /// How it asks.
    pub action: ProbeAction,
    /// Not asked earlier than this after the start.
    pub initial_delay_s: u32,
    /// Between two questions.
    pub period_s: u32,
    /// For one answer.
    pub timeout_s: u32,
    /// Failures in a row that count.
    pub failure_threshold: u32,
    /// Successes in a row that count.
    pub success_threshold: u32,
}

/// The probes of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    /// Until it succeeds the others are not asked.
    pub startup: Option<ProbePlan>,
    /// Whether it may serve.
    pub readiness: Option<ProbePlan>,
    /// Whether it must be restarted.
    pub liveness: Option<ProbePlan>,
}

/// A Deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentPlan {
    /// Identity of the template with its port; a change rolls the pods.
    pub hash: String,
    /// The template.
    pub pod: PodPlan,
    /// Wanted replicas.
    pub replicas: u32,
    /// A rollout may take so long.
    pub progress_deadline_s: u32,
    /// Its probes.
    pub probes: Probes,
    /// Port on 127.0.0.1 that a Service gives it.
    pub host_port: Option<u16>,
    /// What runs instead of the image.
    pub stand_in: Option<StandIn>,
}

/// What an exit code means for a Job (`podFailurePolicy`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRule {
    /// See [`FailureAction`].
    pub action: FailureAction,
    /// `In` (true) or `NotIn`.
    pub inside: bool,
    /// Exit codes.
    pub codes: Vec<i32>,
}

/// `action` of a `podFailurePolicy` rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureAction {
    /// The Job has failed, whatever retries are left.
    FailJob,
    /// Tried again without counting.
    Ignore,
    /// As without a rule.
    Count,
}

/// A Job, or the template of a CronJob's Jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobPlan {
    /// Identity of the whole Job spec.
    pub hash: String,
    /// The template.
    pub pod: PodPlan,
    /// Retries before it counts as failed.
    pub backoff_limit: u32,
    /// Over all attempts.
    pub active_deadline_s: Option<u32>,
    /// In order; the first that matches decides.
    pub failure_rules: Vec<FailureRule>,
}

/// `concurrencyPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Concurrency {
    /// Runs may overlap.
    #[default]
    Allow,
    /// A start is skipped while a run is active.
    Forbid,
    /// A start ends the active run.
    Replace,
}

/// A CronJob.
#[derive(Clone, Debug, PartialEq)]
pub struct CronPlan {
    /// What it starts.
    pub job: JobPlan,
    /// Five fields.
    pub schedule: String,
    /// IANA name; UTC where absent.
    pub time_zone: Option<String>,
    /// Nothing is started by the clock.
    pub suspend: bool,
    /// See [`Concurrency`].
    pub concurrency: Concurrency,
    /// A start later than this is skipped.
    pub starting_deadline_s: Option<u32>,
    /// Succeeded runs kept.
    pub keep_succeeded: usize,
    /// Failed runs kept.
    pub keep_failed: usize,
}

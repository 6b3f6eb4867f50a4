//! Status in Argo CD's words, so that one client reads both engines.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `status.sync.status` of an Application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sync {
    /// What runs was made from `revision`.
    Synced,
    /// `main` holds something that does not run yet.
    OutOfSync,
    /// The overlay could not be rendered or Git not be read; see `conditions`.
    Unknown,
}

/// `status.health.status` of an Application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// All wanted replicas are ready (none wanted counts).
    Healthy,
    /// On its way, inside the deadline.
    Progressing,
    /// Did not become ready inside the deadline, or keeps crashing.
    Degraded,
    /// Stopped on purpose.
    Suspended,
    /// Nothing of it exists yet.
    Missing,
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One replica of an application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// Pod name (or its local counterpart).
    pub name: String,
    /// Process id, where the engine runs processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Passed its readiness probe last time.
    pub ready: bool,
    /// Restarts since it was first started.
    pub restarts: u32,
    /// Image with digest.
    pub image: String,
    /// Resident memory, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
}

/// Something a reader must know (Argo CD's `status.conditions`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// E.g. `ComparisonError`, `SyncError`, `DegradedRelease`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In words; for a degraded release with its last log lines.
    pub message: String,
}

/// A field of a manifest that this engine cannot honour: said, never silently dropped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotHonoured {
    /// `Kind/name`.
    pub object: String,
    /// Path inside the object.
    pub field: String,
    /// What happens instead.
    pub instead: String,
}

/// One Application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppStatus {
    /// Folder of the overlay.
    pub name: String,
    /// Argo CD's sync word.
    pub sync: Sync,
    /// Argo CD's health word.
    pub health: Health,
    /// Commit of `main` last compared with (full hex).
    pub revision: String,
    /// Commit that what runs now was last rolled out from; trails `revision` while rolling and
    /// where the new release is degraded. Equal to `revision` when Synced.
    pub live_revision: String,
    /// Why it is in this state, one line; empty when Synced and Healthy.
    #[serde(default)]
    pub message: String,
    /// Images that run, with digests.
    #[serde(default)]
    pub images: Vec<String>,
    /// Replicas wanted by the manifest.
    pub replicas_wanted: u32,
    /// Replicas that run.
    #[serde(default)]
    pub replicas: Vec<Replica>,
    /// Address on this machine, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Set where something stands in for the manifest's image, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<String>,
    /// See [`Condition`].
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// See [`NotHonoured`].
    #[serde(default)]
    pub not_honoured: Vec<NotHonoured>,
    /// Next start of a CronJob (RFC 3339), where it has a schedule that is not suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_schedule: Option<String>,
}

/// State of a run (a Job).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunPhase {
    /// Waiting for another run (concurrencyPolicy) or for a retry.
    Pending,
    /// A process runs.
    Running,
    /// Ended with 0.
    Succeeded,
    /// Ended otherwise and no retries are left.
    Failed,
}

/// One run of a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Id, e.g. `training-7f3a2c`.
    pub id: String,
    /// Template it was made from.
    pub template: String,
    /// Where it is.
    pub phase: RunPhase,
    /// Exit code of the last attempt, once it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Attempts so far.
    pub attempts: u32,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339, once over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Standard output of the last attempt (the trainer's JSON result), bounded to 64 KiB.
    #[serde(default)]
    pub stdout: String,
    /// Last lines of its standard error.
    #[serde(default)]
    pub log_tail: Vec<String>,
}

/// Everything the engine has to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `local`, `minikube` or `cluster`.
    pub engine: String,
    /// Head of `main` as last seen (full hex), empty before the first look.
    pub revision: String,
    /// Applications in the order of their names.
    pub apps: Vec<AppStatus>,
    /// Runs, newest first, bounded.
    #[serde(default)]
    pub runs: Vec<Run>,
}

impl Status {
    /// The application of that name.
    pub fn app(&self, name: &str) -> Option<&AppStatus> {
        self.apps.iter().find(|app| app.name == name)
    }
}

impl AppStatus {
    /// The one rule for "my commit is live": synced at exactly this commit and healthy.
    pub fn is_live_at(&self, commit: &str) -> bool {
        self.sync == Sync::Synced
            && self.health == Health::Healthy
            && self.revision == commit
            && self.live_revision == commit
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let short = |hex: &str| hex.get(..7).unwrap_or(hex).to_owned();
        let ready = self.replicas.iter().filter(|r| r.ready).count();
        let mut line = format!(
            "{}: {} {} at {} ({ready}/{} ready)",
            self.name,
            self.sync,
            self.health,
            short(&self.revision),
            self.replicas_wanted
        );
        if !self.message.is_empty() {
            line.push_str(": ");
            line.push_str(&self.message);
        }
        line
    }
}

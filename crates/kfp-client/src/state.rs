//! Runs and their tasks as the server tells of them.

use crate::answer;
use serde::{Deserialize, Serialize};

/// State of a run or a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Option<String>")]
pub enum RunState {
    /// Asked for, not begun.
    Pending,
    /// On its way.
    Running,
    /// Over, well.
    Succeeded,
    /// Not needed: cached, or a condition was false.
    Skipped,
    /// Over, not well. A run that was terminated ends so too.
    Failed,
    /// Being terminated.
    Canceling,
    /// Known to the protocol; 2.17.0 was never seen to say it.
    Canceled,
    /// Paused.
    Paused,
    /// Not said yet.
    #[default]
    Unknown,
    /// A word of a later version.
    Other(String),
}

impl From<Option<String>> for RunState {
    fn from(text: Option<String>) -> Self {
        match text.as_deref() {
            Some("PENDING") => Self::Pending,
            Some("RUNNING") => Self::Running,
            Some("SUCCEEDED") => Self::Succeeded,
            Some("SKIPPED") => Self::Skipped,
            Some("FAILED") => Self::Failed,
            Some("CANCELING") => Self::Canceling,
            Some("CANCELED") => Self::Canceled,
            Some("PAUSED") => Self::Paused,
            None | Some("" | "RUNTIME_STATE_UNSPECIFIED") => Self::Unknown,
            Some(other) => Self::Other(other.to_owned()),
        }
    }
}

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Skipped => "SKIPPED",
            Self::Failed => "FAILED",
            Self::Canceling => "CANCELING",
            Self::Canceled => "CANCELED",
            Self::Paused => "PAUSED",
            Self::Unknown => "unknown",
            Self::Other(text) => text,
        })
    }
}

impl RunState {
    /// Whether nothing more will happen.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Skipped | Self::Failed | Self::Canceled
        )
    }

    /// Whether it is over and all is well.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped)
    }
}

/// Which document a run is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionReference {
    /// Id of the pipeline.
    #[serde(default)]
    pub pipeline_id: String,
    /// Id of the version; `None` takes the newest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_version_id: Option<String>,
}

/// A run as the server holds it. Its `error`, and that of each task, is null in every failure of
/// 2.17.0, and so is left out here.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Run {
    /// Id.
    pub run_id: String,
    /// Shown in lists.
    #[serde(default, deserialize_with = "answer::text")]
    pub display_name: String,
    /// Free text.
    #[serde(default, deserialize_with = "answer::text")]
    pub description: String,
    /// Id of its experiment.
    #[serde(default, deserialize_with = "answer::text")]
    pub experiment_id: String,
    /// State.
    #[serde(default)]
    pub state: RunState,
    /// RFC 3339.
    #[serde(default, deserialize_with = "answer::time")]
    pub created_at: Option<String>,
    /// RFC 3339; `None` before its end, where the server says 1970.
    #[serde(default, deserialize_with = "answer::time")]
    pub finished_at: Option<String>,
    /// What it is a run of; `None` for a document that was sent with it.
    #[serde(default)]
    pub pipeline_version_reference: Option<VersionReference>,
    /// Id of the recurring run that started it; empty where there is none.
    #[serde(default, deserialize_with = "answer::text")]
    pub recurring_run_id: String,
    /// Tasks; `None` before the first one.
    #[serde(default)]
    pub run_details: Option<RunDetails>,
    /// What plugins (MLflow) say, as it comes.
    #[serde(default)]
    pub plugins_output: Option<serde_json::Value>,
}

impl Run {
    /// The nodes of the workflow: drivers, executors, attempts and groups besides the tasks.
    pub fn tasks(&self) -> &[Task] {
        self.run_details
            .as_ref()
            .map_or(&[], |details| &details.task_details)
    }

    /// The tasks of the pipeline with their states, each once, in the order of their start: what a
    /// person asks for.
    pub fn steps(&self) -> Vec<(&str, &RunState)> {
        crate::nodes::steps(self.tasks())
    }
}

/// Details of a run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct RunDetails {
    /// Nodes of the workflow.
    #[serde(default, deserialize_with = "answer::list")]
    pub task_details: Vec<Task>,
}

/// A node of the workflow. It does not say its own node id; its parent's [`ChildTask`] does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Task {
    /// `train`, `train-driver(0)`, `executor`, ... or empty. The task's key, not its shown name.
    #[serde(default, deserialize_with = "answer::text")]
    pub display_name: String,
    /// State.
    #[serde(default)]
    pub state: RunState,
    /// RFC 3339.
    #[serde(default, deserialize_with = "answer::time")]
    pub start_time: Option<String>,
    /// RFC 3339.
    #[serde(default, deserialize_with = "answer::time")]
    pub end_time: Option<String>,
    /// Nodes that follow from it.
    #[serde(default, deserialize_with = "answer::list")]
    pub child_tasks: Vec<ChildTask>,
}

/// A node that follows from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ChildTask {
    /// Node id (`<workflow>-<hash>`); not the name of a pod, whatever it is called.
    #[serde(default, deserialize_with = "answer::text")]
    pub pod_name: String,
}

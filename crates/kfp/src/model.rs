//! A pipeline as a value. Its maps are sorted, and whatever has two spellings in IR has one here, so that
//! two equal pipelines are the same document.

use crate::condition::Condition;
use crate::container::{Container, Retry};
use crate::kind::{ArtifactType, Kind};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipeline {
    /// Lower-case letters, digits and '-'.
    pub name: String,
    /// For people.
    pub display_name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Parameters of a run, and what a run leaves.
    pub face: Face,
    /// Its tasks.
    pub dag: Dag,
    /// What tasks run, by name (in IR `comp-NAME` and `exec-NAME`).
    pub components: BTreeMap<String, Component>,
    /// How long the workflow objects of a run are kept, and how long a run may take.
    pub lifetime: Lifetime,
}

/// Seconds; none is the server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// `resourceTtlOnCompletion`; without effect beside the stock install's own.
    pub after_end_seconds: Option<u32>,
    /// `resourceTtlOnSuccess`.
    pub after_success_seconds: Option<u32>,
    /// `resourceTtlOnFailure`.
    pub after_failure_seconds: Option<u32>,
    /// `activeDeadlineSeconds` of the whole run.
    pub deadline_seconds: Option<u32>,
}

/// Inputs and outputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Face {
    /// Parameters that are given.
    pub parameters: BTreeMap<String, Input>,
    /// Artifacts that are given.
    pub artifacts: BTreeMap<String, ArtifactInput>,
    /// Parameters that are left.
    pub results: BTreeMap<String, Output>,
    /// Artifacts that are left.
    pub products: BTreeMap<String, ArtifactOutput>,
}

/// An input parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its type.
    pub kind: Kind,
    /// What is taken where nothing is given. The server applies it to root inputs and to those of a
    /// sub-DAG alone, never to a container's.
    pub default: Option<Value>,
    /// Whether it may be left out.
    pub optional: bool,
    /// For people.
    pub description: Option<String>,
    /// The only values it takes, where there are such.
    pub literals: Vec<Value>,
}

impl Input {
    /// A required one.
    pub fn new(kind: Kind) -> Self {
        Input {
            kind,
            default: None,
            optional: false,
            description: None,
            literals: Vec::new(),
        }
    }

    /// One with a default.
    pub fn or(kind: Kind, default: Value) -> Self {
        Input {
            default: Some(crate::value::canonical(default)),
            optional: true,
            ..Input::new(kind)
        }
    }
}

/// An output parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its type.
    pub kind: Kind,
    /// For people.
    pub description: Option<String>,
}

/// An input artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactInput {
    /// Its type.
    pub kind: ArtifactType,
    /// Whether it is a list of them.
    pub list: bool,
    /// Whether it may be left out.
    pub optional: bool,
    /// For people.
    pub description: Option<String>,
}

/// An output artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactOutput {
    /// Its type.
    pub kind: ArtifactType,
    /// Whether it is a list of them.
    pub list: bool,
    /// For people.
    pub description: Option<String>,
}

/// What a task runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Its inputs and outputs.
    pub face: Face,
    /// What it does.
    pub body: Body,
}

/// What a component does.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Starts one program.
    Container(Box<Container>),
    /// Runs tasks of its own.
    Dag(Dag),
}

/// Tasks, and where what they leave goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dag {
    /// By key, which is the name that the server shows.
    pub tasks: BTreeMap<String, Task>,
    /// Where each output parameter comes from: the first of these tasks' outputs that is there.
    pub results: BTreeMap<String, Selected>,
    /// Where each output artifact comes from.
    pub products: BTreeMap<String, Selected>,
}

/// Where an output of a DAG comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// This one.
    From(TaskOutput),
    /// Whichever of these ran: branches of which one runs.
    OneOf(Vec<TaskOutput>),
}

impl Selected {
    /// All that it may come from.
    pub fn all(&self) -> &[TaskOutput] {
        match self {
            Selected::From(one) => std::slice::from_ref(one),
            Selected::OneOf(several) => several,
        }
    }
}

/// An output of a task of the same DAG.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskOutput {
    /// Key of the task.
    pub task: String,
    /// Name of the output.
    pub output: String,
}

/// A component with its inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// Name of the component.
    pub component: String,
    /// `taskInfo.name`, where it is not the key.
    pub display_name: Option<String>,
    /// Where each parameter comes from.
    pub parameters: BTreeMap<String, Source>,
    /// Where each artifact comes from.
    pub artifacts: BTreeMap<String, ArtifactSource>,
    /// Tasks that come first although nothing is taken from them.
    pub after: BTreeSet<String>,
    /// Whether an earlier run's result is taken.
    pub cache: Cache,
    /// Run only if this holds; it reads the task's own parameters.
    pub when: Option<Condition>,
    /// Run also when a task before it has failed (`ALL_UPSTREAM_TASKS_COMPLETED`): exit tasks.
    pub even_if_failed: bool,
    /// Start again after a failure.
    pub retry: Option<Retry>,
    /// Run once for each item.
    pub each: Option<Each>,
}

/// Where a parameter comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A constant.
    Constant(Value),
    /// Text with other parameters of the same task in it.
    Text(crate::argument::Template),
    /// What the server knows of the run.
    Runtime(Runtime),
    /// An input of the DAG that the task is in.
    Parent {
        /// Name of the input.
        input: String,
        /// A field of it: the input is an object, or JSON of one.
        field: Option<String>,
    },
    /// What another task left.
    Task {
        /// Whose and which.
        from: TaskOutput,
        /// A field of it.
        field: Option<String>,
    },
    /// How this task ended.
    FinalStatus(String),
}

/// Where an artifact comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactSource {
    /// An input of the DAG that the task is in.
    Parent(String),
    /// What another task left.
    Task(TaskOutput),
}

macro_rules! runtime {
    ($($name:ident = $word:literal, $doc:literal;)*) => {
        /// What the server knows of the run. It is filled in where it is a whole input of a task, and
        /// nowhere else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Runtime {$(#[doc = $doc] $name,)*}

        impl Runtime {
            /// Every one.
            pub const ALL: &'static [Runtime] = &[$(Runtime::$name),*];

            /// Inside `{{$.…}}`.
            pub fn word(self) -> &'static str {
                match self {$(Runtime::$name => $word,)*}
            }
        }
    };
}

runtime! {
    RunId = "pipeline_job_uuid", "Id of the run.";
    RunName = "pipeline_job_name", "Display name of the run.";
    WorkflowName = "pipeline_job_resource_name", "Name of the Workflow object.";
    TaskName = "pipeline_task_name", "Key of the task.";
    TaskId = "pipeline_task_uuid", "Number of the task's execution.";
    Created = "pipeline_job_create_time_utc", "When the run was made.";
    Scheduled = "pipeline_job_schedule_time_utc", "When the run was due.";
}

/// Whether an earlier run's result is taken. The key has inputs, outputs, command, arguments and the
/// image's reference in it; environment and platform settings are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// Never.
    #[default]
    Off,
    /// By content.
    On,
    /// By this key.
    Key(String),
}

/// A loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Each {
    /// Input of the component that takes the item.
    pub item: String,
    /// What is gone through.
    pub items: Items,
    /// Items at the same time; none is without limit.
    pub parallelism: Option<u32>,
}

/// What a loop goes through.
#[derive(Clone, Debug, PartialEq)]
pub enum Items {
    /// These.
    Constant(Vec<Value>),
    /// A parameter of the task, which is a list.
    Parameter(String),
}

//! The platform document: what only Kubernetes knows of a step.

use serde_json::Value;
use std::collections::BTreeMap;

/// Settings of one step's pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kubernetes {
    /// Without one a missing image or Secret keeps a run RUNNING for ever.
    pub deadline_seconds: Option<u64>,
    /// When the image is pulled; images that were loaded into a node are there already.
    pub pull_policy: Option<PullPolicy>,
    /// Secrets with which images are pulled.
    pub pull_secrets: Vec<Named>,
    /// Keys of Secrets as variables.
    pub secret_env: Vec<KeysAsEnv>,
    /// Keys of ConfigMaps as variables.
    pub config_map_env: Vec<KeysAsEnv>,
    /// Secrets as folders.
    pub secret_volumes: Vec<Volume>,
    /// ConfigMaps as folders.
    pub config_map_volumes: Vec<Volume>,
    /// Claims as folders.
    pub claims: Vec<Claim>,
    /// Empty folders; a user that is not root needs one at /tmp.
    pub empty_dirs: Vec<EmptyDir>,
    /// Labels of the pod.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pod.
    pub annotations: BTreeMap<String, String>,
    /// Variables from fields of the pod: (variable, field).
    pub field_env: Vec<(String, String)>,
    /// As whom it runs.
    pub user: User,
    /// Fields that say on which node a pod may be: carried, not looked into.
    pub scheduling: BTreeMap<String, Value>,
}

/// Fields of [`Kubernetes::scheduling`].
pub const SCHEDULING: &[&str] = &[
    "nodeSelector",
    "tolerations",
    "nodeAffinity",
    "podAffinity",
    "genericEphemeralVolume",
    "enabledSharedMemory",
];

impl Kubernetes {
    /// As our own steps are run: not as root, with a /tmp, from an image that is there, and not for ever.
    pub fn ours(deadline_seconds: u64) -> Self {
        Kubernetes {
            deadline_seconds: Some(deadline_seconds),
            pull_policy: Some(PullPolicy::IfNotPresent),
            empty_dirs: vec![EmptyDir::tmp()],
            user: User {
                id: Some(65532),
                group: Some(65532),
                not_root: Some(true),
            },
            ..Kubernetes::default()
        }
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// Never.
    Never,
    /// When it is not there.
    IfNotPresent,
}

impl PullPolicy {
    /// As Kubernetes writes it.
    pub fn word(self) -> &'static str {
        match self {
            PullPolicy::Always => "Always",
            PullPolicy::Never => "Never",
            PullPolicy::IfNotPresent => "IfNotPresent",
        }
    }
}

/// Name of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// This.
    Constant(String),
    /// An input of the DAG that the task is in.
    Parent(String),
    /// What another task left.
    Task(crate::model::TaskOutput),
}

impl From<&str> for Named {
    fn from(name: &str) -> Self {
        Named::Constant(name.to_owned())
    }
}

/// Keys of an object as variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysAsEnv {
    /// The Secret or ConfigMap.
    pub object: Named,
    /// (key, variable).
    pub keys: Vec<(String, String)>,
    /// Whether it may be missing.
    pub optional: bool,
}

/// An object as a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The Secret or ConfigMap.
    pub object: Named,
    /// Where.
    pub path: String,
    /// Whether it may be missing.
    pub optional: bool,
}

/// A claim as a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The PersistentVolumeClaim.
    pub object: Named,
    /// Where.
    pub path: String,
    /// Folder inside of it.
    pub sub_path: Option<String>,
}

/// An empty folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmptyDir {
    /// Name of the volume.
    pub name: String,
    /// Where.
    pub path: String,
    /// `Memory`, or nothing for the node's disk.
    pub medium: Option<String>,
    /// How large it may grow, as a quantity.
    pub size_limit: Option<String>,
}

impl EmptyDir {
    /// What the launcher writes to.
    pub fn tmp() -> Self {
        EmptyDir {
            name: "tmp".to_owned(),
            path: "/tmp".to_owned(),
            medium: None,
            size_limit: None,
        }
    }
}

/// As whom a step runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Number of the user.
    pub id: Option<i64>,
    /// Number of the group.
    pub group: Option<i64>,
    /// Refuse to run as root.
    pub not_root: Option<bool>,
}

//! Pure: what an Application of Argo CD says, read once and named.

use kube::api::DynamicObject;
use serde::Deserialize;
use serde_json::Value;

/// Argo CD looks at an Application that has this annotation, and removes it.
pub use crate::in_cluster::REFRESH;
/// An Application with this annotation is left alone.
pub const SKIP: &str = "argocd.argoproj.io/skip-reconcile";

/// `status.sync.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// The comparison found no difference.
    Synced,
    /// It found one.
    OutOfSync,
    /// There was none, or it failed.
    Unknown,
}

/// `status.health.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// All well.
    Healthy,
    /// On its way.
    Progressing,
    /// It failed.
    Degraded,
    /// Stopped on purpose.
    Suspended,
    /// Objects are not there.
    Missing,
    /// Nobody looked.
    Unknown,
}

/// `status.operationState.phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Under way, retries included.
    Running,
    /// Over, well.
    Succeeded,
    /// Over, not well: `Failed`, `Error`, `Terminating`.
    Failed,
}

/// An object of an Application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resource {
    /// API group; empty for the core.
    pub group: String,
    /// E.g. `Deployment`.
    pub kind: String,
    /// Empty for objects of the cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `Synced`, `OutOfSync` or, of a hook, nothing; in an operation `Synced`, `SyncFailed`, …
    pub status: String,
    /// In an operation: `PreSync`, `Sync`, `PostSync`, …
    pub sync_phase: String,
    /// In an operation: how far the hook or the object is.
    pub hook_phase: String,
    /// In an operation: the API server's words.
    pub message: String,
}

/// The last operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// How far.
    pub phase: Phase,
    /// Commit that it applies.
    pub revision: Option<String>,
    /// In steps of a second.
    pub started_at: String,
    /// In steps of a second.
    pub finished_at: String,
    /// In words.
    pub message: String,
    /// What it did so far.
    pub resources: Vec<Resource>,
    /// It is for some objects alone, as after a change by hand; such a one runs no hooks.
    pub partial: bool,
}

/// One Application as it was at one reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// For a patch that must not overtake another.
    pub resource_version: String,
    /// Where its objects go by default.
    pub namespace: String,
    /// Repository.
    pub repo_url: String,
    /// Branch, tag or commit.
    pub target_revision: String,
    /// See [`Sync`].
    pub sync: Sync,
    /// Commit of the last comparison; `None` before it and where Git could not be read (the field
    /// has the branch's name then).
    pub revision: Option<String>,
    /// See [`Health`].
    pub health: Health,
    /// An operation is asked for that has not begun.
    pub pending: bool,
    /// See [`Operation`].
    pub operation: Option<Operation>,
    /// A refresh is asked for that nobody took.
    pub refresh_asked: bool,
    /// It is left alone on purpose.
    pub skipped: bool,
    /// It is being deleted.
    pub deleting: bool,
    /// Type and message.
    pub conditions: Vec<(String, String)>,
    /// Its objects.
    pub resources: Vec<Resource>,
    /// Commit of the last operation on all of them that succeeded.
    pub synced_whole: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Raw {
    spec: Spec,
    status: Status,
    operation: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    source: Source,
    destination: Destination,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    #[serde(rename = "repoURL")]
    repo_url: String,
    target_revision: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Destination {
    namespace: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    sync: Words,
    health: Words,
    operation_state: Option<OperationState>,
    conditions: Vec<Condition>,
    resources: Vec<RawResource>,
    history: Vec<Words>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Words {
    status: String,
    revision: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    message: String,
}

/// `health` of a resource is an object, which `Resource` has no use for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RawResource {
    group: String,
    kind: String,
    namespace: String,
    name: String,
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OperationState {
    phase: String,
    message: String,
    started_at: String,
    finished_at: String,
    sync_result: Option<SyncResult>,
    operation: Asked,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    sync: Option<AskedSync>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AskedSync {
    resources: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SyncResult {
    revision: String,
    resources: Vec<Resource>,
}

/// A full commit name; Argo CD puts the branch's name where it could not resolve it.
fn commit(text: &str) -> Option<String> {
    let hex = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| text.to_owned())
}

impl Application {
    /// Reads an Application; what is absent is empty or unknown.
    ///
    /// # Errors
    /// A field of another type than Argo CD's.
    pub fn read(object: &DynamicObject) -> Result<Self, serde_json::Error> {
        let raw: Raw = Raw::deserialize(&object.data)?;
        let annotations = object.metadata.annotations.as_ref();
        let annotation = |key: &str| annotations.and_then(|all| all.get(key));
        let status = raw.status;
        let operation = status.operation_state.map(Operation::of);
        // The field stays until the operation is over, its PostSync hooks included.
        let begun = operation.as_ref().is_some_and(|o| o.phase == Phase::Running);
        Ok(Application {
            name: object.metadata.name.clone().unwrap_or_default(),
            resource_version: object.metadata.resource_version.clone().unwrap_or_default(),
            namespace: raw.spec.destination.namespace,
            repo_url: raw.spec.source.repo_url,
            target_revision: raw.spec.source.target_revision,
            sync: match status.sync.status.as_str() {
                "Synced" => Sync::Synced,
                "OutOfSync" => Sync::OutOfSync,
                _ => Sync::Unknown,
            },
            revision: commit(&status.sync.revision),
            health: match status.health.status.as_str() {
                "Healthy" => Health::Healthy,
                "Progressing" => Health::Progressing,
                "Degraded" => Health::Degraded,
                "Suspended" => Health::Suspended,
                "Missing" => Health::Missing,
                _ => Health::Unknown,
            },
            pending: raw.operation.is_some_and(|asked| !asked.is_null()) && !begun,
            operation,
            refresh_asked: annotation(REFRESH).is_some(),
            skipped: annotation(SKIP).is_some_and(|value| value == "true"),
            deleting: object.metadata.deletion_timestamp.is_some(),
            conditions: status
                .conditions
                .into_iter()
                .map(|c| (c.kind, c.message))
                .collect(),
            resources: status.resources.into_iter().map(RawResource::named).collect(),
            synced_whole: status.history.last().and_then(|last| commit(&last.revision)),
        })
    }

    /// Its objects of a kind of the apps or batch groups or the core.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.resources
            .iter()
            .filter(move |resource| resource.kind == kind)
    }

    /// Whether it follows the branch that this project releases on.
    pub fn follows_main(&self) -> bool {
        matches!(self.target_revision.as_str(), "main" | "HEAD" | "")
    }

    /// Whether its commit came by an operation for some objects alone, so that no hook has run for
    /// it. Argo CD takes a commit for a change by hand when it was first compared during the
    /// operation before, and heals it.
    pub fn lacks_hooks(&self) -> bool {
        let partial = self.operation.as_ref().is_some_and(|operation| {
            operation.partial && operation.phase == Phase::Succeeded && operation.revision == self.revision
        });
        partial && self.revision.is_some() && self.synced_whole != self.revision
    }

    /// Whether the two readings differ in nothing that a judgement rests on.
    pub fn says_the_same(&self, other: &Application) -> bool {
        (self.sync, &self.revision, self.health, self.pending)
            == (other.sync, &other.revision, other.health, other.pending)
            && self.operation == other.operation
            && self.deleting == other.deleting
    }
}

impl Resource {
    /// Whether an Application's object is one of its hooks: Argo CD compares those with nothing.
    pub fn is_hook(&self) -> bool {
        self.status.is_empty()
    }
}

impl RawResource {
    fn named(self) -> Resource {
        Resource {
            group: self.group,
            kind: self.kind,
            namespace: self.namespace,
            name: self.name,
            status: self.status,
            ..Resource::default()
        }
    }
}

impl Operation {
    fn of(raw: OperationState) -> Self {
        let result = raw.sync_result.unwrap_or_default();
        Operation {
            phase: match raw.phase.as_str() {
                "Succeeded" => Phase::Succeeded,
                "Running" => Phase::Running,
                _ => Phase::Failed,
            },
            revision: commit(&result.revision),
            started_at: raw.started_at,
            finished_at: raw.finished_at,
            message: raw.message,
            resources: result.resources,
            partial: raw
                .operation
                .sync
                .and_then(|sync| sync.resources)
                .is_some_and(|some| !some.is_empty()),
        }
    }

    /// Whether all it applies is applied and only hooks after that are under way.
    pub fn only_post_sync_is_left(&self) -> bool {
        let post = |resource: &&Resource| resource.sync_phase == "PostSync";
        self.phase == Phase::Running
            && self.resources.iter().any(|resource| post(&resource))
            && self
                .resources
                .iter()
                .filter(|r| !post(r))
                .all(|r| r.status == "Synced" || r.status == "Pruned" || r.hook_phase == "Succeeded")
    }

    /// Whether it has applied `resource`.
    pub fn has_applied(&self, resource: &Resource) -> bool {
        self.phase == Phase::Succeeded
            || self.resources.iter().any(|done| {
                (&done.kind, &done.namespace, &done.name)
                    == (&resource.kind, &resource.namespace, &resource.name)
                    && done.status == "Synced"
            })
    }
}

#[cfg(test)]
mod tests;

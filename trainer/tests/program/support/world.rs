//! A world for one test: bare repository, image layout with a base image, data place, work folder,
//! and something that plays the engine and the API.

use super::played::{Api, Drift, Kept, Played};
use super::program::{Said, trainer_in};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The iris table that ships with the trainer.
pub const IRIS: &str = include_str!("../../../data/iris.csv");

pub struct World {
    folder: tempfile::TempDir,
    pub mlflow: String,
    env: Vec<(String, String)>,
    engine: MockServer,
    runtime: tokio::runtime::Runtime,
    played: Arc<Played>,
}

impl World {
    /// A world whose MLflow is at `mlflow`.
    pub fn new(mlflow: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        git(
            folder.path(),
            &["init", "--quiet", "--bare", "--initial-branch=main", "gitops.git"],
        );
        git(folder.path(), &["clone", "--quiet", "gitops.git", "clone"]);
        let release = folder
            .path()
            .join("clone")
            .join(contract::names::release_file("local"));
        std::fs::create_dir_all(release.parent().unwrap()).unwrap();
        std::fs::write(&release, gitops::Release::unreleased_yaml("local")).unwrap();
        let clone = folder.path().join("clone");
        commit(&clone, "Begin");

        let store = oci::open_store(&format!("oci-layout:{}", at("images"))).unwrap();
        let files = oci::LayerFiles::new()
            .file("inference-api", 0o755, b"program".to_vec())
            .unwrap();
        let config = oci::ImageConfig {
            entrypoint: vec!["/inference-api".to_owned()],
            ..oci::ImageConfig::default()
        };
        let base = oci::image::build_base(store.as_ref(), "inference-api", &[files], &config).unwrap();
        store.tag("inference-api:base", &base, false).unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let engine = runtime.block_on(MockServer::start());
        let played = Arc::new(Played::default());
        runtime.block_on(play(&engine, &folder.path().join("gitops.git"), played.clone()));
        let endpoint = json!({"address": engine.uri(), "token": "t", "pid": 1, "git_url": "file:///x"});
        std::fs::write(folder.path().join("engine.json"), endpoint.to_string()).unwrap();
        let env = [
            ("GIT_URL", format!("file://{}", at("gitops.git"))),
            ("IMAGE_REPOSITORY", format!("oci-layout:{}", at("images"))),
            ("DATA", at("data")),
            ("WORK_DIR", at("runs")),
            ("MLFLOW_TRACKING_URI", mlflow.to_owned()),
            ("DRIFTLESS_ENGINE_FILE", at("engine.json")),
            (
                "CODE_COMMIT",
                "0123456789abcdef0123456789abcdef01234567".to_owned(),
            ),
            ("LIVE_DEADLINE_SECONDS", "5".to_owned()),
            // Names of their own, so that worlds can share one MLflow.
            (
                "MODEL_NAME",
                format!(
                    "model-{}",
                    folder
                        .path()
                        .file_name()
                        .unwrap()
                        .to_string_lossy()
                        .replace('.', "")
                ),
            ),
        ];
        World {
            mlflow: mlflow.to_owned(),
            env: env
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
            engine,
            runtime,
            played,
            folder,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn variable(&self, name: &str) -> String {
        self.env.iter().find(|(key, _)| key == name).unwrap().1.clone()
    }

    /// Adds a batch of labelled rows to the data place.
    pub fn add(&self, name: &str, text: &str) {
        std::fs::write(self.path("data").join(name), text).unwrap();
    }

    /// Runs a subcommand in this world; `more` comes after (and over) the world's own variables.
    pub fn trainer(&self, args: &[&str], more: &[(&str, &str)]) -> Said {
        let own = self.env.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let env: Vec<(&str, &str)> = own.chain(more.iter().copied()).collect();
        trainer_in(self.folder.path(), args, &env)
    }

    /// Commit at the head of the branch.
    pub fn head(&self) -> String {
        git(&self.path("gitops.git"), &["rev-parse", "main"])
    }

    /// Subjects of the branch, newest first.
    pub fn subjects(&self) -> Vec<String> {
        git(&self.path("gitops.git"), &["log", "--format=%s", "main"])
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Output of a git command in the repository.
    pub fn git(&self, args: &[&str]) -> String {
        git(&self.path("gitops.git"), args)
    }

    /// Takes back the newest commit, as a person does.
    pub fn revert(&self) {
        let clone = self.path("clone");
        git(&clone, &["pull", "--quiet", "--rebase"]);
        git(&clone, &["revert", "--no-edit", "HEAD"]);
        git(&clone, &["push", "--quiet"]);
    }

    /// Whether the engine was asked to start a run, and with what.
    pub fn started_runs(&self) -> Vec<Value> {
        let all = self
            .runtime
            .block_on(self.engine.received_requests())
            .unwrap_or_default();
        let starts = all
            .iter()
            .filter(|r| r.method == "POST" && r.url.path() == "/v1/runs");
        starts.map(|r| serde_json::from_slice(&r.body).unwrap()).collect()
    }

    /// The ledger of retrains.
    pub fn ledger(&self) -> Value {
        let ledger = self.played.ledger.lock().unwrap().1.clone();
        serde_json::from_str(&ledger.expect("a ledger")).unwrap()
    }

    /// Replaces the ledger's text.
    pub fn set_ledger(&self, text: &str) {
        let mut ledger = self.played.ledger.lock().unwrap();
        *ledger = (ledger.0 + 1, Some(text.to_owned()));
    }

    /// Sets how the engine's newest run ended.
    pub fn end_run(&self, exit_code: i32, stdout: &Value) {
        let mut runs = self.played.runs.lock().unwrap();
        let run = runs.last_mut().unwrap();
        run["phase"] = if exit_code == 0 { "Succeeded" } else { "Failed" }.into();
        run["exitCode"] = exit_code.into();
        run["stdout"] = stdout.to_string().into();
    }

    /// Base address of the engine, which plays the API too.
    pub fn api(&self) -> String {
        self.engine.uri()
    }

    /// Sets whether the engine gives up on releases.
    pub fn set_degraded(&self, is_degraded: bool) {
        self.played.is_degraded.store(is_degraded, Ordering::SeqCst);
    }

    /// Sets whether the API's predictions are none.
    pub fn set_wrong(&self, is_wrong: bool) {
        self.played.is_wrong.store(is_wrong, Ordering::SeqCst);
    }

    /// Sets all that the API says about drift.
    pub fn set_drift_status(&self, status: Value) {
        *self.played.drift.lock().unwrap() = Some(status);
    }

    /// From now on the API asks for a key.
    pub fn set_key(&self, key: &'static str) {
        *self.played.key.lock().unwrap() = Some(key);
    }

    /// From now on it asks for none.
    pub fn no_key(&self) {
        *self.played.key.lock().unwrap() = None;
    }

    /// Sets what the API says about its model.
    pub fn set_info(&self, info: Value) {
        *self.played.info.lock().unwrap() = Some(info);
    }

    /// Sets what the API says about drift.
    pub fn set_drift(&self, is_drift: bool) {
        self.played.is_drift.store(is_drift, Ordering::SeqCst);
    }
}

/// Runs git and returns what it prints.
pub fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=person",
            "-c",
            "user.email=person@driftless.invalid",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(args)
        .current_dir(folder)
        .output()
        .expect("git");
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Commits all that is in a clone and pushes it.
pub fn commit(clone: &Path, subject: &str) {
    git(clone, &["checkout", "--quiet", "-B", "main"]);
    git(clone, &["add", "--all"]);
    git(clone, &["commit", "--quiet", "--message", subject]);
    git(clone, &["push", "--quiet", "--set-upstream", "origin", "main"]);
}

/// An engine that has always just made the head of the branch live, or has just given up on it.
struct Engine(PathBuf, Arc<Played>);

impl Respond for Engine {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let head = git(&self.0, &["rev-parse", "main"]);
        let app = if self.1.is_degraded.load(Ordering::SeqCst) {
            let condition = json!({"type": "DegradedRelease", "message": "last words"});
            json!({"name": "inference-api", "sync": "OutOfSync", "health": "Degraded", "revision": head,
                "liveRevision": "", "replicasWanted": 1, "conditions": [condition]})
        } else {
            json!({"name": "inference-api", "sync": "Synced", "health": "Healthy", "revision": head,
                "liveRevision": head, "replicasWanted": 1})
        };
        let runs = self.1.runs.lock().unwrap().clone();
        let status = json!({"engine": "local", "revision": head, "runs": runs, "apps": [app]});
        ResponseTemplate::new(200).set_body_json(status)
    }
}

async fn play(server: &MockServer, repository: &Path, played: Arc<Played>) {
    let status = Mock::given(method("GET")).and(path("/v1/status"));
    status
        .respond_with(Engine(repository.to_path_buf(), played.clone()))
        .mount(server)
        .await;
    let kept = Mock::given(path_regex("^/v1/(runs|records)(/|$)"));
    kept.respond_with(Kept(played.clone())).mount(server).await;
    let rest = Mock::given(method("POST")).and(path_regex("^/v1/refresh$"));
    rest.respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .mount(server)
        .await;
    let info = Mock::given(path_regex("^/(model/info|predict|readyz)$"));
    info.respond_with(Api(repository.to_path_buf(), played.clone()))
        .mount(server)
        .await;
    let drift = Mock::given(method("GET")).and(path("/drift/status"));
    drift.respond_with(Drift(played)).mount(server).await;
}

//! What a scenario can reach: the engine, the repository, the addresses, the data place.

use crate::{http::Http, kubernetes::Kubernetes, patience::Patience, person::Person};
use anyhow::{Context, Result, anyhow, bail, ensure};
use contract::{ModelInfo, names};
use engine::{Engine, EngineClient, Run, RunPhase, Waited};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    net::ToSocketAddrs,
    path::{Path, PathBuf},
    process::{Command, Output},
    rc::Rc,
    time::{Duration, Instant},
};
use traffic::Batch;

/// Where images are, for a trainer that a person starts on this machine.
pub struct Images {
    /// As `IMAGE_REPOSITORY`.
    pub place: String,
    /// As `IMAGE_PULL_REPOSITORY`; empty when the two are one.
    pub pull: String,
}

/// The running loop, seen from outside.
pub struct World {
    pub engine: Box<dyn Engine>,
    pub http: Http,
    pub person: Person,
    pub api: String,
    pub mlflow: String,
    pub state: PathBuf,
    pub images: Images,
    pub patience: Patience,
    /// What only a cluster has, for the bad days of clusters.
    pub kubernetes: Option<Rc<Kubernetes>>,
    /// What models answered in their first lives, in order: for the scenarios that bring them back.
    pub lives: RefCell<Vec<Life>>,
    notes: RefCell<Vec<String>>,
}

/// A model as its clients see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    /// Answers to the 150 rows of the first batch, byte for byte.
    pub answers: Vec<String>,
    /// Every digest.
    pub info: ModelInfo,
}

impl World {
    /// The world whose engine was announced in `state`.
    pub fn open(
        state: &Path,
        images: Option<Images>,
        credentials: Option<&Path>,
        kubernetes: Option<Kubernetes>,
    ) -> Result<World> {
        let state = std::path::absolute(state)?;
        let engine: Box<dyn Engine> = Box::new(EngineClient::open(&state)?);
        let person = Person::clone_of(&engine.git_url()?, credentials)?;
        let (api, mlflow) = (
            engine.address(names::INFERENCE_API)?,
            engine.address(names::MLFLOW)?,
        );
        Ok(World {
            engine,
            http: Http::new(),
            person,
            api,
            mlflow,
            images: images.unwrap_or_else(|| Images {
                place: format!("oci-layout:{}", state.join("images").display()),
                pull: String::new(),
            }),
            patience: match kubernetes {
                None => Patience::LOCAL,
                Some(_) => Patience::CLUSTER,
            },
            kubernetes: kubernetes.map(Rc::new),
            state,
            lives: RefCell::default(),
            notes: RefCell::default(),
        })
    }

    /// Something measured, for the report.
    pub fn note(&self, text: impl Into<String>) {
        self.notes.borrow_mut().push(text.into());
    }

    /// What was noted since the last time.
    pub fn take_notes(&self) -> Vec<String> {
        self.notes.take()
    }

    /// What only a cluster has.
    pub fn kubernetes(&self) -> Result<Rc<Kubernetes>> {
        self.kubernetes.clone().context("this world is no cluster")
    }

    /// What is live, by every digest.
    pub fn info(&self) -> Result<ModelInfo> {
        Ok(serde_json::from_value(
            self.http.get(&format!("{}/model/info", self.api))?,
        )?)
    }

    /// `/drift/status`.
    pub fn drift(&self) -> Result<Value> {
        self.http.get(&format!("{}/drift/status", self.api))
    }

    /// The answers to every row of the first batch, as the bytes on the wire less the drift flag
    /// (which speaks of the traffic, not of the model).
    pub fn answers(&self) -> Result<Vec<String>> {
        let ask = |row: &(Vec<f64>, String)| {
            let text = self
                .http
                .post_text(&format!("{}/predict", self.api), &json!({"features": row.0}))?;
            Ok(text
                .replace("\"drift_detected\":true", "")
                .replace("\"drift_detected\":false", ""))
        };
        self.first_batch()?.rows.iter().map(ask).collect()
    }

    /// What is live now, as its clients see it.
    pub fn life(&self) -> Result<Life> {
        Ok(Life {
            answers: self.answers()?,
            info: self.info()?,
        })
    }

    /// The batch every world starts with.
    pub fn first_batch(&self) -> Result<Batch> {
        let name = "batch-0001.csv";
        let text = self.engine.data(name)?;
        Batch::parse(&text, "species").map_err(|error| anyhow!("{name}: {error}"))
    }

    /// `/predict` bodies of a batch, in an order in which any window looks like the whole.
    pub fn bodies(&self, batch: &Batch) -> Result<Vec<String>> {
        batch
            .mixed()
            .bodies(&self.info()?)
            .map_err(|error| anyhow!(error))
    }

    /// Adds a batch under the next free number.
    pub fn add_batch(&self, batch: &Batch, what: &str) -> Result<()> {
        let taken = self.engine.data_names()?.len();
        let name = format!("batch-{:04}-{what}.csv", taken + 1);
        Ok(self.engine.add_data(&name, &batch.csv())?)
    }

    /// The data place as a folder of this machine.
    fn copy_data(&self, folder: &Path) -> Result<()> {
        for name in self.engine.data_names()? {
            std::fs::write(folder.join(&name), self.engine.data(&name)?)?;
        }
        Ok(())
    }

    /// Asks once, for every row given; errors are errors.
    pub fn send(&self, bodies: &[String]) -> Result<()> {
        for body in bodies {
            self.http
                .post_text(&format!("{}/predict", self.api), &serde_json::from_str(body)?)?;
        }
        Ok(())
    }

    /// Load on `/predict` in the background, at a fixed rate over a number of connections.
    pub fn load(&self, rate_per_s: f64, connections: usize, bodies: Vec<String>) -> Result<traffic::Running> {
        let host = self
            .api
            .strip_prefix("http://")
            .with_context(|| self.api.clone())?;
        let address = host.to_socket_addrs()?.next().with_context(|| self.api.clone())?;
        let target = traffic::Target::cycle(address, "/predict", bodies);
        Ok(traffic::Load::open(rate_per_s, connections).start(&target)?)
    }

    /// A retrain through the engine, to its end, whatever that is.
    pub fn train(&self, args: &[&str], env: &[(&str, &str)]) -> Result<Run> {
        let id = self.start_training(args, env)?;
        self.wait_run(&id)
    }

    /// Waits for the end of a run, whatever that is.
    pub fn wait_run(&self, id: &str) -> Result<Run> {
        Ok(engine::wait_run(
            self.engine.as_ref(),
            id,
            self.patience.run,
            |_| {},
        )?)
    }

    /// Starts a retrain.
    pub fn start_training(&self, args: &[&str], env: &[(&str, &str)]) -> Result<String> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let env: Vec<_> = env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Ok(self.engine.start_run(names::TRAINING, &args, &env)?)
    }

    /// A run that a person starts in a clone of their own, with the trainer that was built beside
    /// this program; waits for its end.
    pub fn persons_trainer(&self, folder: &Path, args: &[&str]) -> Result<Output> {
        let program = std::env::current_exe()?.with_file_name("trainer");
        let data = tempfile::tempdir()?;
        self.copy_data(data.path())?;
        let places = [
            ("MLFLOW_TRACKING_URI", self.mlflow.clone()),
            ("GIT_URL", self.engine.git_url()?),
            ("ENVIRONMENT", self.engine.environment().to_owned()),
            ("IMAGE_REPOSITORY", self.images.place.clone()),
            ("IMAGE_PULL_REPOSITORY", self.images.pull.clone()),
            ("BASE_IMAGE", "inference-api:base".to_owned()),
            ("DATA", data.path().display().to_string()),
            ("API_URL", self.api.clone()),
            ("CODE_COMMIT", self.person.head()?),
            ("WORK_DIR", folder.display().to_string()),
            (
                "DRIFTLESS_ENGINE_FILE",
                self.state.join(EngineClient::ENDPOINT_FILE).display().to_string(),
            ),
        ];
        let mut command = Command::new(&program);
        command.arg("run").args(args).envs(places);
        if let Some((name, token)) = &self.person.login {
            command.env("GIT_USERNAME", name).env("GIT_TOKEN", token);
        }
        command.output().with_context(|| program.display().to_string())
    }

    /// Waits until exactly `commit` is live.
    pub fn wait_live(&self, commit: &str) -> Result<Duration> {
        match engine::wait_live(
            self.engine.as_ref(),
            names::INFERENCE_API,
            commit,
            self.patience.rollout,
        )? {
            Waited::Live(after) => Ok(after),
            Waited::Degraded(why) => bail!("release {commit} is degraded: {why}"),
        }
    }

    /// Polls until `probe` gives a value; the last error is the message when the deadline passes.
    pub fn wait_for<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut probe: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let start = Instant::now();
        loop {
            match probe() {
                Ok(value) => return Ok(value),
                Err(error) if start.elapsed() >= deadline => {
                    return Err(error.context(format!("{what}: not within {} s", deadline.as_secs())));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Version (as text) behind an alias in the registry.
    pub fn alias(&self, alias: &str) -> Result<String> {
        let url = format!(
            "{}/api/2.0/mlflow/registered-models/alias?name={}&alias={alias}",
            self.mlflow,
            names::MODEL_NAME
        );
        let answer = self.http.get(&url)?;
        answer["model_version"]["version"]
            .as_str()
            .map(str::to_owned)
            .context("no version in the answer")
    }

    /// Waits until `champion` is the version that is live: the last word of a rollout in a cluster.
    pub fn champion_is_live(&self) -> Result<()> {
        self.wait_for("the champion alias", self.patience.rollout, || {
            let (champion, live) = (self.alias(names::ALIAS_CHAMPION)?, self.info()?.model_version);
            ensure!(champion == live, "the champion is {champion}, {live} is live");
            Ok(())
        })
    }

    /// Waits until the last rollout is over: champion, Argo CD's operation with its smoke test, old pods.
    pub fn at_rest(&self) -> Result<()> {
        self.champion_is_live()?;
        self.wait_for("the end of the rollout before", self.patience.rollout, || {
            self.kubernetes()?.at_rest("serving", names::INFERENCE_API)
        })
    }

    /// Versions in the registry, all of them.
    pub fn versions(&self) -> Result<Vec<Value>> {
        let filter = format!("name%3D%27{}%27", names::MODEL_NAME);
        let url = format!(
            "{}/api/2.0/mlflow/model-versions/search?filter={filter}&max_results=500",
            self.mlflow
        );
        Ok(self.http.get(&url)?["model_versions"]
            .as_array()
            .cloned()
            .unwrap_or_default())
    }

    /// Runs of the retrain experiment that `filter` selects.
    pub fn mlflow_runs(&self, filter: &str) -> Result<Vec<Value>> {
        let by_name = format!(
            "{}/api/2.0/mlflow/experiments/get-by-name?experiment_name={}",
            self.mlflow,
            names::EXPERIMENT
        );
        let experiment = self.http.get(&by_name)?["experiment"]["experiment_id"].clone();
        let body = json!({"experiment_ids": [experiment], "filter": filter, "max_results": 200});
        let found = self
            .http
            .post(&format!("{}/api/2.0/mlflow/runs/search", self.mlflow), &body)?;
        Ok(found["runs"].as_array().cloned().unwrap_or_default())
    }

    /// Path of the release file in the repository.
    pub fn release_file(&self) -> String {
        names::release_file(self.engine.environment())
    }

    /// State and last log lines, for a failure's report.
    pub fn diagnosis(&self) -> String {
        let mut text = String::from("--- diagnosis\n");
        match self.engine.status() {
            Ok(status) => {
                for app in &status.apps {
                    text.push_str(&app.summary());
                    text.push('\n');
                }
                if let Some(run) = status.runs.first() {
                    text.push_str(&format!(
                        "last run {} {:?} exit {:?}\n{}\n",
                        run.id,
                        run.phase,
                        run.exit_code,
                        run.log_tail.join("\n")
                    ));
                }
            }
            Err(error) => text.push_str(&format!("no status: {error}\n")),
        }
        if let Ok(lines) = self.engine.logs(names::INFERENCE_API, 10) {
            text.push_str(&lines.join("\n"));
        }
        text
    }
}

/// The JSON object a run printed last.
pub fn result_of(run: &Run) -> Result<Value> {
    let line = run.stdout.trim();
    serde_json::from_str(line)
        .or_else(|_| serde_json::from_str(line.lines().last().unwrap_or_default()))
        .with_context(|| {
            format!(
                "run {} printed no JSON result: {line:?}; log: {:?}",
                run.id, run.log_tail
            )
        })
}

/// Fails unless the run ended with this exit code.
pub fn expect_exit(run: &Run, code: u8) -> Result<()> {
    let expected = if code == 0 {
        RunPhase::Succeeded
    } else {
        RunPhase::Failed
    };
    ensure!(
        run.phase == expected && run.exit_code == Some(i32::from(code)),
        "run {} ended {:?} with {:?}, expected {code}\nstdout: {}\nlog: {}",
        run.id,
        run.phase,
        run.exit_code,
        run.stdout,
        run.log_tail.join("\n")
    );
    Ok(())
}

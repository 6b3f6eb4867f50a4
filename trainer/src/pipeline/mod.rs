//! The retrain as a pipeline of Kubeflow Pipelines:
//! `load → (if there is something new) train → validate → (if passed) register → promote`, whose last task packages,
//! promotes and confirms.
//!
//! Each step is a process of its own with a run folder that may be empty: what earlier steps have left comes as
//! artifacts (`--from`), what this one leaves goes out as one (`--leave`): its record `<step>.json` and the
//! files that belong to it. `--run-key` is the run's id, by which MLflow and Git know the run again when a
//! step is started a second time.
//!
//! A task is two pods, its driver and its step, and each pod costs more than six seconds: `docs/adr/0017` says why
//! the last three steps are one task, and why conditions are on the tasks themselves and not on groups of them.

mod parameters;
#[cfg(test)]
mod tests;

pub use parameters::WHOLE_MAX;

use kfp::argument::Piece;
use kfp::build::{ArtIn, ArtOut, Builder, In, Out, Step, TaskBuilder, text};
use kfp::container::{Resources, Retry};
use kfp::kind::{Anything, Artifact, Boolean, Dataset, Dynamic, Integer, Metrics, Model, Parameter, Text};
use kfp::kubernetes::{KeysAsEnv, Kubernetes, Volume};
use kfp::model::{Input, Lifetime, Runtime};
use kfp::{Pipeline, Problems};
use parameters::Parameters;

/// The pipeline's name.
pub const NAME: &str = "retrain";
/// Where a step keeps its run folder.
pub const RUN_DIR: &str = "/tmp/run";
/// Longest time of a step.
const STEP_SECONDS: u64 = 1800;
/// A day: what ends well needs no workflow objects, what failed is looked at.
const KEPT_SECONDS: (u32, u32) = (3600, 86400);
/// The Secret with Git's account, and its keys.
pub const GIT_SECRET: (&str, [&str; 2]) = ("git-credentials", ["GIT_USERNAME", "GIT_TOKEN"]);
/// Why the run was started, as MLflow and the ledger have it.
const CAUSE: [&str; 6] = [
    "nonce",
    "ledger_run",
    "trigger_reason",
    "drift_episode",
    "drift_model",
    "drift_features",
];

/// What differs between places: the image, and defaults of parameters.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The trainer's image. With a digest, training is cached: a tag may name another program tomorrow.
    pub image: String,
    /// Where release files are; a run must name it where this does not.
    pub git_url: Option<String>,
    /// Which overlay is released to.
    pub environment: Option<String>,
    /// Where images are pushed to; a run must name it where this does not.
    pub image_repository: Option<String>,
    /// The same as nodes pull from.
    pub image_pull_repository: Option<String>,
    /// The API's image without a model.
    pub base_image: Option<String>,
    /// MLflow's address.
    pub mlflow_uri: Option<String>,
    /// Registered model.
    pub model_name: Option<String>,
    /// Address of the inference API.
    pub api_url: Option<String>,
    /// Argo CD's Application of it.
    pub argocd_application: Option<String>,
}

impl Default for Settings {
    /// The image by the name that the repository's own manifests use; nothing of any place.
    fn default() -> Self {
        Settings {
            image: format!("{}:dev", contract::names::TRAINER),
            git_url: None,
            environment: None,
            image_repository: None,
            image_pull_repository: None,
            base_image: None,
            mlflow_uri: None,
            model_name: None,
            api_url: None,
            argocd_application: None,
        }
    }
}

/// A step of the trainer, with its run folder.
struct Made {
    step: Step,
    /// Its inputs that are parameters of the pipeline.
    taken: Vec<(In<Dynamic>, &'static str)>,
    /// The input that takes the run's id.
    key: Option<In<Text>>,
}

impl Made {
    /// The subcommand of this name, with these parameters as flags.
    fn new(name: &str, settings: &Settings, all: &Parameters, flags: &[&'static str]) -> Self {
        let mut step = Step::new(name, &settings.image, STEP_SECONDS);
        step.command([format!("/{}", contract::names::TRAINER), name.to_owned()]);
        step.arg("--run-dir").arg(RUN_DIR);
        step.resources(Resources {
            cpu_request: Some("100m".to_owned()),
            memory_request: Some("128Mi".to_owned()),
            memory_limit: Some("1Gi".to_owned()),
            ..Resources::default()
        });
        let mut made = Made {
            step,
            taken: Vec::new(),
            key: None,
        };
        for name in flags {
            let kind = all.get(name).kind();
            let input = made.step.input_of(name, Input::new(kind));
            made.flag(name, &input);
            made.taken.push((input, name));
        }
        made
    }

    /// A flag as one word, so that an empty value stays with its flag.
    fn flag<K>(&mut self, name: &str, input: &In<K>) {
        let flag = format!("--{}=", name.replace('_', "-"));
        self.step.arg(text([flag.as_str().into(), input.into()]));
    }

    /// By which MLflow and Git know the run again.
    fn key(&mut self) -> &mut Self {
        let input = self.step.input::<Text>("run_key");
        self.flag("run_key", &input);
        self.key = Some(input);
        self
    }

    /// What an earlier step has left.
    fn from<A: Artifact>(&mut self, input: &str) -> ArtIn<A> {
        let input = self.step.input_artifact::<A>(input);
        self.step.arg("--from").arg(&input);
        input
    }

    /// What this one leaves.
    fn leave<A: Artifact>(&mut self, output: &str) -> ArtOut<A> {
        let output = self.step.output_artifact::<A>(output);
        self.step.arg("--leave").arg(&output);
        output
    }

    /// A field of the step's result.
    fn result<K: Parameter>(&mut self, field: &str) -> Out<K> {
        let output = self.step.output::<K>(field);
        let word = text([format!("{field}=").as_str().into(), (&output).into()]);
        self.step.arg("--result").arg(word);
        output
    }

    /// The result's metrics, for the page of Kubeflow Pipelines and its MLflow plugin.
    fn metrics(&mut self) {
        let metrics = self.step.output_artifact::<Metrics>("metrics");
        self.step.arg("--metrics-out").arg(&metrics);
        self.step.arg("--executor-input").arg(Piece::ExecutorInput);
    }

    fn pod(&mut self) -> &mut Kubernetes {
        self.step.kubernetes()
    }

    fn git_account(&mut self) -> &mut Self {
        let (object, keys) = GIT_SECRET;
        let keys = keys.map(|key| (key.to_owned(), key.to_owned())).into();
        self.pod().secret_env.push(KeysAsEnv {
            object: object.into(),
            keys,
            optional: true,
        });
        self
    }

    /// A task of this step, given its parameters.
    fn task<'a>(&'a self, builder: &'a mut Builder, all: &Parameters) -> TaskBuilder<'a> {
        let mut task = builder.task(self.step.name(), &self.step);
        for (input, name) in &self.taken {
            task = task.set(input, all.get(name));
        }
        match &self.key {
            Some(input) => task.set(input, Runtime::RunId),
            None => task,
        }
    }
}

/// The flags of a step, and those of the run's cause.
fn with_cause(flags: &[&'static str]) -> Vec<&'static str> {
    [flags, &CAUSE].concat()
}

/// The pipeline.
///
/// # Errors
/// When the settings make it one that the server would refuse.
pub fn retrain(settings: &Settings) -> Result<Pipeline, Problems> {
    let mut p = Builder::new(NAME);
    p.display_name("Retrain")
        .description("Loads, trains, judges; what passes is registered, packaged, promoted and confirmed.");
    p.lifetime(Lifetime {
        after_success_seconds: Some(KEPT_SECONDS.0),
        after_failure_seconds: Some(KEPT_SECONDS.1),
        ..Lifetime::default()
    });
    let all = Parameters::of(&mut p, settings);
    let made = |name: &str, flags: &[&'static str]| Made::new(name, settings, &all, flags);

    let flags = [
        "data",
        "target",
        "task",
        "missing",
        "delimiter",
        "data_bytes_max",
        "data_cells_max",
        "from_api",
        "from_api_rows_min",
        "git_url",
        "environment",
        "git_deadline",
        "force",
    ];
    let mut load = made("load", &with_cause(&flags));
    load.git_account();
    let rows = load.leave::<Dataset>("rows");
    let news = load.result::<Boolean>("news");
    load.pod().config_map_volumes.push(Volume {
        object: "training-data".into(),
        path: "/data".to_owned(),
        optional: true,
    });
    // The place is the same, what lies there may not be: never cached.
    let loaded = load.task(&mut p, &all).retry(Retry::times(2)).add();
    let rows = loaded.artifact(&rows);

    let flags = [
        "algorithm",
        "trees",
        "max_depth",
        "min_samples_split",
        "min_samples_leaf",
        "max_features",
        "seed",
        "holdout",
        "folds",
        "model_name",
        "code_commit",
    ];
    let mut train = made("train", &flags);
    let rows_in = train.from::<Dataset>("rows");
    let news_in = train.step.input::<Boolean>("news");
    let candidate = train.leave::<Model>("model");
    train.metrics();
    let trained = train.task(&mut p, &all).set_artifact(&rows_in, &rows);
    let trained = trained
        .set(&news_in, &loaded.output(&news))
        .only_if(&news_in, true)
        .retry(Retry::times(1));
    // The same rows, parameters and seed are the same bytes.
    let pinned = settings.image.contains("@sha256:");
    let trained = if pinned { trained.cached() } else { trained }.add();
    let candidate = trained.artifact(&candidate);

    let flags = [
        "min_accuracy",
        "min_r2",
        "max_rmse",
        "tolerance",
        "allow_schema_change",
        "git_url",
        "environment",
        "git_deadline",
        "image_repository",
        "image_pull_repository",
        "mlflow_uri",
        "experiment",
        "expected_live",
    ];
    let mut validate = made("validate", &with_cause(&flags));
    let rows_in = validate.from::<Dataset>("rows");
    let model_in = validate.from::<Model>("model");
    validate.key().git_account();
    let report = validate.leave::<Anything>("report");
    let passed = validate.result::<Boolean>("passed");
    validate.metrics();
    let judged = validate.task(&mut p, &all).set_artifact(&rows_in, &rows);
    let judged = judged.set_artifact(&model_in, &candidate);
    let judged = judged.retry(Retry::times(2)).add();
    let report = judged.artifact(&report);

    let mut register = made("register", &with_cause(&["mlflow_uri", "experiment"]));
    let passed_in = register.step.input::<Boolean>("passed");
    let rows_in = register.from::<Dataset>("rows");
    let model_in = register.from::<Model>("model");
    let report_in = register.from::<Anything>("report");
    register.key();
    let model = register.leave::<Model>("registered");
    register.result::<Text>("run_id");
    register.result::<Integer>("model_version");
    let registered = register.task(&mut p, &all).set_artifact(&rows_in, &rows);
    let registered = registered
        .set_artifact(&model_in, &candidate)
        .set_artifact(&report_in, &report)
        .set(&passed_in, &judged.output(&passed))
        .only_if(&passed_in, true);
    let registered = registered.retry(Retry::times(2)).add();
    let model = registered.artifact(&model);

    let flags = [
        "image_repository",
        "image_pull_repository",
        "base_image",
        "git_url",
        "environment",
        "git_deadline",
        "mlflow_uri",
        "experiment",
        "api_url",
        "argocd_application",
        "live_deadline",
    ];
    let mut promote = made("promote", &with_cause(&flags));
    let model_in = promote.from::<Model>("registered");
    let report_in = promote.from::<Anything>("report");
    promote.step.arg("--package").arg("--confirm");
    promote.key().git_account();
    promote.leave::<Anything>("release");
    promote.result::<Text>("digest");
    promote.result::<Text>("commit");
    let promoted = promote.task(&mut p, &all).set_artifact(&model_in, &model);
    let promoted = promoted.set_artifact(&report_in, &report);
    // The image's tag and the run's own commit are found again; what was taken back is not promoted a second time.
    promoted.retry(Retry::times(2)).add();
    p.build()
}

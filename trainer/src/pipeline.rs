//! The retrain as a pipeline of Kubeflow Pipelines:
//! `load → train → validate → (if passed) register → package → promote → confirm`.
//!
//! Each step is a pod of its own with an empty run folder. What earlier steps have left comes as
//! artifacts (`--from`), what this one leaves goes out as one (`--leave`): its record `<step>.json` and the
//! files that belong to it. `--run-key` is the run's id, by which MLflow and Git know the run again when a
//! step is started a second time.

use kfp::argument::Piece;
use kfp::build::{ArtIn, ArtOut, Builder, In, Step, text};
use kfp::container::{Resources, Retry};
use kfp::kind::{Anything, Artifact, Boolean, Dataset, Double, Integer, Metrics, Model, Parameter, Text};
use kfp::kubernetes::{KeysAsEnv, Kubernetes, Volume};
use kfp::model::{Lifetime, Runtime};
use kfp::{Pipeline, Problems};

/// The pipeline's name.
pub const NAME: &str = "retrain";
/// Where a step keeps its run folder.
const RUN_DIR: &str = "/tmp/run";
/// Longest time of a step.
const STEP_SECONDS: u64 = 1800;
/// A day: what ends well needs no workflow objects, what failed is looked at.
const KEPT_SECONDS: (u32, u32) = (3600, 86400);

/// What differs between places.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The trainer's image. With a digest, training is cached: a tag may name another program tomorrow.
    pub image: String,
}

impl Default for Settings {
    /// The image by the name that the repository's own manifests use.
    fn default() -> Self {
        Settings {
            image: format!("{}:dev", contract::names::TRAINER),
        }
    }
}

/// A step of the trainer, with its run folder.
struct Made {
    step: Step,
}

impl Made {
    fn new(name: &str, settings: &Settings) -> Self {
        let mut step = Step::new(name, &settings.image, STEP_SECONDS);
        step.command([format!("/{}", contract::names::TRAINER), name.to_owned()]);
        step.arg("--run-dir").arg(RUN_DIR);
        step.resources(Resources {
            cpu_request: Some("100m".to_owned()),
            memory_request: Some("128Mi".to_owned()),
            memory_limit: Some("1Gi".to_owned()),
            ..Resources::default()
        });
        Made { step }
    }

    /// A flag that takes an input; as one word, so that an empty value stays with its flag.
    fn flag<K: Parameter>(&mut self, flag: &str, input: &str) -> In<K> {
        let input = self.step.input::<K>(input);
        self.step
            .arg(text([format!("--{flag}=").as_str().into(), (&input).into()]));
        input
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
    fn result<K: Parameter>(&mut self, field: &str) -> kfp::build::Out<K> {
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

    fn git_account(&mut self) {
        let key = |name: &str| (name.to_owned(), name.to_owned());
        self.pod().secret_env.push(KeysAsEnv {
            object: "git-credentials".into(),
            keys: vec![key("GIT_USERNAME"), key("GIT_TOKEN")],
            optional: true,
        });
    }
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
    let data = p.parameter_or::<Text>("data", "/data");
    let target = p.parameter_or::<Text>("target", "");
    let model_name = p.parameter_or::<Text>("model_name", contract::names::MODEL_NAME);
    let trees = p.parameter_or::<Integer>("trees", 100);
    let seed = p.parameter_or::<Integer>("seed", 42);
    let holdout = p.parameter_or::<Double>("holdout", 0.2);
    let code_commit = p.parameter_or::<Text>("code_commit", "unknown");
    let min_accuracy = p.parameter_or::<Double>("min_accuracy", 0.9);
    let tolerance = p.parameter_or::<Double>("tolerance", 0.02);
    let experiment = p.parameter_or::<Text>("experiment", contract::names::EXPERIMENT);
    let mlflow_uri = p.parameter_or::<Text>("mlflow_uri", "http://mlflow.mlflow.svc.cluster.local:5000");
    let git_url = p.parameter::<Text>("git_url");
    let environment = p.parameter_or::<Text>("environment", "minikube");
    let images = p.parameter::<Text>("image_repository");
    let pulled = p.parameter_or::<Text>("image_pull_repository", "");
    let base_image = p.parameter_or::<Text>("base_image", "inference-api:base");
    let application = p.parameter_or::<Text>("argocd_application", "");

    let mut load = Made::new("load", settings);
    let data_in = load.flag::<Text>("data", "data");
    let target_in = load.flag::<Text>("target", "target");
    let rows = load.leave::<Dataset>("rows");
    load.pod().config_map_volumes.push(Volume {
        object: "training-data".into(),
        path: "/data".to_owned(),
        optional: true,
    });
    // The place is the same, what lies there may not be: never cached.
    let loaded = p
        .task("load", &load.step)
        .set(&data_in, &data)
        .set(&target_in, &target);
    let loaded = loaded.retry(Retry::times(2)).add();
    let rows = loaded.artifact(&rows);

    let mut train = Made::new("train", settings);
    let rows_in = train.from::<Dataset>("rows");
    let trees_in = train.flag::<Integer>("trees", "trees");
    let seed_in = train.flag::<Integer>("seed", "seed");
    let holdout_in = train.flag::<Double>("holdout", "holdout");
    let name_in = train.flag::<Text>("model-name", "model_name");
    let commit_in = train.flag::<Text>("code-commit", "code_commit");
    let candidate = train.leave::<Model>("model");
    train.metrics();
    let trained = p
        .task("train", &train.step)
        .set_artifact(&rows_in, &rows)
        .set(&trees_in, &trees);
    let trained = trained
        .set(&seed_in, &seed)
        .set(&holdout_in, &holdout)
        .set(&name_in, &model_name);
    let trained = trained.set(&commit_in, &code_commit).retry(Retry::times(1));
    // The same rows, parameters and seed are the same bytes.
    let pinned = settings.image.contains("@sha256:");
    let trained = if pinned { trained.cached() } else { trained }.add();
    let candidate = trained.artifact(&candidate);

    let mut validate = Made::new("validate", settings);
    let rows_in = validate.from::<Dataset>("rows");
    let model_in = validate.from::<Model>("model");
    let least_in = validate.flag::<Double>("min-accuracy", "min_accuracy");
    let tolerance_in = validate.flag::<Double>("tolerance", "tolerance");
    let git_in = validate.flag::<Text>("git-url", "git_url");
    let environment_in = validate.flag::<Text>("environment", "environment");
    let images_in = validate.flag::<Text>("image-repository", "image_repository");
    let mlflow_in = validate.flag::<Text>("mlflow-uri", "mlflow_uri");
    let experiment_in = validate.flag::<Text>("experiment", "experiment");
    let key_in = validate.flag::<Text>("run-key", "run_key");
    validate.git_account();
    let report = validate.leave::<Anything>("report");
    let passed = validate.result::<Boolean>("passed");
    validate.metrics();
    let judged = p.task("validate", &validate.step).set_artifact(&rows_in, &rows);
    let judged = judged
        .set_artifact(&model_in, &candidate)
        .set(&least_in, &min_accuracy);
    let judged = judged.set(&tolerance_in, &tolerance).set(&git_in, &git_url);
    let judged = judged.set(&environment_in, &environment).set(&images_in, &images);
    let judged = judged
        .set(&mlflow_in, &mlflow_uri)
        .set(&experiment_in, &experiment);
    let judged = judged.set(&key_in, Runtime::RunId).retry(Retry::times(2)).add();
    let report = judged.artifact(&report);

    p.when("if-passed", &judged.output(&passed).equals(true), |p| {
        let mut register = Made::new("register", settings);
        let rows_in = register.from::<Dataset>("rows");
        let model_in = register.from::<Model>("model");
        let report_in = register.from::<Anything>("report");
        let mlflow_in = register.flag::<Text>("mlflow-uri", "mlflow_uri");
        let experiment_in = register.flag::<Text>("experiment", "experiment");
        let key_in = register.flag::<Text>("run-key", "run_key");
        let model = register.leave::<Model>("registered");
        register.result::<Text>("run_id");
        register.result::<Integer>("model_version");
        let registered = p.task("register", &register.step).set_artifact(&rows_in, &rows);
        let registered = registered
            .set_artifact(&model_in, &candidate)
            .set_artifact(&report_in, &report);
        let registered = registered
            .set(&mlflow_in, &mlflow_uri)
            .set(&experiment_in, &experiment);
        let registered = registered
            .set(&key_in, Runtime::RunId)
            .retry(Retry::times(2))
            .add();
        let model = registered.artifact(&model);

        let mut package = Made::new("package", settings);
        let model_in = package.from::<Model>("registered");
        let images_in = package.flag::<Text>("image-repository", "image_repository");
        let pulled_in = package.flag::<Text>("image-pull-repository", "image_pull_repository");
        let base_in = package.flag::<Text>("base-image", "base_image");
        let image = package.leave::<Anything>("image");
        package.result::<Text>("digest");
        let packaged = p.task("package", &package.step).set_artifact(&model_in, &model);
        let packaged = packaged
            .set(&images_in, &images)
            .set(&pulled_in, &pulled)
            .set(&base_in, &base_image);
        let image = packaged.retry(Retry::times(2)).add().artifact(&image);

        let mut promote = Made::new("promote", settings);
        let model_in = promote.from::<Model>("registered");
        let report_in = promote.from::<Anything>("report");
        let image_in = promote.from::<Anything>("image");
        let git_in = promote.flag::<Text>("git-url", "git_url");
        let environment_in = promote.flag::<Text>("environment", "environment");
        let key_in = promote.flag::<Text>("run-key", "run_key");
        promote.git_account();
        let release = promote.leave::<Anything>("release");
        promote.result::<Text>("commit");
        let promoted = p.task("promote", &promote.step).set_artifact(&model_in, &model);
        let promoted = promoted
            .set_artifact(&report_in, &report)
            .set_artifact(&image_in, &image);
        let promoted = promoted.set(&git_in, &git_url).set(&environment_in, &environment);
        let promoted = promoted.set(&key_in, Runtime::RunId).retry(Retry::times(2)).add();
        let release = promoted.artifact(&release);

        let mut confirm = Made::new("confirm", settings);
        let model_in = confirm.from::<Model>("registered");
        let image_in = confirm.from::<Anything>("image");
        let release_in = confirm.from::<Anything>("release");
        let git_in = confirm.flag::<Text>("git-url", "git_url");
        let environment_in = confirm.flag::<Text>("environment", "environment");
        let mlflow_in = confirm.flag::<Text>("mlflow-uri", "mlflow_uri");
        let experiment_in = confirm.flag::<Text>("experiment", "experiment");
        let application_in = confirm.flag::<Text>("argocd-application", "argocd_application");
        confirm.git_account();
        // Not started again: a release that did not come up has been taken back by then.
        let confirmed = p.task("confirm", &confirm.step).set_artifact(&model_in, &model);
        let confirmed = confirmed
            .set_artifact(&image_in, &image)
            .set_artifact(&release_in, &release);
        let confirmed = confirmed
            .set(&git_in, &git_url)
            .set(&environment_in, &environment);
        let confirmed = confirmed
            .set(&mlflow_in, &mlflow_uri)
            .set(&experiment_in, &experiment);
        confirmed.set(&application_in, &application).add();
    });
    p.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;
    use kfp::run::{Artifact, End, Facts, Left, Places, Run, State};

    const WRITTEN: &str = include_str!("../pipeline/retrain.yaml");

    #[test]
    fn the_file_is_what_is_defined() {
        let pipeline = retrain(&Settings::default()).unwrap();
        assert!(
            pipeline.emit().unwrap().text == WRITTEN,
            "trainer/pipeline/retrain.yaml is not what pipeline.rs defines: cargo xtask codegen"
        );
        assert_eq!(Pipeline::read(WRITTEN).unwrap(), pipeline);
    }

    #[test]
    fn training_is_cached_only_by_digest() {
        let cached = |image: &str| {
            let settings = Settings {
                image: image.to_owned(),
            };
            retrain(&settings).unwrap().dag.tasks["train"].cache.clone()
        };
        assert_eq!(cached("trainer:1"), kfp::model::Cache::Off);
        let digest = format!("trainer@sha256:{}", "0".repeat(64));
        assert_eq!(cached(&digest), kfp::model::Cache::On);
    }

    /// Every step's command line, as the launcher fills it in, is one that the trainer takes.
    #[test]
    fn the_trainer_takes_every_command_line() {
        let required =
            ["git_url", "image_repository"].map(|name| (name.to_owned(), format!("x-{name}").into()));
        let facts = Facts {
            run_id: "run-7".to_owned(),
            run_name: "retrain_1".to_owned(),
            created: String::new(),
        };
        let artifact = Artifact {
            path: "/a/b".to_owned(),
            ..Artifact::default()
        };
        let mut run = Run::new(Pipeline::read(WRITTEN).unwrap(), required.into(), facts).unwrap();
        let mut steps = Vec::new();
        while let Some(launch) = run.look().0.into_iter().next() {
            let files = launch
                .face
                .results
                .keys()
                .map(|name| (name.clone(), format!("/out/{name}")));
            let products = launch.face.products.keys();
            let places = Places {
                files: files.collect(),
                artifacts: products
                    .map(|name| (name.clone(), (format!("/a/{name}"), String::new())))
                    .collect(),
                executor_output: "/out/executor_output.json".to_owned(),
            };
            let words = launch.command(&places).unwrap();
            assert_eq!(words[0], "/trainer");
            let cli = Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
            steps.push(crate::single::name(&cli.command));
            let left = Left {
                parameters: launch
                    .face
                    .results
                    .keys()
                    .map(|name| (name.clone(), true.into()))
                    .collect(),
                artifacts: launch
                    .face
                    .products
                    .keys()
                    .map(|name| (name.clone(), vec![artifact.clone()]))
                    .collect(),
            };
            run.end(&launch.path, End::Succeeded(left));
        }
        assert_eq!(
            steps,
            [
                "load", "train", "validate", "register", "package", "promote", "confirm"
            ]
        );
        assert!(matches!(run.look().1, State::Succeeded(_)));
    }

    #[test]
    fn an_image_that_is_none_is_refused() {
        let settings = Settings { image: String::new() };
        let problems = retrain(&settings).unwrap_err().to_string();
        assert!(
            problems.contains("pipeline retrain: component load: image: \"\" is no reference"),
            "{problems}"
        );
    }
}

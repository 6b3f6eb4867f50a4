//! What a retrain is told: parameters of the pipeline, each the flag of the same name of the steps that need it.

use super::Settings;
use contract::names;
use kfp::build::Builder;
use kfp::build::Param;
use kfp::kind::{Dynamic, Kind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whole numbers that are exact wherever a parameter passes: JSON's readers hold numbers as doubles.
pub const WHOLE_MAX: u64 = 1 << 53;

/// A parameter: its name, its type, its default (`None`: it must be given), and what it is.
type Row = (&'static str, Kind, Option<Value>, &'static str);

/// All of them. A text that is empty is one that is not given.
fn rows(settings: &Settings) -> Vec<Row> {
    let text = |value: &str| Some(Value::from(value));
    let set = |value: &Option<String>| Some(Value::from(value.clone().unwrap_or_default()));
    // Without a default where the place has none: nobody promotes to a repository that he did not name.
    let needed = |value: &Option<String>| value.clone().map(Value::from);
    let or = |value: &Option<String>, other: &str| Some(Value::from(value.as_deref().unwrap_or(other)));
    use Kind::{Boolean, Double, Integer, Text};
    vec![
        (
            "data",
            Text,
            text("/data"),
            "A CSV file, a folder of them, a glob, an http(s) address, or s3://BUCKET/KEY.",
        ),
        (
            "target",
            Text,
            text(""),
            "Column to predict; empty: the last one.",
        ),
        (
            "task",
            Text,
            text(""),
            "classification or regression; empty: the target decides.",
        ),
        (
            "missing",
            Text,
            text("refuse"),
            "Missing values: refuse, drop, mean or median.",
        ),
        (
            "delimiter",
            Text,
            text(","),
            "Field separator: one character, or tab.",
        ),
        (
            "data_bytes_max",
            Integer,
            Some(json!(512 << 20)),
            "Refuse more bytes than this.",
        ),
        (
            "data_cells_max",
            Integer,
            Some(json!(64 << 20)),
            "Refuse more values than this.",
        ),
        (
            "from_api",
            Text,
            text(""),
            "Inference API whose labelled rows become one more batch; empty: none.",
        ),
        (
            "from_api_rows_min",
            Integer,
            Some(json!(20)),
            "Fewer new labelled rows wait for the next time.",
        ),
        (
            "force",
            Boolean,
            Some(json!(false)),
            "Train even though there is nothing new to learn from.",
        ),
        (
            "algorithm",
            Text,
            text("random-forest"),
            "random-forest or decision-tree.",
        ),
        ("trees", Integer, Some(json!(100)), "Number of trees."),
        (
            "max_depth",
            Text,
            text(""),
            "Longest path from a tree's root; empty: until leaves are pure.",
        ),
        (
            "min_samples_split",
            Integer,
            Some(json!(2)),
            "Rows that a node needs to be split.",
        ),
        (
            "min_samples_leaf",
            Integer,
            Some(json!(1)),
            "Rows that each side of a split keeps.",
        ),
        (
            "max_features",
            Text,
            text("sqrt"),
            "Features tried at each split: sqrt, all or a number.",
        ),
        ("seed", Integer, Some(json!(42)), "Seed of every random choice."),
        (
            "holdout",
            Double,
            Some(json!(0.2)),
            "Share of each file's rows that is held out of training.",
        ),
        (
            "folds",
            Text,
            text(""),
            "Also cross-validate in so many folds; empty: not.",
        ),
        (
            "model_name",
            Text,
            or(&settings.model_name, names::MODEL_NAME),
            "Registered name of the model.",
        ),
        (
            "code_commit",
            Text,
            text("unknown"),
            "Commit of the code that trains.",
        ),
        (
            "min_accuracy",
            Double,
            Some(json!(0.9)),
            "Least share of held-out rows classified rightly.",
        ),
        (
            "min_r2",
            Double,
            Some(json!(0.0)),
            "Least R2 on held-out rows, for regression.",
        ),
        (
            "max_rmse",
            Text,
            text(""),
            "Largest root mean squared error, for regression; empty: any.",
        ),
        (
            "tolerance",
            Double,
            Some(json!(0.02)),
            "How much worse than the live model a candidate may be.",
        ),
        (
            "allow_schema_change",
            Boolean,
            Some(json!(false)),
            "Lets features or classes differ from the live model's.",
        ),
        (
            "git_url",
            Text,
            needed(&settings.git_url),
            "Repository with the release files.",
        ),
        (
            "environment",
            Text,
            or(&settings.environment, "minikube"),
            "Which overlay is released to.",
        ),
        (
            "git_deadline",
            Integer,
            Some(json!(120)),
            "How long a Git server that is down is waited for, in seconds.",
        ),
        (
            "image_repository",
            Text,
            needed(&settings.image_repository),
            "Where images are pushed to.",
        ),
        (
            "image_pull_repository",
            Text,
            set(&settings.image_pull_repository),
            "The same registry as nodes pull from; empty: the same name.",
        ),
        (
            "base_image",
            Text,
            or(&settings.base_image, "inference-api:base"),
            "The API's image without a model.",
        ),
        (
            "mlflow_uri",
            Text,
            or(&settings.mlflow_uri, "http://mlflow.training:5000"),
            "MLflow's address.",
        ),
        ("experiment", Text, text(names::EXPERIMENT), "MLflow experiment."),
        (
            "api_url",
            Text,
            set(&settings.api_url),
            "Address of the inference API; empty: what the engine says.",
        ),
        (
            "argocd_application",
            Text,
            set(&settings.argocd_application),
            "Argo CD's Application of the inference API, NAMESPACE/NAME; empty: an engine is asked.",
        ),
        (
            "live_deadline",
            Integer,
            Some(json!(120)),
            "How long to wait until the commit is live, in seconds.",
        ),
        (
            "expected_live",
            Text,
            text(""),
            "Digest of the image that must be live, or `unreleased`; empty: whichever is.",
        ),
        (
            "nonce",
            Text,
            text(""),
            "What makes two runs one; empty: the run's id.",
        ),
        (
            "ledger_run",
            Text,
            text(""),
            "Name of this run in the ledger of retrains; empty: it is in none.",
        ),
        (
            "trigger_reason",
            Text,
            text(""),
            "Why the run was started: drift or forced; set by `trigger`.",
        ),
        (
            "drift_episode",
            Text,
            text(""),
            "Number of the episode of drift that it answers; set by `trigger`.",
        ),
        (
            "drift_model",
            Text,
            text(""),
            "Digest of the model that drifted; set by `trigger`.",
        ),
        (
            "drift_features",
            Text,
            text(""),
            "What had moved; set by `trigger`.",
        ),
    ]
}

/// The pipeline's parameters by name.
pub(super) struct Parameters(BTreeMap<&'static str, Param<Dynamic>>);

impl Parameters {
    /// Declares all of them.
    pub(super) fn of(builder: &mut Builder, settings: &Settings) -> Self {
        let mut all = BTreeMap::new();
        for (name, kind, default, words) in rows(settings) {
            let parameter = builder.parameter_of(name, kind, default);
            builder.describe(&parameter, words);
            all.insert(name, parameter);
        }
        Parameters(all)
    }

    /// One of them. A name that is none is a mistake of this module's, found by any test.
    pub(super) fn get(&self, name: &str) -> &Param<Dynamic> {
        match self.0.get(name) {
            Some(parameter) => parameter,
            None => panic!("the pipeline has no parameter {name}"),
        }
    }
}

//! What to learn from, and how.

use crate::data::{Limits, Missing, Options};
use clap::{Args, ValueEnum};
use contract::manifest::Task;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The data.
#[derive(Clone, Debug, Args)]
pub struct DataFlags {
    /// A CSV file, a folder of them, a glob, an http(s) address, or s3://BUCKET/KEY (AWS_ENDPOINT_URL,
    /// AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY). One file may be followed by #sha256=HEX.
    #[arg(long, env = "DATA", value_name = "PLACE")]
    pub data: Option<String>,
    /// Column to predict [default: the last one].
    #[arg(long, env = "TARGET", value_name = "COLUMN")]
    pub target: Option<String>,
    /// What to predict [default: the target decides]: classification or regression.
    #[arg(long, env = "TASK", value_name = "TASK", value_parser = task)]
    pub task: Option<Task>,
    /// What to do with missing and infinite values.
    #[arg(long, env = "MISSING", value_enum, default_value_t)]
    pub missing: Missing,
    /// Field separator: one character, or `tab`.
    #[arg(long, env = "DELIMITER", default_value = ",", value_parser = delimiter, value_name = "CHARACTER")]
    pub delimiter: u8,
    /// Bounds.
    #[command(flatten)]
    pub limits: Limits,
}

impl DataFlags {
    /// How a table is to be read.
    pub fn options(&self) -> Options {
        Options {
            // A variable that is set to nothing is not set.
            target: self.target.clone().filter(|target| !target.is_empty()),
            task: self.task,
            missing: self.missing,
            delimiter: self.delimiter,
            cells_max: self.limits.data_cells_max,
        }
    }
}

/// Labelled rows of the inference API, as one more batch.
#[derive(Clone, Debug, Args)]
pub struct LabelledFlags {
    /// Inference API whose labelled rows become one more batch of the folder of --data first.
    #[arg(long, env = "FROM_API", value_name = "URL")]
    pub from_api: Option<String>,
    /// Fewer new labelled rows wait for the next time.
    #[arg(long, env = "FROM_API_ROWS_MIN", default_value_t = 20, value_name = "ROWS")]
    pub from_api_rows_min: usize,
}

/// Which kind of model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Algorithm {
    /// Own random forest: the same bytes for the same data, parameters and seed.
    #[default]
    RandomForest,
    /// `linfa_trees::DecisionTree`, the baseline (classification only).
    DecisionTree,
}

impl Algorithm {
    /// As in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::RandomForest => "random-forest",
            Algorithm::DecisionTree => "decision-tree",
        }
    }
}

/// How to learn.
#[derive(Clone, Debug, Args)]
pub struct LearnFlags {
    /// Kind of model.
    #[arg(long, env = "ALGORITHM", value_enum, default_value_t)]
    pub algorithm: Algorithm,
    /// Number of trees of the forest.
    #[arg(long, env = "TREES", default_value_t = 100, value_name = "COUNT")]
    pub trees: usize,
    /// Longest path from a tree's root [default: until leaves are pure].
    #[arg(long, env = "MAX_DEPTH", value_name = "COUNT")]
    pub max_depth: Option<usize>,
    /// Rows that a node needs to be split.
    #[arg(long, env = "MIN_SAMPLES_SPLIT", default_value_t = 2, value_name = "ROWS")]
    pub min_samples_split: usize,
    /// Rows that each side of a split keeps.
    #[arg(long, env = "MIN_SAMPLES_LEAF", default_value_t = 1, value_name = "ROWS")]
    pub min_samples_leaf: usize,
    /// Features tried at each split: sqrt, all or a number.
    #[arg(long, env = "MAX_FEATURES", default_value = "sqrt", value_name = "COUNT")]
    pub max_features: model::MaxFeatures,
    /// Seed of every random choice, at most 2^53: JSON's readers hold numbers as doubles.
    #[arg(long, env = "SEED", default_value_t = 42, value_parser = clap::value_parser!(u64).range(..=crate::pipeline::WHOLE_MAX))]
    pub seed: u64,
    /// Share of each file's rows that is held out of training; 0 trains on all.
    #[arg(long, env = "HOLDOUT", default_value_t = 0.2, value_parser = share, value_name = "SHARE")]
    pub holdout: f64,
    /// Also cross-validate on the training rows in so many folds.
    #[arg(long, env = "FOLDS", value_parser = clap::value_parser!(u32).range(2..=100), value_name = "COUNT")]
    pub folds: Option<u32>,
    /// Registered name of the model.
    #[arg(long, env = "MODEL_NAME", default_value = contract::names::MODEL_NAME, value_name = "NAME")]
    pub model_name: String,
    /// Commit of the code that trains.
    #[arg(long, env = "CODE_COMMIT", default_value = "unknown", value_name = "COMMIT")]
    pub code_commit: String,
}

impl LearnFlags {
    /// What decides the model's bytes, besides seed and data; kept in the manifest.
    pub fn parameters(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::from([
            ("holdout", json!(self.holdout)),
            ("max_depth", json!(self.max_depth)),
            ("min_samples_leaf", json!(self.min_samples_leaf)),
            ("min_samples_split", json!(self.min_samples_split)),
        ]);
        if self.algorithm == Algorithm::RandomForest {
            all.insert("max_features", json!(self.max_features.to_string()));
            all.insert("trees", json!(self.trees));
        }
        all.into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}

fn task(text: &str) -> Result<Task, String> {
    match text {
        "classification" => Ok(Task::Classification),
        "regression" => Ok(Task::Regression),
        _ => Err("expected classification or regression".to_owned()),
    }
}

/// Shared with `trainer drift`.
pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [one]
            if one.is_ascii()
                && !one.is_ascii_alphanumeric()
                && !matches!(one, b'"' | b'\n' | b'\r' | b'.' | b'-') =>
        {
            Ok(*one)
        }
        b"tab" | b"\\t" => Ok(b'\t'),
        _ => Err(
            "expected one ASCII character that is no letter, digit, quote, dot or minus, or `tab`".to_owned(),
        ),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=0.9).contains(&value) {
        Ok(value)
    } else {
        Err("expected 0 to 0.9".to_owned())
    }
}

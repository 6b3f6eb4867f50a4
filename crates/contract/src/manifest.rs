//! `manifest.json`: everything about a model that is not its weights.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the manifest's own format; a reader refuses another one.
pub const FORMAT: u32 = 1;

/// What a model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// A class index with a probability for each class.
    Classification,
    /// One number.
    Regression,
}

/// One input column, in the order of the model's input tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Column name in the training data.
    pub name: String,
    /// The type of the value as sent: `float64` in manifests, also where the model itself computes in
    /// float32; of a plain ONNX file `float64`, `int64`, `int32`, `bool` or `string`.
    pub dtype: String,
    /// Smallest value seen in training.
    pub min: f64,
    /// Largest value seen in training.
    pub max: f64,
}

/// One file of the dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DatasetFile {
    /// File name (last path segment) or address.
    pub name: String,
    /// `sha256:<hex>` of the file's bytes.
    pub digest: String,
    /// Data rows in it.
    pub rows: u64,
}

/// What the model learnt from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// `sha256:<hex>` over target, task, missing policy and the ordered digests of the files.
    pub digest: String,
    /// Name of the target column.
    pub target: String,
    /// Files in the order they were read; the last one is the newest.
    pub files: Vec<DatasetFile>,
    /// Rows in all.
    pub rows: u64,
    /// Rows held out of training, 0 when it was trained on all.
    pub holdout_rows: u64,
}

/// The sample that the API compares its traffic with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftReference {
    /// Path relative to the model directory.
    pub path: String,
    /// `sha256:<hex>` of the file.
    pub digest: String,
    /// Rows of the sample.
    pub rows: u64,
    /// Names of the dataset files the rows come from.
    pub sources: Vec<String>,
    /// How often each class was answered to held-out rows of these files: what the shares of live answers
    /// are compared with. Not to the sample's own rows: a forest knows those by heart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predictions: Vec<u64>,
    /// Scores of the answers to some of these rows: probability of the answered class, or the number predicted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f64>,
}

/// A row with the answer that the model gave when it was made; asked again at every load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenRow {
    /// Feature values in order.
    pub features: Vec<f64>,
    /// Class index, or the number predicted.
    pub prediction: f64,
    /// Probability of each class; empty for regression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probabilities: Vec<f32>,
}

/// The manifest of a model directory (`model.onnx`, `manifest.json`, `drift/reference_data.npy`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Registered name, e.g. `iris-model`.
    pub name: String,
    /// What it predicts.
    pub task: Task,
    /// `random-forest` or `decision-tree`.
    pub algorithm: String,
    /// Inputs in order.
    pub features: Vec<Feature>,
    /// Class labels as written in the data, in index order; empty for regression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Training parameters, as given (`trees`, `max_depth`, ...).
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Held-out metrics (`accuracy`, `f1_weighted`, or `rmse`, `r2`); empty with `--holdout 0`.
    pub metrics: BTreeMap<String, f64>,
    /// What it learnt from.
    pub dataset: Dataset,
    /// Full commit of the code that trained it, or `unknown`.
    pub code_commit: String,
    /// `sha256:<hex>` of `model.onnx`.
    pub model_digest: String,
    /// Absent when drift is not watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_reference: Option<DriftReference>,
    /// Asked at every load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub golden_rows: Vec<GoldenRow>,
    /// MLflow version; absent until registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<u64>,
    /// MLflow run; absent until registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

impl Manifest {
    /// Class names worth showing: `None` for regression and where the labels are just `0..k`.
    pub fn class_names(&self) -> Option<&[String]> {
        let plain = self.classes.iter().enumerate().all(|(i, c)| *c == i.to_string());
        (!plain).then_some(self.classes.as_slice())
    }

    /// `sha256:<hex>` over what a client depends on: feature names and order, task and classes.
    pub fn schema_digest(&self) -> String {
        /// A struct, not a JSON map: a map's order depends on how serde_json was compiled.
        #[derive(Serialize)]
        struct Schema<'a> {
            classes: &'a [String],
            features: Vec<&'a str>,
            task: Task,
        }
        let schema = Schema {
            classes: &self.classes,
            features: self.features.iter().map(|f| f.name.as_str()).collect(),
            task: self.task,
        };
        let text = serde_json::to_vec(&schema).expect("strings are always JSON");
        crate::sha256_hex(&text)
    }
}

//! Body of `GET /model/info`: what is live, by every digest there is.

use crate::manifest::{Dataset, Feature, Task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the serving process has loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelInfo {
    /// Registered name.
    pub name: String,
    /// MLflow version as text, or the model digest's first 12 digits where there is no manifest.
    pub model_version: String,
    /// MLflow run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// What it predicts.
    pub task: Task,
    /// `random-forest`, `decision-tree`, or `onnx` for a model that is not ours.
    pub algorithm: String,
    /// Inputs in order.
    pub features: Vec<Feature>,
    /// Labels in index order.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Held-out metrics from the manifest.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// What it learnt from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<Dataset>,
    /// Names of the dataset files that the drift reference comes from.
    #[serde(default)]
    pub drift_reference_sources: Vec<String>,
    /// All `sha256:<hex>`.
    pub digests: Digests,
    /// Commit of the code that trained it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_commit: Option<String>,
    /// Image tag from the release (`IMAGE_TAG`), where the process was given it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_tag: Option<String>,
}

/// Digests of what is loaded. Equal digests mean equal predictions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Digests {
    /// Of `model.onnx`.
    pub model: String,
    /// Of `manifest.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Of `drift/reference_data.npy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_reference: Option<String>,
    /// [`crate::Manifest::schema_digest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Of the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Of the image, from the release (`IMAGE_DIGEST`), where the process was given it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

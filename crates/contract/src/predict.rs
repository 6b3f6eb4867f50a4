//! Bodies of `/predict` and of every error, as the source documents and issue fix them.

use serde::{Deserialize, Serialize};

/// Body of a request with one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OneRow {
    /// Feature values in the model's order.
    pub features: Vec<f64>,
}

/// Body of a request with many rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ManyRows {
    /// One array of feature values for each row.
    pub instances: Vec<Vec<f64>>,
}

/// Body of `POST /predict`: one row or many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum PredictRequest {
    /// Answered by one [`Prediction`].
    One(OneRow),
    /// Answered by [`Predictions`].
    Many(ManyRows),
}

/// Answer for one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Prediction {
    /// Class index (an integer) or the predicted number.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub prediction: serde_json::Number,
    /// Name of that class, where classes have names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// One for each class; empty for regression.
    #[serde(default)]
    pub probabilities: Vec<f64>,
    /// Version that answered: the MLflow version as text, or the digest's first 12 digits.
    pub model_version: String,
    /// Whether the current window differs from the reference.
    pub drift_detected: bool,
}

/// Answer for many rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Predictions {
    /// One for each instance, in order.
    pub predictions: Vec<Prediction>,
}

/// Every error of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// Stable word, e.g. `feature_count`.
    pub code: String,
    /// For a person; names field, value and what was expected.
    pub message: String,
    /// Also in the `x-request-id` header and the log.
    pub request_id: String,
}

//! Bodies of `/predict` and of every error, as the source documents and issue fix them.

use serde::{Deserialize, Serialize};

/// Answer for one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Class index (an integer) or the predicted number.
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
pub struct Predictions {
    /// One for each instance, in order.
    pub predictions: Vec<Prediction>,
}

/// Every error of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable word, e.g. `feature_count`.
    pub code: String,
    /// For a person; names field, value and what was expected.
    pub message: String,
    /// Also in the `x-request-id` header and the log.
    pub request_id: String,
}

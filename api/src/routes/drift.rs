//! `/drift/status`.

use super::content;
use crate::{
    error::{ApiError, Code},
    openapi::DriftStatusBody,
    state::State,
};
use axum::{body::Body, extract, http::Response};
use drift::DriftStatus;
use std::sync::Arc;

/// Whether the latest rows differ from the reference.
#[utoipa::path(get, path = "/drift/status", tag = "model", summary = "Drift of the latest rows",
    description = "Two-sample Kolmogorov-Smirnov test of each feature over the latest `DRIFT_WINDOW_SIZE` rows against the model's reference sample. Until the window is full, and for a model without a reference, there is a `reason` instead.",
    responses(
        (status = 200, description = "The window's verdict", body = DriftStatusBody, examples(
            ("collecting" = (value = json!({"drift_detected": false, "reason": "Collecting samples (3/100)", "samples": 3}))),
            ("full" = (value = json!({"drift_detected": true, "threshold": 0.05, "samples": 100, "features": {"feature_0": {"name": "sepal_length", "ks_stat": 0.87, "p_value": 1.2e-45, "drift": true, "location": 5.8, "sign": 1}}})))
        )),
        (status = 503, description = "`not_ready`", body = contract::ErrorBody)
    ))]
pub async fn status(extract::State(state): extract::State<Arc<State>>) -> Result<Response<Body>, ApiError> {
    state.served()?;
    // Exact p-values may take a while for large samples: not on a thread that serves.
    let status = tokio::task::spawn_blocking(move || {
        state
            .served()
            .map(|served| served.drift().map(|drift| drift.status()))
    });
    let failed = |_| ApiError::new(Code::Internal, "the comparison failed, see the log");
    let status = status.await.map_err(failed)??.unwrap_or_else(|| DriftStatus {
        drift_detected: false,
        reason: Some("The model has no drift reference".to_owned()),
        threshold: None,
        samples: 0,
        features: None,
    });
    Ok(content(
        "application/json",
        serde_json::to_vec(&status).expect("plain fields are always JSON"),
    ))
}

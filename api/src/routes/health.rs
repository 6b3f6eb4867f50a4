//! `/health`, `/livez`, `/readyz`.

use super::content;
use crate::{error::ApiError, openapi::HealthBody, state::State};
use axum::{body::Body, extract, http::Response};
use std::sync::Arc;

/// What a person looks at.
#[utoipa::path(get, path = "/health", tag = "operation", summary = "Health for a person",
    responses(
        (status = 200, description = "The model answers", body = HealthBody,
            example = json!({"status": "healthy", "uptime_seconds": 12.5, "requests_served": 42, "timestamp": "2026-11-21T12:00:00Z"})),
        (status = 503, description = "`not_ready` or `draining`", body = contract::ErrorBody)
    ))]
pub async fn health(extract::State(state): extract::State<Arc<State>>) -> Result<Response<Body>, ApiError> {
    state.ready()?;
    let body = HealthBody {
        status: "healthy".to_owned(),
        uptime_seconds: state.started.elapsed().as_secs_f64(),
        requests_served: state.metrics.requests_served(),
        timestamp: jiff::Timestamp::now().to_string(),
    };
    Ok(content(
        "application/json",
        serde_json::to_vec(&body).expect("plain fields are always JSON"),
    ))
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/livez", tag = "operation", summary = "Liveness probe",
    responses((status = 200, description = "The process answers", body = crate::openapi::StatusBody, example = json!({"status": "alive"}))))]
pub async fn livez() -> Response<Body> {
    content("application/json", r#"{"status":"alive"}"#)
}

/// Whether traffic is wanted.
#[utoipa::path(get, path = "/readyz", tag = "operation", summary = "Readiness probe",
    responses(
        (status = 200, description = "The model has answered", body = crate::openapi::StatusBody, example = json!({"status": "ready"})),
        (status = 503, description = "`not_ready` or `draining`", body = contract::ErrorBody)
    ))]
pub async fn readyz(extract::State(state): extract::State<Arc<State>>) -> Result<Response<Body>, ApiError> {
    state.ready()?;
    Ok(content("application/json", r#"{"status":"ready"}"#))
}

//! `/ping` and `/version`: what MLflow's clients look at before they ask. Both are text, and said to be:
//! MLflow says JSON of a line break and of a version without quotes.

use crate::{error::ApiError, routes::content, state::State};
use axum::{body::Body, extract, http::Response};
use std::sync::Arc;

/// The MLflow whose scoring protocol this is.
const VERSION: &str = "3.17.2";

/// Whether the model answers.
#[utoipa::path(get, path = "/ping", tag = "mlflow", summary = "MLflow's readiness probe",
    responses(
        (status = 200, description = "The model answers; the body is a line break", body = String, content_type = "text/plain"),
        (status = 405, description = "`BAD_REQUEST`: GET and POST alone", body = super::ErrorBody),
        (status = 503, description = "`TEMPORARILY_UNAVAILABLE`: the model is being loaded, or the process is about to stop", body = super::ErrorBody,
            example = json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "the model is being loaded"}))
    ))]
pub(crate) async fn ping(
    extract::State(state): extract::State<Arc<State>>,
) -> Result<Response<Body>, ApiError> {
    state.ready()?;
    Ok(content("text/plain; charset=utf-8", "\n"))
}

/// The same by POST, as some of MLflow's clients ask.
#[utoipa::path(post, path = "/ping", tag = "mlflow", summary = "MLflow's readiness probe, by POST",
    responses(
        (status = 200, description = "The model answers; the body is a line break", body = String, content_type = "text/plain"),
        (status = 405, description = "`BAD_REQUEST`: GET and POST alone", body = super::ErrorBody),
        (status = 503, description = "`TEMPORARILY_UNAVAILABLE`: the model is being loaded, or the process is about to stop", body = super::ErrorBody)
    ))]
pub(crate) async fn ping_by_post(state: extract::State<Arc<State>>) -> Result<Response<Body>, ApiError> {
    ping(state).await
}

/// The version of MLflow whose words these are.
#[utoipa::path(get, path = "/version", tag = "mlflow", summary = "Version of the protocol",
    description = "The version of MLflow whose scoring protocol this is, without quotes, as MLflow answers it.",
    responses(
        (status = 200, description = "A version", body = String, content_type = "text/plain", example = "3.17.2"),
        (status = 405, description = "`BAD_REQUEST`: GET alone", body = super::ErrorBody)
    ))]
pub(crate) async fn version() -> Response<Body> {
    content("text/plain; charset=utf-8", VERSION)
}

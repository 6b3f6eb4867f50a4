//! `/drift/status`, and what replicas ask each other.

use super::content;
use crate::{
    error::{ApiError, Code},
    guard::same_secret,
    monitor::{Monitor, exchange::Taken, status::Status},
    state::State,
};
use axum::{
    body::Body,
    extract,
    http::{HeaderMap, Response, StatusCode, header},
};
use std::sync::Arc;

/// Whether the latest rows differ from the reference.
#[utoipa::path(get, path = "/drift/status", tag = "model", summary = "Drift of the latest rows",
    description = "The latest `DRIFT_WINDOW_SIZE` rows of all replicas beside the rows that the model learnt from: a two-sample Kolmogorov-Smirnov test of each feature, and the rule of `DRIFT_MODE` over all of them. Until the window is full, and for a model without a reference, there is a `reason` instead of `threshold` and `features`.",
    responses(
        (status = 200, description = "The window's verdict", body = Status, examples(
            ("collecting" = (value = json!({"drift_detected": false, "reason": "Collecting samples (3/100)", "samples": 3}))),
            ("full" = (value = json!({"drift_detected": true, "threshold": 0.00000625, "samples": 100, "features": {"feature_0": {"name": "sepal_length", "ks_stat": 0.87, "p_value": 1.2e-45, "drift": true, "location": 5.8, "sign": 1, "corrected_p_value": 4.8e-45}}})))
        )),
        (status = 503, description = "`not_ready`", body = contract::ErrorBody)
    ))]
pub async fn status(extract::State(state): extract::State<Arc<State>>) -> Result<Response<Body>, ApiError> {
    state.served()?;
    let body = match state.monitor() {
        // Exact p-values may take a while for large samples: not on a thread that serves.
        Some(monitor) => beside(move || serde_json::to_vec(&*monitor.status())).await?,
        None => serde_json::to_vec(&Status::without_reference()),
    };
    Ok(content(
        "application/json",
        body.expect("plain fields are always JSON"),
    ))
}

/// Another replica asks for what it lacks.
pub async fn exchange(
    extract::State(state): extract::State<Arc<State>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, ApiError> {
    let (monitor, question) = accepted(&state, &headers, body).await?;
    let answer = beside(move || monitor.answer(&question)).await?;
    match answer.map_err(|error| ApiError::new(Code::InvalidRequest, error.to_string()))? {
        Some(frame) => Ok(content("application/octet-stream", frame)),
        None => Ok(empty(StatusCode::NO_CONTENT)),
    }
}

/// Another replica leaves what it has, before it ends.
pub async fn hand_over(
    extract::State(state): extract::State<Arc<State>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, ApiError> {
    let (monitor, frame) = accepted(&state, &headers, body).await?;
    let taken = beside(move || monitor.take(&frame)).await?;
    match taken.map_err(|error| ApiError::new(Code::InvalidRequest, error.to_string()))? {
        Taken::Merged | Taken::OtherModel => Ok(content("application/octet-stream", Vec::new())),
        Taken::Own => Ok(empty(StatusCode::NO_CONTENT)),
    }
}

/// From a replica, by its token; anybody else is told that there is nothing.
async fn accepted(
    state: &State,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Arc<Monitor>, axum::body::Bytes), ApiError> {
    let token = state.config.drift.exchange.token();
    let Ok(Some(token)) = token else {
        return Err(super::no_such_path());
    };
    let given = headers.get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if !given.is_some_and(|given| same_secret(given, &token)) {
        return Err(ApiError::new(
            Code::Unauthorized,
            "replicas show the token of DRIFT_TOKEN_FILE",
        ));
    }
    state.served()?;
    let monitor = state.monitor().ok_or_else(super::no_such_path)?;
    let most = monitor.frame_most();
    let body = axum::body::to_bytes(body, most).await.map_err(|error| {
        ApiError::new(
            Code::BodyTooLarge,
            format!("a frame of at most {most} bytes is taken: {error}"),
        )
    })?;
    Ok((monitor, body))
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let failed = |_| ApiError::new(Code::Internal, "the comparison failed, see the log");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

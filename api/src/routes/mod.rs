//! All routes but `/predict`, over axum's router.

pub mod docs;
pub mod drift;
pub mod health;
pub mod metrics;
pub mod model;

use crate::{
    error::{ApiError, Code},
    mlflow, openapi,
    state::State,
};
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Response, header},
    routing::{any, get},
};
use std::sync::Arc;

/// The router over `state`. `/predict` is in it for its 405 alone, see [`crate::App`].
pub fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/model/info", get(model::info))
        .route("/drift/status", get(drift::status))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(docs::docs))
        .route("/ping", get(mlflow::ping).post(mlflow::ping))
        .route("/version", get(mlflow::version))
        .fallback(any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state)
}

/// Routes that are asked by machines every few seconds: neither counted nor limited.
pub fn is_probe(path: &str) -> bool {
    matches!(path, "/health" | "/livez" | "/readyz" | "/metrics" | "/ping")
}

/// A path for the log: known ones alone, others are the client's text.
pub fn known(path: &str) -> &'static str {
    const KNOWN: [&str; 12] = [
        crate::predict::PATH,
        mlflow::PATH,
        "/health",
        "/livez",
        "/readyz",
        "/model/info",
        "/drift/status",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/ping",
        "/version",
    ];
    KNOWN.into_iter().find(|known| *known == path).unwrap_or("other")
}

async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "no such path; /docs lists what there is")
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "this path does not take that method, see the Allow header",
    )
}

/// An answer of one content type.
pub(crate) fn content(kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

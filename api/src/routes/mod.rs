//! All routes but `/predict`, over axum's router.

pub mod docs;
pub mod drift;
pub mod health;
pub mod metrics;
pub mod model;

use crate::{
    error::{ApiError, Code},
    openapi,
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
        .fallback(any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state)
}

/// Routes that are asked by machines every few seconds: neither counted nor limited.
pub fn is_probe(path: &str) -> bool {
    matches!(path, "/health" | "/livez" | "/readyz" | "/metrics")
}

/// Routes that need no API key: what machines probe, and what this is.
pub fn is_free(path: &str) -> bool {
    is_probe(path) || is_document(path)
}

/// Routes that say what this is; the same for everybody and at any time.
pub fn is_document(path: &str) -> bool {
    matches!(path, "/docs" | "/openapi.json")
}

/// A path for the log: known ones alone, others are the client's text.
pub fn known(path: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        crate::predict::PATH,
        "/health",
        "/livez",
        "/readyz",
        "/model/info",
        "/drift/status",
        "/metrics",
        "/openapi.json",
        "/docs",
    ];
    KNOWN.into_iter().find(|known| *known == path).unwrap_or("other")
}

/// No such path here.
pub fn no_such_path() -> ApiError {
    ApiError::new(Code::NotFound, "no such path; /docs lists what there is")
}

async fn not_found() -> ApiError {
    no_such_path()
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "this path does not take that method, see the Allow header",
    )
}

/// An answer of one content type.
fn content(kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

//! All routes but `/predict` and those below `/v2`, over axum's router; and what paths are.

pub mod docs;
pub mod drift;
pub mod health;
pub mod metrics;
pub mod model;

use crate::{
    error::{ApiError, Code, ErrorForm},
    mlflow,
    monitor::exchange::PATH as EXCHANGE,
    openapi, predict,
    protocol::Protocol,
    state::State,
    v2,
};
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Response, header},
    routing::{any, get, post},
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
        .route(EXCHANGE, post(drift::exchange).put(drift::hand_over))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(docs::docs))
        .route("/ping", get(mlflow::ping).post(mlflow::ping_by_post))
        .route("/version", get(mlflow::version))
        .fallback(any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state)
}

/// Routes that are asked by machines every few seconds: neither counted nor limited.
pub fn is_probe(path: &str) -> bool {
    matches!(
        path,
        "/health"
            | "/livez"
            | "/readyz"
            | "/metrics"
            | EXCHANGE
            | "/ping"
            | "/v2/health/live"
            | "/v2/health/ready"
            | "/v2/models/{model}/ready"
            | "/v2/models/{model}/versions/{version}/ready"
    )
}

/// Routes that need no API key: what machines probe, and what this is.
pub fn is_free(path: &str) -> bool {
    is_probe(path) || is_document(path)
}

/// Routes that say what this is; the same for everybody.
pub fn is_document(path: &str) -> bool {
    matches!(path, "/docs" | "/openapi.json")
}

/// The protocol whose predictions a [`known`] path is for.
pub fn protocol(known: &str) -> Option<Protocol> {
    match known {
        predict::PATH => Some(Protocol::Predict),
        mlflow::PATH => Some(Protocol::Mlflow),
        "/v2/models/{model}/infer" | "/v2/models/{model}/versions/{version}/infer" => Some(Protocol::V2),
        _ => None,
    }
}

/// How errors at a path are written.
pub fn error_form(path: &str) -> ErrorForm {
    match path {
        path if v2::is_below(path) => ErrorForm::V2,
        path if mlflow::speaks(path) => ErrorForm::Mlflow,
        _ => ErrorForm::Own,
    }
}

/// The methods of a [`known`] path that the router does not know.
pub fn allowed_methods(known: &str) -> Option<&'static str> {
    match protocol(known) {
        Some(_) => Some("POST"),
        None => v2::is_below(known).then_some("GET,HEAD"),
    }
}

/// A path for the log: known ones alone, and without names in them: others are the client's text.
pub fn known(path: &str) -> &'static str {
    const KNOWN: [&str; 13] = [
        predict::PATH,
        mlflow::PATH,
        "/health",
        "/livez",
        "/readyz",
        "/model/info",
        "/drift/status",
        EXCHANGE,
        "/metrics",
        "/openapi.json",
        "/docs",
        "/ping",
        "/version",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == path)
        .or_else(|| v2::Target::of(path).map(v2::Target::word))
        .unwrap_or("other")
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
pub(crate) fn content(kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

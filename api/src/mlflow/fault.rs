//! Refusals in MLflow's words.

use super::ErrorBody;
use crate::error::{ApiError, Code};
use axum::http::StatusCode;

/// The status MLflow would give: it knows no 422.
pub(crate) fn status(code: Code) -> StatusCode {
    match code.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    }
}

/// MLflow's word for a refusal. Where MLflow itself has none (it answers 405, 413 and 415 in plain
/// text), it is the one of a bad request.
pub(super) fn word(code: Code) -> &'static str {
    match (status(code), code) {
        // What MLflow finds out when it holds the data against the model's signature.
        (
            StatusCode::BAD_REQUEST,
            Code::MissingTensor
            | Code::UnknownTensor
            | Code::TensorDatatype
            | Code::TensorShape
            | Code::FeatureCount
            | Code::EmptyBatch
            | Code::UnknownField
            | Code::UnsupportedModel,
        ) => "INVALID_PARAMETER_VALUE",
        (StatusCode::BAD_REQUEST, Code::MalformedRequest) => "MALFORMED_REQUEST",
        (StatusCode::UNAUTHORIZED, _) => "UNAUTHENTICATED",
        (StatusCode::FORBIDDEN, _) => "PERMISSION_DENIED",
        (StatusCode::NOT_FOUND, _) => "ENDPOINT_NOT_FOUND",
        (StatusCode::REQUEST_TIMEOUT, _) => "DEADLINE_EXCEEDED",
        (StatusCode::TOO_MANY_REQUESTS, _) => "REQUEST_LIMIT_EXCEEDED",
        (StatusCode::SERVICE_UNAVAILABLE, _) => "TEMPORARILY_UNAVAILABLE",
        (status, _) if status.is_server_error() => "INTERNAL_ERROR",
        _ => "BAD_REQUEST",
    }
}

/// The body of a refusal.
pub(crate) fn body(error: &ApiError) -> Vec<u8> {
    let body = ErrorBody {
        error_code: word(error.code).to_owned(),
        message: error.message.clone().into_owned(),
    };
    serde_json::to_vec(&body).expect("two strings are always JSON")
}

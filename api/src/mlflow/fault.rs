//! Refusals in MLflow's words.

use super::ErrorBody;
use crate::error::{ApiError, Code};
use axum::{
    body::Body,
    http::{Response, StatusCode},
};

/// The status MLflow would give: it knows no 422.
pub(super) fn status(code: Code) -> StatusCode {
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

/// The whole answer but for the headers that every answer gets.
pub(crate) fn answer(error: &ApiError) -> Response<Body> {
    let body = ErrorBody {
        error_code: word(error.code).to_owned(),
        message: error.message.clone().into_owned(),
    };
    let body = serde_json::to_vec(&body).expect("two strings are always JSON");
    error.answer_with(status(error.code), body)
}

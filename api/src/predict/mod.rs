//! `POST /predict`: body to rows to answer, without waiting for anything but the body.

pub mod answer;
pub(crate) mod body;
pub(crate) mod fault;
mod parse;
pub mod plan;
pub mod rows;

use crate::{
    error::{ApiError, Code},
    media,
    routes::content,
    served::{Served, Traffic},
    state::State,
    tensor::Datatype,
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Method, Response, request::Parts},
};
use hyper::body::Body as HttpBody;
use parse::{Schema, Shape, parse};
use rows::Rows;

/// The path; [`crate::App`] calls [`answer`] for it without a detour over the router.
pub const PATH: &str = "/predict";

/// Answers a request to [`PATH`].
///
/// # Errors
/// An [`ApiError`] for whatever the request, the model or the moment is wrong about.
#[utoipa::path(
    post,
    path = "/predict",
    tag = "predictions",
    summary = "Predict one row or many",
    description = "`features` (one row) is answered by one prediction, `instances` (many rows) by `predictions` in the same order. Values are finite numbers in the model's feature order, see `/model/info`.",
    request_body(content = contract::PredictRequest, content_type = "application/json", examples(
        ("a row" = (value = json!({"features": [5.1, 3.5, 1.4, 0.2]}))),
        ("many rows" = (value = json!({"instances": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]})))
    )),
    responses(
        (status = 200, description = "The prediction, or the list of them", body = crate::openapi::PredictAnswer, examples(
            ("a row" = (value = json!({"prediction": 0, "class_name": "setosa", "probabilities": [0.97, 0.02, 0.01], "model_version": "1", "drift_detected": false}))),
            ("many rows" = (value = json!({"predictions": [{"prediction": 0, "class_name": "setosa", "probabilities": [0.97, 0.02, 0.01], "model_version": "1", "drift_detected": false}]})))
        )),
        (status = 400, description = "`invalid_json`, `empty_body`, `malformed_request`", body = contract::ErrorBody),
        (status = 405, description = "`method_not_allowed`", body = contract::ErrorBody),
        (status = 408, description = "`request_timeout`: the body did not arrive in time", body = contract::ErrorBody),
        (status = 413, description = "`body_too_large`", body = contract::ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = contract::ErrorBody),
        (status = 422, description = "JSON that the model does not take: `feature_count`, `not_a_number`, `number_out_of_range`, `not_an_array`, `not_an_object`, `missing_field`, `unknown_field`, `duplicate_field`, `conflicting_fields`, `empty_batch`, `too_many_instances`; or `unsupported_model`: the model is to be asked by `/v2`", body = contract::ErrorBody,
            example = json!({"code": "feature_count", "message": "features has 3 values, the model expects 4: sepal_length, sepal_width, petal_length, petal_width", "request_id": "8f14e45fceea167a"})),
        (status = 500, description = "`internal`, `prediction_not_finite`", body = contract::ErrorBody),
        (status = 503, description = "`not_ready`: try again after `Retry-After` seconds", body = contract::ErrorBody)
    )
)]
pub async fn answer<B>(state: &State, head: &Parts, body: B, id: &str) -> Result<Response<Body>, ApiError>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    let most = state.config.limits.max_body_bytes;
    let (served, body) = body::taken(body, &head.headers, most, accepted(state, head)).await?;
    let most = state.config.limits.max_instances;
    let (json, rows) = body::caught(|| predict(served, most, &body, Traffic::Clients(id)))?;
    state.metrics.rows(rows);
    Ok(content("application/json", json))
}

/// What can be said before the body is read.
fn accepted<'s>(state: &'s State, head: &Parts) -> Result<&'s Served, ApiError> {
    if head.method != Method::POST {
        let message = format!("{PATH} takes POST");
        return Err(ApiError::new(Code::MethodNotAllowed, message));
    }
    media_type(&head.headers)?;
    state.served()
}

/// Body to body, and how many rows they were.
///
/// # Errors
/// As [`answer`].
pub(crate) fn predict(
    served: &Served,
    max_instances: usize,
    body: &[u8],
    traffic: Traffic<'_>,
) -> Result<(Vec<u8>, usize), ApiError> {
    let (datatype, _) = served.rows_datatype()?;
    let schema = Schema {
        names: served.feature_names(),
        max_instances,
        float32: datatype == Datatype::Fp32,
    };
    Rows::with(|rows| {
        let shape = parse(body, schema, rows)?;
        let json = served.answer(rows, shape == Shape::Many, traffic)?;
        Ok((json, rows.count))
    })
}

/// `application/json` or `application/<something>+json`, not compressed.
pub(crate) fn media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    media::uncompressed(headers)?;
    let message = match media::essence(headers) {
        Some(essence) if media::is_json(essence) => return Ok(()),
        Some(_) => "Content-Type is not JSON, expected application/json",
        None => "Content-Type is missing, expected application/json",
    };
    Err(ApiError::new(Code::UnsupportedMediaType, message))
}

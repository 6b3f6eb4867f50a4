//! MLflow's scoring protocol: `POST /invocations`, `/ping`, `/version`.
//!
//! Statuses, `error_code` words and what is taken are those of `mlflow models serve`. It is stricter in
//! what could only be a mistake: a number in a JSON string, infinities, a row of a CSV file that is
//! too short, `params`, an `index` of another length.

mod accept;
mod cell;
mod csv;
mod fault;
mod json;
mod named;
mod ping;
mod rows;
mod split;
mod write;

pub(crate) use accept::Format;
pub(crate) use fault::{body as error_body, status as error_status};
pub(crate) use ping::{__path_ping, __path_ping_by_post, __path_version, ping, ping_by_post, version};

use crate::{
    error::{ApiError, Code},
    outcome::Outcome,
    predict::body,
    routes::content,
    served::{Served, Traffic},
    state::State,
    table::Table,
};
use axum::{
    body::{Body, Bytes},
    http::{Method, Response, request::Parts},
};
use hyper::body::Body as HttpBody;
use serde::Serialize;
use utoipa::ToSchema;

/// The path; [`crate::App`] calls [`answer`] for it without a detour over the router.
pub const PATH: &str = "/invocations";

/// Whether errors of a path are MLflow's.
pub fn speaks(path: &str) -> bool {
    matches!(path, PATH | "/ping" | "/version")
}

/// Errors of MLflow's paths.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MlflowError)]
pub struct ErrorBody {
    /// MLflow's word: `BAD_REQUEST`, `INVALID_PARAMETER_VALUE`, `TEMPORARILY_UNAVAILABLE`, …
    pub error_code: String,
    /// For a person: which row and column, what it is, what was expected.
    pub message: String,
}

/// Body of `/invocations`: exactly one of the four fields.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoringRequest {
    /// `{"columns": [names], "data": [[values], …], "index": […]}`; without `columns`, in the model's order.
    #[schema(value_type = Object, required = false)]
    pub dataframe_split: Option<()>,
    /// `[{"column": value, …}, …]`
    #[schema(value_type = Vec<Object>, required = false)]
    pub dataframe_records: Option<()>,
    /// Rows (`[[values], …]`), records, or `{"column": [values]}`
    #[schema(value_type = serde_json::Value, required = false)]
    pub instances: Option<()>,
    /// The same as `instances`.
    #[schema(value_type = serde_json::Value, required = false)]
    pub inputs: Option<()>,
    /// Empty: no model here has parameters of prediction.
    #[schema(value_type = Option<Object>)]
    pub params: Option<()>,
}

/// Answer of `/invocations`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoringAnswer {
    /// For each row: the class (a number or a string), a number, or a record of outputs.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub predictions: Vec<()>,
}

/// Answers a request to [`PATH`].
///
/// # Errors
/// An [`ApiError`] for whatever the request, the model or the moment is wrong about.
#[utoipa::path(
    post,
    path = "/invocations",
    tag = "mlflow",
    summary = "Predict as MLflow's scoring server does",
    description = "The formats of `mlflow models serve` (version 2 and later). Columns are matched by name where there are names: their order is free, extra ones are ignored, missing ones are named in the error. `null`, `NaN` and empty cells are missing values, which columns of floating point numbers take. A classifier answers the class of each row, a regression a number, any other model a record of its outputs.\n\nErrors have MLflow's `error_code`; the request id is in the header `x-request-id` alone.",
    request_body(content(
        (ScoringRequest = "application/json", examples(
            ("dataframe_split" = (value = json!({"dataframe_split": {"columns": ["sepal_length", "sepal_width", "petal_length", "petal_width"], "data": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}}))),
            ("dataframe_records" = (value = json!({"dataframe_records": [{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}]}))),
            ("instances" = (value = json!({"instances": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}))),
            ("inputs" = (value = json!({"inputs": {"sepal_length": [5.1], "sepal_width": [3.5], "petal_length": [1.4], "petal_width": [0.2]}})))
        )),
        (String = "text/csv", example = "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n")
    )),
    responses(
        (status = 200, description = "A prediction for each row", body = ScoringAnswer, example = json!({"predictions": [0, 2]})),
        (status = 400, description = "`BAD_REQUEST` (not JSON, not one of the formats, a value that is no number), `INVALID_PARAMETER_VALUE` (columns missing, rows of the wrong length, `params`), `MALFORMED_REQUEST`", body = ErrorBody,
            example = json!({"error_code": "INVALID_PARAMETER_VALUE", "message": "Model is missing inputs ['petal_width']."})),
        (status = 405, description = "`BAD_REQUEST`: POST alone", body = ErrorBody),
        (status = 408, description = "`DEADLINE_EXCEEDED`: the body did not arrive in time", body = ErrorBody),
        (status = 413, description = "`BAD_REQUEST`: the body is too large", body = ErrorBody),
        (status = 415, description = "`BAD_REQUEST`: another media type, charset or content type parameter", body = ErrorBody),
        (status = 500, description = "`INTERNAL_ERROR`: also for an answer that JSON cannot hold", body = ErrorBody),
        (status = 503, description = "`TEMPORARILY_UNAVAILABLE`: try again after `Retry-After` seconds", body = ErrorBody)
    )
)]
pub async fn answer<B>(state: &State, head: &Parts, body: B, id: &str) -> Result<Response<Body>, ApiError>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    let most = state.config.limits.max_body_bytes;
    let ((format, served), body) = body::taken(body, &head.headers, most, accepted(state, head)).await?;
    let most = state.config.limits.max_batch_rows;
    let (json, rows) = body::caught(|| score(served, most, format, &body, Traffic::Clients(id)))?;
    state.metrics.rows(rows);
    Ok(content("application/json", json))
}

/// What can be said before the body is read.
fn accepted<'s>(state: &'s State, head: &Parts) -> Result<(Format, &'s Served), ApiError> {
    if head.method != Method::POST {
        return Err(ApiError::new(
            Code::MethodNotAllowed,
            format!("{PATH} takes POST"),
        ));
    }
    Ok((accept::format(&head.headers)?, state.served()?))
}

/// Body to body, and how many rows they were.
///
/// # Errors
/// As [`answer`].
pub(crate) fn score(
    served: &Served,
    rows_max: usize,
    format: Format,
    body: &[u8],
    traffic: Traffic<'_>,
) -> Result<(Vec<u8>, usize), ApiError> {
    let mut table = Table::new(served.columns().usable()?, rows_max, body.len());
    match format {
        Format::Json => json::read(body, &mut table)?,
        Format::Csv => csv::read(body, &mut table)?,
    }
    let rows = table.rows();
    let outputs = &served.signature().outputs;
    let outcome = Outcome::of(outputs);
    if rows == 0 {
        // A data frame with columns and no rows has no predictions.
        return Ok((write::write(outcome, 0, &[])?, 0));
    }
    let wanted: Vec<&str> = outcome
        .places(outputs.len())
        .map(|place| outputs[place].name.as_str())
        .collect();
    let inputs = table.take(&served.signature().inputs);
    let tensors = served.infer(&inputs, Some(&wanted), rows_max, traffic)?;
    Ok((write::write(outcome, rows, &tensors)?, rows))
}

#[cfg(test)]
mod tests;

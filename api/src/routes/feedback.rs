//! `POST /feedback` and `GET /feedback/labelled`.

use super::{
    content,
    drift::{beside, empty},
};
use crate::{
    error::{ApiError, Code},
    feedback::{
        Body as Sent, Counted, Feedback, Item, Outcome,
        described::{FeedbackAnswer, FeedbackRequest},
        read,
    },
    guard::same_secret,
    predict::{body, media_type},
    state::State,
};
use axum::{
    body::Body,
    extract,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;

/// Where labelled rows are given out.
pub const LABELLED: &str = "/feedback/labelled";

/// `Content-Digest` (RFC 9530).
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// Rows of the table.
const ROWS: HeaderName = HeaderName::from_static("x-labelled-rows");
/// Older rows that did not fit.
const LEFT_OUT: HeaderName = HeaderName::from_static("x-labelled-rows-left-out");
/// Columns that have no values because they are never kept, as JSON.
const NEVER_KEPT: HeaderName = HeaderName::from_static("x-columns-never-kept");

/// What became of the labels of one request.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedbackState {
    /// Which.
    pub request_id: String,
    /// `matched`, `duplicate` (the same were known), `pending` (other replicas are asked); in a list also the code word of an
    /// error.
    pub state: &'static str,
    /// Rows that have a label now and had none.
    pub matched: usize,
    /// Labels that were known already.
    pub duplicates: usize,
    /// In a list: what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What became of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedbackStates {
    /// In the order they were sent.
    pub feedback: Vec<FeedbackState>,
}

impl FeedbackState {
    fn of(item: Item, result: Result<Counted, ApiError>) -> Self {
        let counted = result.as_ref().ok();
        FeedbackState {
            request_id: item.request_id,
            state: match &result {
                Ok(counted) => counted.outcome.word(),
                Err(error) => error.code.word(),
            },
            matched: counted.map_or(0, |counted| counted.matched),
            duplicates: counted.map_or(0, |counted| counted.duplicates),
            message: result.err().map(|error| error.message.into_owned()),
        }
    }
}

/// Takes labels.
#[utoipa::path(post, path = "/feedback", tag = "feedback", summary = "Say what was right",
    description = "Labels of rows that were answered, by the `x-request-id` of the answer. They make live accuracy, which `/drift/status` has as `performance` and compares with held-out rows. A label is a class's name or its number (a number that is the name of one class and the number of another is refused), or the number that was to be predicted. It is final: the same one again is a `duplicate`, another one a `label_conflict`. The latest `FEEDBACK_ROWS` answered rows are remembered; later labels are of an `unknown_request`. Where there are other replicas a label may reach one that did not answer the request: 202, `pending`, and it is passed on within seconds, or dropped after a minute if nobody knows it.",
    request_body(content = FeedbackRequest, content_type = "application/json", examples(
        ("a row" = (value = json!({"request_id": "8f14e45fceea167a", "label": "versicolor"}))),
        ("many rows" = (value = json!({"request_id": "c9f0f895fb98ab91", "labels": ["versicolor", null, 2]}))),
        ("many requests" = (value = json!({"feedback": [{"request_id": "8f14e45fceea167a", "label": 1}]})))
    )),
    responses(
        (status = 200, description = "They count, or did before", body = FeedbackAnswer, examples(
            ("matched" = (value = json!({"request_id": "8f14e45fceea167a", "state": "matched", "matched": 1, "duplicates": 0}))),
            ("many requests" = (value = json!({"feedback": [{"request_id": "8f14e45fceea167a", "state": "unknown_request", "matched": 0, "duplicates": 0, "message": "request \"8f14e45fceea167a\" is not known here: expected the x-request-id of an answer that is not forgotten yet (FEEDBACK_ROWS)"}]})))
        )),
        (status = 202, description = "`pending`: other replicas are asked", body = FeedbackState,
            example = json!({"request_id": "8f14e45fceea167a", "state": "pending", "matched": 0, "duplicates": 0})),
        (status = 400, description = "`invalid_json`, `empty_body`, `invalid_request`, `malformed_request`", body = contract::ErrorBody),
        (status = 404, description = "`unknown_request`: never answered here, or forgotten; `not_found` where no labels are taken", body = contract::ErrorBody,
            example = json!({"code": "unknown_request", "message": "request \"8f14e45fceea167a\" is not known here: expected the x-request-id of an answer that is not forgotten yet (FEEDBACK_ROWS)", "request_id": "45fceea167a8f14e"})),
        (status = 408, description = "`request_timeout`: the body did not arrive in time", body = contract::ErrorBody),
        (status = 409, description = "`label_conflict`: the row has another label; `ambiguous_request`: the id stands for requests that were answered differently", body = contract::ErrorBody,
            example = json!({"code": "label_conflict", "message": "label is another label than \"versicolor\", which the row has already and keeps", "request_id": "45fceea167a8f14e"})),
        (status = 413, description = "`body_too_large`", body = contract::ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = contract::ErrorBody),
        (status = 422, description = "`unknown_label`, `label_count`, `missing_field`, `unknown_field`, `duplicate_field`, `conflicting_fields`, `not_an_object`, `not_an_array`, `empty_batch`, `too_many_instances`", body = contract::ErrorBody,
            example = json!({"code": "unknown_label", "message": "label is \"rose\", expected a class's name or its number from 0 to 2: setosa, versicolor, virginica", "request_id": "45fceea167a8f14e"})),
        (status = 503, description = "`not_ready`: try again after `Retry-After` seconds", body = contract::ErrorBody)
    ))]
pub async fn feedback(
    extract::State(state): extract::State<Arc<State>>,
    headers: HeaderMap,
    sent: Body,
) -> Result<Response<Body>, ApiError> {
    let most = state.config.limits.max_body_bytes;
    let accepted = media_type(&headers).and_then(|()| taker(&state));
    let (feedback, sent) = body::taken(sent, &headers, most, accepted).await?;
    let sent = read(&sent)?;
    let (status, json) = beside(move || match sent {
        Sent::One(item) => {
            let counted = feedback.label(&item)?;
            let status = match counted.outcome {
                Outcome::Pending => StatusCode::ACCEPTED,
                _ => StatusCode::OK,
            };
            Ok((status, serde_json::to_vec(&FeedbackState::of(item, Ok(counted)))))
        }
        Sent::Many(items) => {
            let state = |item: Item| {
                let result = feedback.label(&item);
                FeedbackState::of(item, result)
            };
            let states = FeedbackStates {
                feedback: items.into_iter().map(state).collect(),
            };
            Ok((StatusCode::OK, serde_json::to_vec(&states)))
        }
    })
    .await??;
    let mut response = content("application/json", json.expect("plain fields are always JSON"));
    *response.status_mut() = status;
    Ok(response)
}

/// Gives labelled rows out.
#[utoipa::path(get, path = "/feedback/labelled", tag = "feedback", summary = "Labelled rows as training data",
    description = "With `CAPTURE=on`: the latest labelled rows as CSV in the form of the model's dataset, features in order and then the target. `Content-Digest` (RFC 9530) has its SHA-256, `ETag` the same in hexadecimal. Cells of columns that are never kept (`CAPTURE_EXCEPT`, named in `x-columns-never-kept`) are empty, as missing values are. Asked with the token of `CAPTURE_TOKEN_FILE` where there is one, else with an API key.",
    responses(
        (status = 200, description = "The table, a line for each row", body = String, content_type = "text/csv",
            example = json!("sepal_length,sepal_width,petal_length,petal_width,species\n5.1,3.5,1.4,0.2,setosa\n")),
        (status = 304, description = "The same as `If-None-Match` names"),
        (status = 401, description = "`unauthorized`: no token, or another one", body = contract::ErrorBody),
        (status = 404, description = "`not_found`: inputs are not kept", body = contract::ErrorBody),
        (status = 503, description = "`not_ready`: try again after `Retry-After` seconds", body = contract::ErrorBody)
    ))]
pub async fn labelled(
    extract::State(state): extract::State<Arc<State>>,
    headers: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    if !state.config.feedback.captures() {
        let message = "inputs are not kept here: CAPTURE is off";
        return Err(ApiError::new(Code::NotFound, message));
    }
    if state.config.feedback.token_file.is_some() {
        admitted(&state, &headers)?;
    }
    let feedback = taker(&state)?;
    let (never, export) = beside(move || {
        let never = Value::from(feedback.never_kept());
        (never, feedback.export())
    })
    .await?;
    let export = export.ok_or_else(super::no_such_path)?;
    let etag = export.etag();
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known == etag.as_str());
    let digest = export.content_digest();
    let mut response = match known {
        true => empty(StatusCode::NOT_MODIFIED),
        false => content("text/csv; charset=utf-8", export.csv),
    };
    let mut fields = vec![
        (header::ETAG, etag),
        (ROWS, export.rows.to_string()),
        (LEFT_OUT, export.left_out.to_string()),
    ];
    if !known {
        fields.push((CONTENT_DIGEST, digest));
    }
    if never.as_array().is_some_and(|never| !never.is_empty()) {
        fields.push((NEVER_KEPT, ascii(&never)));
    }
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// JSON in ASCII, as a header takes it.
fn ascii(value: &Value) -> String {
    let text = value.to_string();
    let mut escaped = String::with_capacity(text.len());
    for unit in text.encode_utf16() {
        match u8::try_from(unit).ok().filter(u8::is_ascii) {
            Some(byte) => escaped.push(char::from(byte)),
            None => escaped.push_str(&format!("\\u{unit:04x}")),
        }
    }
    escaped
}

/// By the token: read anew each time, so that another one is in force at once.
fn admitted(state: &State, headers: &HeaderMap) -> Result<(), ApiError> {
    let unauthorized = || {
        ApiError::new(
            Code::Unauthorized,
            "the token of CAPTURE_TOKEN_FILE is needed, expected as Authorization: Bearer",
        )
    };
    let token = state
        .config
        .feedback
        .token()
        .ok()
        .flatten()
        .ok_or_else(unauthorized)?;
    let given = headers.get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match given.is_some_and(|given| same_secret(given, &token)) {
        true => Ok(()),
        false => Err(unauthorized()),
    }
}

/// Who takes labels here.
fn taker(state: &State) -> Result<Arc<Feedback>, ApiError> {
    let feedback = state.served()?.feedback().cloned();
    feedback.ok_or_else(|| {
        let message = "no labels are taken here: FEEDBACK_ROWS is 0, or the model has no manifest";
        ApiError::new(Code::NotFound, message)
    })
}

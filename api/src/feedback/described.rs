//! Bodies of `/feedback` for the document; they are read by hand, see [`super::read`].
#![allow(dead_code, reason = "schemas alone")]

use crate::routes::feedback::{FeedbackState, FeedbackStates};
use serde::Serialize;
use utoipa::ToSchema;

/// A class by name or number, or a number.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Label {
    /// A class's name.
    Name(String),
    /// A class's number, or what was to be predicted.
    Number(f64),
}

/// The label of a request of one row.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RowFeedback {
    /// The header `x-request-id` of the answer.
    pub request_id: String,
    /// What was right.
    pub label: Label,
}

/// Labels of a request of many rows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsFeedback {
    /// The header `x-request-id` of the answer.
    pub request_id: String,
    /// What was right, one for each row; null where it is not known yet.
    #[schema(min_items = 1)]
    pub labels: Vec<Option<Label>>,
}

/// Labels of one request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum RequestFeedback {
    /// Of one row.
    Row(RowFeedback),
    /// Of many.
    Rows(RowsFeedback),
}

/// Labels of many requests.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedbackList {
    /// Each on its own: one that is refused does not touch the others.
    #[schema(min_items = 1, max_items = 1000)]
    pub feedback: Vec<RequestFeedback>,
}

/// Body of `/feedback`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FeedbackRequest {
    /// Of a request of one row.
    Row(RowFeedback),
    /// Of a request of many.
    Rows(RowsFeedback),
    /// Of many requests.
    List(FeedbackList),
}

/// Answer of `/feedback`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FeedbackAnswer {
    /// For one request.
    One(FeedbackState),
    /// For a list.
    Many(FeedbackStates),
}

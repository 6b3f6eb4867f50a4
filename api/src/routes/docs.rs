//! `/docs`: the OpenAPI document as one page that works offline, without scripts.

pub(crate) mod render;

use super::content;
use crate::state::State;
use axum::{body::Body, extract, http::Response};
use std::sync::Arc;

/// The page.
#[utoipa::path(get, path = "/docs", tag = "documents", summary = "This description, for people",
    responses((status = 200, description = "One page, no external requests", body = String, content_type = "text/html")))]
pub async fn docs(extract::State(state): extract::State<Arc<State>>) -> Response<Body> {
    let (page, policy) = state.published().page();
    let mut response = content("text/html; charset=utf-8", page);
    response.headers_mut().extend([policy]);
    response
}

//! `/drift/report`: what the page shows.

use super::beside;
use crate::{error::ApiError, monitor::report::Report, routes::content, state::State};
use axum::{body::Body, extract, http::Response};
use std::sync::Arc;

/// All that there is to say and to draw of the window.
#[utoipa::path(get, path = "/drift/report", tag = "model", summary = "Drift of the latest rows, to be drawn",
    description = "What the page `/drift` shows: all of `/drift/status`, and for each feature both distribution functions, both in the same bins, what its p-value is held against and its statistic at the latest looks; the latest looks and episodes. Computed once for each state of the window.",
    responses(
        (status = 200, description = "The window beside the reference", body = Report),
        (status = 503, description = "`not_ready`", body = contract::ErrorBody)
    ))]
pub async fn report(extract::State(state): extract::State<Arc<State>>) -> Result<Response<Body>, ApiError> {
    state.served()?;
    let body = match state.monitor() {
        Some(monitor) => beside(move || serde_json::to_vec(&*monitor.report())).await?,
        None => serde_json::to_vec(&Report::without_reference()),
    };
    Ok(content(
        "application/json",
        body.expect("plain fields are always JSON"),
    ))
}

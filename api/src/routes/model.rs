//! `/model/info`.

use super::content;
use crate::{error::ApiError, state::State};
use axum::{body::Body, extract, http::Response};
use std::sync::Arc;

/// What is live, by every digest there is.
#[utoipa::path(get, path = "/model/info", tag = "model", summary = "What is live",
    responses(
        (status = 200, description = "Name, version, features, metrics and digests", body = contract::ModelInfo),
        (status = 503, description = "`not_ready`", body = contract::ErrorBody)
    ))]
pub async fn info(extract::State(state): extract::State<Arc<State>>) -> Result<Response<Body>, ApiError> {
    Ok(content("application/json", state.served()?.info_body()))
}

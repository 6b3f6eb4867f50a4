//! `/docs`: the OpenAPI document as one page that works offline, without scripts.

mod render;

use super::content;
use crate::{guard::headers::content_security_policy, openapi};
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response},
};
use std::sync::OnceLock;

/// The page.
#[utoipa::path(get, path = "/docs", tag = "documents", summary = "This description, for people",
    responses((status = 200, description = "One page, no external requests", body = String, content_type = "text/html")))]
pub async fn docs() -> Response<Body> {
    static PAGE: OnceLock<(String, (HeaderName, HeaderValue))> = OnceLock::new();
    let (page, policy) = PAGE.get_or_init(|| {
        let document = serde_json::from_str(openapi::json()).expect("written by ourselves");
        let page = render::page(&document);
        let policy = content_security_policy(&page);
        (page, policy)
    });
    let mut response = content("text/html; charset=utf-8", page.as_str());
    response.headers_mut().extend([policy.clone()]);
    response
}

//! `/drift`: one document for people, without data. Its script asks for that.

use crate::{guard::headers::scripted_page_policy, routes::content};
use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, Response},
};
use std::sync::OnceLock;

/// In the order in which they need each other.
const SCRIPTS: [&str; 9] = [
    include_str!("page/dom.js"),
    include_str!("page/format.js"),
    include_str!("page/axes.js"),
    include_str!("page/charts.js"),
    include_str!("page/head.js"),
    include_str!("page/feature.js"),
    include_str!("page/features.js"),
    include_str!("page/episodes.js"),
    include_str!("page/live.js"),
];

struct Page {
    html: Bytes,
    policy: (HeaderName, HeaderValue),
}

fn assembled() -> &'static Page {
    static PAGE: OnceLock<Page> = OnceLock::new();
    PAGE.get_or_init(|| {
        let style = include_str!("page/style.css");
        // Strict, and nothing of it is seen by other scripts.
        let script = format!("\"use strict\";\n(() => {{\n{}}})();\n", SCRIPTS.concat());
        let html = include_str!("page/page.html")
            .replace("/* style */", style)
            .replace("/* script */", &script);
        Page {
            policy: scripted_page_policy(&html),
            html: html.into(),
        }
    })
}

/// The page.
#[utoipa::path(get, path = "/drift", tag = "documents", summary = "Drift, for people",
    description = "One page that draws `/drift/report` and follows `/drift/events`. It has no data itself and needs no key; where keys are configured it asks for one.",
    responses((status = 200, description = "One page, no requests to other hosts", body = String, content_type = "text/html")))]
pub async fn page() -> Response<Body> {
    let page = assembled();
    let mut response = content("text/html; charset=utf-8", page.html.clone());
    response.headers_mut().extend([page.policy.clone()]);
    response
}

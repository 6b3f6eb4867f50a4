//! Headers that every answer carries.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The same as text, for answers that no handler gives.
pub const TEXT: &str = "x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\nx-frame-options: DENY\r\ncache-control: no-store\r\n";

/// Puts them on an answer. Documents may be kept by browsers; whatever else is answered is true of
/// its moment only, or of the data that was sent.
pub fn put(headers: &mut HeaderMap, document: bool) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::REFERRER_POLICY, NO_REFERRER);
    headers.insert(header::X_FRAME_OPTIONS, DENY);
    if !document {
        headers.insert(header::CACHE_CONTROL, NO_STORE);
    }
}

/// The policy of a page that has one inline style and nothing else: by the style's hash, so that a
/// style that somebody smuggles in is not applied.
pub fn content_security_policy(page: &str) -> (HeaderName, HeaderValue) {
    let style = page
        .split_once("<style>")
        .and_then(|(_, rest)| rest.split_once("</style>"))
        .map_or("", |(style, _)| style);
    let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).expect("base64 is a header value");
    (header::CONTENT_SECURITY_POLICY, policy)
}

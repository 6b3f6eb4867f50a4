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
    policy(&format!("style-src '{}'", hash_of(page, "style")))
}

/// The same of a page with one script besides, which may ask this host and make no markup out of text; its icon is
/// in the page.
pub fn scripted_page_policy(page: &str) -> (HeaderName, HeaderValue) {
    policy(&format!(
        "style-src '{}'; script-src '{}'; connect-src 'self'; img-src data:; require-trusted-types-for 'script'; trusted-types 'none'",
        hash_of(page, "style"),
        hash_of(page, "script")
    ))
}

fn policy(allowed: &str) -> (HeaderName, HeaderValue) {
    let policy =
        format!("default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    let policy = HeaderValue::from_str(&policy).expect("base64 is a header value");
    (header::CONTENT_SECURITY_POLICY, policy)
}

/// Of the text in the page's only element of that name.
fn hash_of(page: &str, element: &str) -> String {
    let text = page
        .split_once(&format!("<{element}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{element}>")))
        .map_or("", |(text, _)| text);
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

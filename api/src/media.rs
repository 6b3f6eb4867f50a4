//! What kind of body a request says it brings.

use crate::error::{ApiError, Code};
use axum::http::{HeaderMap, header};

/// Refuses a compressed body: what it unpacks to is not bounded by its length.
///
/// # Errors
/// `unsupported_media_type`.
pub fn uncompressed(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(value) if value != "identity" => Err(ApiError::new(
            Code::UnsupportedMediaType,
            "a compressed body is not taken, send it without Content-Encoding",
        )),
        _ => Ok(()),
    }
}

/// `Content-Type` without its parameters; `None` where there is none.
pub fn essence(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::CONTENT_TYPE)?.as_bytes();
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    Some(essence.trim_ascii())
}

/// `application/json` or `application/<something>+json`.
pub fn is_json(essence: &[u8]) -> bool {
    essence.eq_ignore_ascii_case(b"application/json")
        || (essence.len() > 17
            && essence[..12].eq_ignore_ascii_case(b"application/")
            && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json"))
}

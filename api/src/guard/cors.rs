//! Cross-origin requests (<https://fetch.spec.whatwg.org/#http-cors-protocol>): off unless origins
//! are named. Credentials are never allowed: keys are sent by scripts, not kept in cookies.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts},
};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "content-type, accept, authorization, x-api-key, x-request-id, inference-header-content-length",
);
const ANSWER_HEADERS: HeaderValue =
    HeaderValue::from_static("x-request-id, retry-after, inference-header-content-length");
/// Browsers ask again after this many seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// The origins whose pages may ask.
#[derive(Debug, Default)]
pub struct Cors {
    origins: Vec<HeaderValue>,
    any: bool,
}

/// Why an origin is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "--cors-allow-origin (CORS_ALLOW_ORIGIN) is {0:?}, expected scheme://host or scheme://host:port as browsers send it (lower case, no path), or *"
)]
pub struct CorsError(String);

impl Cors {
    /// Checks the origins; empty ones are left out.
    ///
    /// # Errors
    /// For what is no origin.
    pub fn new(origins: &[String]) -> Result<Self, CorsError> {
        let mut cors = Cors::default();
        for origin in origins
            .iter()
            .map(|origin| origin.trim())
            .filter(|o| !o.is_empty())
        {
            let error = || CorsError(origin.to_owned());
            if origin == "*" {
                cors.any = true;
                continue;
            }
            let (scheme, host) = origin.split_once("://").ok_or_else(error)?;
            let plain =
                |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' | b'[' | b']');
            let lower = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.');
            if scheme.is_empty() || host.is_empty() || !scheme.bytes().all(lower) || !host.bytes().all(plain)
            {
                return Err(error());
            }
            cors.origins
                .push(HeaderValue::from_str(origin).map_err(|_| error())?);
        }
        Ok(cors)
    }

    /// The request's origin, where any may ask.
    pub fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.any || !self.origins.is_empty() {
            headers.get(header::ORIGIN).cloned()
        } else {
            None
        }
    }

    /// The answer to a browser that asks whether it may ask. Others than the origins named get what
    /// everybody gets for OPTIONS.
    pub fn preflight(&self, head: &Parts) -> Option<Response<Body>> {
        if head.method != Method::OPTIONS || !head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        self.allowed(head.headers.get(header::ORIGIN)?)?;
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        let headers = answer.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(answer)
    }

    /// Puts on an answer what a browser must see to show it to the page.
    pub fn put(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if !self.origins.is_empty() {
            // Also for those who get nothing: a cache must not give them another's answer.
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(allowed) = origin.and_then(|origin| self.allowed(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        }
    }

    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.any {
            return Some(ANY);
        }
        self.origins.iter().find(|allowed| *allowed == origin).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_checked() {
        let new = |text: &str| Cors::new(&[text.to_owned()]);
        for good in [
            "https://a.example",
            "http://localhost:3000",
            "http://[::1]:80",
            "*",
            "",
        ] {
            assert!(new(good).is_ok(), "{good}");
        }
        for bad in [
            "a.example",
            "https://a.example/",
            "https://A.example",
            "https://",
            "null",
            "https://a b",
        ] {
            assert_eq!(new(bad).unwrap_err(), CorsError(bad.to_owned()));
        }
    }
}

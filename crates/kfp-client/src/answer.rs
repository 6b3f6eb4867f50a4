//! Pure: what an answer means. The server has two shapes of errors, and proxies have pages.

use crate::Error;
use reqwest::header::{HeaderMap, LOCATION};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// What the server writes where it has no time yet.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// gRPC's NOT_FOUND, in the gateway's errors.
const NOT_FOUND: i64 = 5;

/// The body of a good answer, or what the bad one means.
pub(crate) fn judge(
    address: &str,
    request: &str,
    status: u16,
    location: Option<&str>,
    bytes: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let request = request.to_owned();
    if let Some(title) = page(&bytes) {
        return Err(Error::Page {
            address: address.to_owned(),
            request,
            status,
            title,
        });
    }
    if (200..300).contains(&status) {
        return Ok(bytes);
    }
    let (code, message) = said(&bytes);
    Err(match status {
        300..=399 => Error::Unauthorized {
            request,
            status,
            message: format!("redirected to {}", location.unwrap_or("nowhere")),
        },
        401 | 403 => Error::Unauthorized {
            request,
            status,
            message,
        },
        // Without the code it is the router that knows no such path: another server.
        404 if code == Some(NOT_FOUND) => Error::NotFound { request, message },
        _ => Error::Refused {
            request,
            status,
            code,
            message,
        },
    })
}

/// The error's code and words, of either shape or of none.
fn said(bytes: &[u8]) -> (Option<i64>, String) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Said {
        error_message: Option<String>,
        error_details: Option<String>,
        code: Option<i64>,
        message: Option<String>,
    }
    let said: Said = serde_json::from_slice(bytes).unwrap_or_default();
    let text = match (said.message, said.error_message) {
        (Some(message), _) => plain(&message),
        (None, Some(message)) => {
            let (message, details) = (plain(&message), plain(&said.error_details.unwrap_or_default()));
            // The details mostly begin with the message and go on with the reason.
            if details.starts_with(&message) {
                details
            } else if details.is_empty() {
                message
            } else {
                format!("{message}: {details}")
            }
        }
        (None, None) => plain(&String::from_utf8_lossy(bytes)),
    };
    if text.is_empty() {
        return (said.code, "the answer is empty".to_owned());
    }
    (said.code, text.chars().take(600).collect())
}

/// On one line, without the stack trace, which helps nobody here.
fn plain(text: &str) -> String {
    let text = text.split("\ngithub.com/").next().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Title or beginning of a web page; `None` for anything else.
fn page(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
    let lower = text.trim_start().to_ascii_lowercase();
    if !["<!doctype html", "<html", "<head", "<title"]
        .iter()
        .any(|start| lower.starts_with(start))
    {
        return None;
    }
    let title = lower.find("<title>").and_then(|from| {
        let rest = &text.trim_start()[from + "<title>".len()..];
        Some(rest[..rest.find("</")?].trim().chars().take(80).collect())
    });
    Some(title.map_or("no title".to_owned(), |title: String| format!("{title:?}")))
}

/// Where a redirect points to, without its query, which may hold secrets.
pub(crate) fn location(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(LOCATION)?.to_str().ok()?;
    Some(text.split(['?', '#']).next()?.chars().take(200).collect())
}

/// A good answer as data, whatever content type it claims to be.
pub(crate) fn read<T: DeserializeOwned>(request: &str, bytes: &[u8]) -> Result<T, Error> {
    let refuse = |cause: String| Error::Answer {
        request: request.to_owned(),
        cause,
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(refuse("it is empty".to_owned()));
    }
    serde_json::from_slice(bytes).map_err(|e| {
        let start: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
        refuse(format!("{e}; it begins with {start:?}"))
    })
}

/// The error with its causes in one line; reqwest's own text leaves the cause out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// A text that may be missing or null: then empty.
pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(from)?.unwrap_or_default())
}

/// A time that may be missing, null, or 1970 for "not yet".
pub(crate) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.filter(|text| !text.is_empty() && text != NO_TIME))
}

/// A whole number, which this server writes as a string where it has 64 bits.
pub(crate) fn integer<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    match Option::<Value>::deserialize(from)? {
        None => Ok(None),
        Some(Value::Number(number)) if number.is_i64() => Ok(number.as_i64()),
        Some(Value::String(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
        Some(other) => Err(serde::de::Error::custom(format!("{other} is no whole number"))),
    }
}

/// A list that may be missing or null: then empty.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
}

//! Which of the formats a request's headers announce.

use crate::error::{ApiError, Code};
use axum::http::{HeaderMap, header};

/// How the body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv,
}

/// By `Content-Type`, with MLflow's rules: UTF-8 alone, and no parameter but `charset`.
pub(super) fn format(headers: &HeaderMap) -> Result<Format, ApiError> {
    let unsupported = |message: String| Err(ApiError::new(Code::UnsupportedMediaType, message));
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|value| value != "identity") {
        return unsupported("A compressed body is not taken, send it without Content-Encoding.".to_owned());
    }
    let only = "This predictor only supports the following content types: text/csv, application/json.";
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return unsupported(format!("{only} Content-Type is missing."));
    };
    // The usual one, without more ado.
    if value == "application/json" {
        return Ok(Format::Json);
    }
    let shown = String::from_utf8_lossy(value.as_bytes());
    let mut parts = shown.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    for parameter in parts.filter(|part| !part.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !name.eq_ignore_ascii_case("charset") {
            return unsupported(format!(
                "Unrecognized content type parameters: {}. The MLflow Model scoring protocol has changed in \
                 MLflow version 2.0; use one of the input fields dataframe_split, dataframe_records, instances, inputs.",
                crate::table::quoted(name)
            ));
        }
        if !value.trim_matches('"').eq_ignore_ascii_case("utf-8") {
            return unsupported("The scoring server only supports UTF-8.".to_owned());
        }
    }
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(Format::Json)
    } else if essence.eq_ignore_ascii_case("text/csv") {
        Ok(Format::Csv)
    } else {
        unsupported(format!("{only} Got {}.", crate::table::quoted(&shown)))
    }
}

//! Words of refusals: which value, what it is, what was expected.

use super::{parse::Schema, rows::Rows};
use crate::error::{ApiError, Code};

/// Longest piece of a client's text that is quoted back.
const QUOTED_CHARS: usize = 32;
/// Most feature names listed in a message.
const LISTED_NAMES: usize = 20;

/// A client's text, escaped and cut.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// `features` or `instances[3]`.
pub fn row_name(instance: Option<usize>) -> String {
    instance.map_or_else(|| "features".to_owned(), |row| format!("instances[{row}]"))
}

/// `features[1] (sepal_width)`.
pub fn value_name(instance: Option<usize>, index: usize, names: &[String]) -> String {
    let row = row_name(instance);
    match names.get(index) {
        Some(name) => format!("{row}[{index}] ({name})"),
        None => format!("{row}[{index}]"),
    }
}

/// A row of the wrong length, with the names that are expected.
pub fn feature_count(instance: Option<usize>, found: usize, names: &[String]) -> String {
    let row = row_name(instance);
    let listed = names
        .iter()
        .take(LISTED_NAMES)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let more = match names.len().saturating_sub(LISTED_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let values = if found == 1 { "value" } else { "values" };
    format!(
        "{row} has {found} {values}, the model expects {}: {listed}{more}",
        names.len()
    )
}

/// serde_json's refusal of what is not JSON, or of a number that no float64 holds.
pub fn syntax(body: &[u8], error: &serde_json::Error, schema: Schema<'_>, rows: &Rows) -> ApiError {
    let words = error.to_string();
    if words.starts_with("number out of range") {
        let (instance, index) = rows.at;
        let place = value_name(instance, index, schema.names);
        let message = format!("{place} is beyond what {}", schema.range());
        return ApiError::new(Code::NumberOutOfRange, message);
    }
    if std::str::from_utf8(body).is_err() {
        return ApiError::new(Code::InvalidJson, "the body is not UTF-8, as JSON has to be");
    }
    match not_a_number(body, error) {
        Some(word) => ApiError::new(
            Code::InvalidJson,
            format!("{word} is not JSON, expected a finite number: {words}"),
        ),
        None => ApiError::new(Code::InvalidJson, format!("the body is not JSON: {words}")),
    }
}

/// Whether a parser stumbled over `NaN` or an infinity; the word.
pub fn not_a_number(body: &[u8], error: &serde_json::Error) -> Option<&'static str> {
    word_at(body, error.line(), error.column())
}

/// `NaN` or an infinity, where that is what serde_json stumbled over.
pub fn word_at(body: &[u8], line: usize, column: usize) -> Option<&'static str> {
    let line = body.split(|byte| *byte == b'\n').nth(line.checked_sub(1)?)?;
    // The column is that of the first or of the second character, depending on the token before.
    let near = line.get(column.saturating_sub(2)..)?;
    let near = &near[..near.len().min(12)];
    let words = [
        ("-Infinity", &b"-Inf"[..]),
        ("-Infinity", b"-inf"),
        ("-NaN", b"-NaN"),
        ("Infinity", b"Inf"),
        ("NaN", b"NaN"),
        ("NaN", b"nan"),
        ("Infinity", b"inf"),
    ];
    let at = |start: usize| {
        words
            .iter()
            .find(|(_, begin)| near.get(start..).is_some_and(|rest| rest.starts_with(begin)))
    };
    at(0).or_else(|| at(1)).map(|(word, _)| *word)
}

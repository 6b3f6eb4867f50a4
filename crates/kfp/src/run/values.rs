//! Parameters as text: on a command line, and in the file that a step writes.

use super::expected;
use crate::kind::Kind;
use crate::value::{canonical, compact};
use serde_json::Value;

/// As the launcher fills it in: `1e-07`, `3`, lists and objects as JSON with sorted keys.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) if whole.abs() < 1_000_000_000_000_000 => whole.to_string(),
            _ => number.as_f64().map_or_else(|| number.to_string(), double),
        },
        Value::Array(_) | Value::Object(_) => compact(value),
        Value::Null | Value::Bool(_) => value.to_string(),
    }
}

/// Go's `%v`: an exponent of two digits below 1e-4 and from 1e21.
fn double(number: f64) -> String {
    let text = format!("{number:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..21).contains(&exponent) {
        return format!("{number}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// What a step wrote, as the launcher reads it: text as it is, the rest without blanks around.
///
/// # Errors
/// What was found and what was expected.
pub fn parse(kind: Kind, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    let value = match kind {
        Kind::Text | Kind::FinalStatus => Some(Value::from(text)),
        Kind::Integer => trimmed.parse::<i64>().ok().map(Value::from),
        // JSON has no word for what is no number.
        Kind::Double => trimmed
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::from),
        Kind::Boolean => match trimmed {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::List | Kind::Struct => serde_json::from_str(trimmed).ok(),
    };
    let value = value
        .map(canonical)
        .filter(|value| kind == Kind::FinalStatus || kind.fits(value));
    value.ok_or_else(|| {
        let start: String = text.chars().take(60).collect();
        format!("{start:?}: expected {}", expected(kind))
    })
}

//! YAML that YAML 1.1 and 1.2 read alike: Go's reader, Python's and ours.
//!
//! The usual writers leave `yes`, `12:30` or `1e3` bare, which some readers take for something else than
//! text, and write `1e-7`, which Python's takes for text (docs/adr/0006). Here a text is bare only if it
//! cannot be anything else, and a double always has its point.

use serde_json::{Map, Value};
use std::fmt::Write;

/// Words that some reader takes for something else than text.
const WORDS: &[&str] = &[
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf",
];

/// One document, with keys in order.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(map, 0, &mut out),
        other => {
            out += &scalar(other);
            out.push('\n');
        }
    }
    out
}

fn mapping(map: &Map<String, Value>, depth: usize, out: &mut String) {
    // The map keeps the order of insertion where another crate has asked serde_json for it.
    let mut sorted: Vec<(&String, &Value)> = map.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    for (at, (key, value)) in sorted.into_iter().enumerate() {
        // The first key stands behind its list's dash.
        if at > 0 || !out.ends_with("- ") {
            indent(depth, out);
        }
        *out += &text(key);
        out.push(':');
        under(value, depth, out);
    }
}

/// What follows a colon.
fn under(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            mapping(map, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            sequence(items, depth, out);
        }
        other => {
            out.push(' ');
            *out += &scalar(other);
            out.push('\n');
        }
    }
}

fn sequence(items: &[Value], depth: usize, out: &mut String) {
    for item in items {
        if !out.ends_with("- ") {
            indent(depth, out);
        }
        *out += "- ";
        match item {
            Value::Object(map) if !map.is_empty() => mapping(map, depth + 1, out),
            Value::Array(inner) if !inner.is_empty() => sequence(inner, depth + 1, out),
            other => {
                *out += &scalar(other);
                out.push('\n');
            }
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(double) if number.is_f64() => self::double(double),
            _ => number.to_string(),
        },
        Value::String(text) => self::text(text),
        // Full ones are never written here.
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

/// With a point, and with a sign in the exponent: Python's reader wants both.
fn double(number: f64) -> String {
    let text = format!("{number:?}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

fn text(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// In double quotes and printable ASCII, the same text for every reader.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            ' '..='~' => out.push(c),
            c if u32::from(c) <= 0xffff => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a String");
            }
            c => write!(out, "\\U{:08x}", u32::from(c)).expect("writing to a String"),
        }
    }
    out.push('"');
    out
}

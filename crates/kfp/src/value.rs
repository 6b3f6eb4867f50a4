//! Constants: one form for each number, and no `{{` that the workflow engine would replace.

use serde_json::{Number, Value};

/// Integers that a double holds exactly are not larger than this.
const EXACT: i64 = 1 << 53;

/// Whole numbers as integers, whatever they were written as: `3.0` reaches a step as `3`.
pub(crate) fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(&number).map_or(number, Number::from)),
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, item)| (key, canonical(item)))
            .collect(),
        other => other,
    }
}

fn whole(number: &Number) -> Option<i64> {
    if let Some(integer) = number.as_i64() {
        return Some(integer);
    }
    let double = number.as_f64()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    (double.fract() == 0.0 && double.abs() <= EXACT as f64).then_some(double as i64)
}

/// Deepest nesting of a constant; readers of YAML give up at about twice as much.
const DEPTH_MAX: usize = 48;
/// Longest key, as it is written; YAML's own limit is 1024.
const KEY_MAX: usize = 1000;

/// Why a constant cannot be sent as it is.
pub(crate) fn trouble(value: &Value) -> Option<String> {
    within(value, DEPTH_MAX)
}

fn within(value: &Value, depth: usize) -> Option<String> {
    if depth == 0 {
        return Some(format!("is nested deeper than {DEPTH_MAX} levels"));
    }
    match value {
        Value::Number(number) => {
            let exact = number.is_f64() || number.as_i64().is_some_and(|whole| whole.abs() <= EXACT);
            (!exact).then(|| format!("{number} is not held exactly by a double, as which it is sent"))
        }
        Value::String(text) => braces(text),
        Value::Array(items) => items.iter().find_map(|item| within(item, depth - 1)),
        Value::Object(map) => map
            .iter()
            .find_map(|(key, item)| self::key(key).or_else(|| within(item, depth - 1))),
        Value::Null | Value::Bool(_) => None,
    }
}

fn key(key: &str) -> Option<String> {
    let long = crate::emit::quoted(key).len() > KEY_MAX;
    let why = || {
        format!(
            "a key of {} letters is longer than YAML has them",
            key.chars().count()
        )
    };
    braces(key).or_else(|| long.then(why))
}

/// Why a text cannot be sent as it is: Argo replaces `{{workflow.name}}` and the like wherever it finds them.
pub(crate) fn braces(text: &str) -> Option<String> {
    text.contains("{{")
        .then(|| format!("{text:?} has {{{{, which the workflow engine would replace"))
}

/// As the messages hold it: every number a double, `3` is `3.0`.
pub(crate) fn doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => number
            .as_f64()
            .and_then(Number::from_f64)
            .map_or_else(|| value.clone(), Value::Number),
        Value::Array(items) => items.iter().map(doubles).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, item)| (key.clone(), doubles(item)))
            .collect(),
        other => other.clone(),
    }
}

/// JSON without blanks, keys in order whatever order the map keeps (another crate may have asked
/// serde_json for that of insertion).
pub(crate) fn compact(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(compact).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entry =
                |(key, item): (&String, &Value)| format!("{}:{}", Value::from(key.as_str()), compact(item));
            let entries: Vec<String> = entries.into_iter().map(entry).collect();
            format!("{{{}}}", entries.join(","))
        }
        other => other.to_string(),
    }
}

//! Small bodies that several calls share.

use serde::{Deserialize, Deserializer, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970. `runs/create` without a start time stores 0, so it is always sent.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A key and a text, changeable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// At most 250 bytes.
    pub key: String,
    /// At most 5,000 bytes; see [`Tag::new`].
    #[serde(default)]
    pub value: String,
}

impl Tag {
    /// A tag whose value is cut at 5,000 bytes (the server refuses more), on a character's edge.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        let mut value = value.into();
        if value.len() > 5_000 {
            let mut end = 4_990;
            while !value.is_char_boundary(end) {
                end -= 1;
            }
            value.truncate(end);
            value.push_str(" …");
        }
        Tag {
            key: key.into(),
            value,
        }
    }
}

/// A parameter: cannot be changed once logged, so a retry must send the same value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Name.
    pub key: String,
    /// Value as text.
    #[serde(default)]
    pub value: String,
}

/// One value of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Name.
    pub key: String,
    /// Value; the server writes NaN and infinities as text.
    #[serde(deserialize_with = "number_or_text")]
    pub value: f64,
    /// Milliseconds since 1970. The same key, value, time and step again is stored once.
    pub timestamp: i64,
    /// Training step.
    #[serde(default)]
    pub step: i64,
    /// The logged model it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// The dataset it was measured on, named as in `log-inputs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_name: Option<String>,
    /// See `dataset_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_digest: Option<String>,
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(value) => Ok(value),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

/// The value of `key` in a list of tags.
pub(crate) fn find<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter()
        .find(|tag| tag.key == key)
        .map(|tag| tag.value.as_str())
}

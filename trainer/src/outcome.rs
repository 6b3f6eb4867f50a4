//! What a step says: one JSON object on stdout, one line on stderr.

use crate::failure::Failure;
use contract::names::exit;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How a step ended, when it ended as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Its work was done now.
    Done,
    /// Its work was found done.
    Already,
    /// There was nothing that it could do here; `reason` says why.
    Skipped,
    /// The gate refused the candidate; `reasons` says why.
    Refused,
}

/// Result of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Name of the subcommand.
    pub step: String,
    /// How it ended.
    pub status: Status,
    /// The rest of the JSON object.
    #[serde(flatten)]
    pub detail: Map<String, Value>,
    /// For people.
    #[serde(skip)]
    pub summary: String,
}

impl Outcome {
    /// A result; `detail` must be a JSON object.
    pub fn new(step: &str, status: Status, detail: Value, summary: impl Into<String>) -> Self {
        Outcome {
            step: step.to_owned(),
            status,
            detail: match detail {
                Value::Object(map) => map,
                other => Map::from_iter([("detail".to_owned(), other)]),
            },
            summary: summary.into(),
        }
    }

    /// The exit code it stands for.
    pub fn exit(&self) -> u8 {
        match self.status {
            Status::Refused => exit::REFUSED,
            Status::Done | Status::Already | Status::Skipped => 0,
        }
    }

    /// A text of the detail, empty where there is none.
    pub fn text(&self, key: &str) -> &str {
        self.detail.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The status as it is written.
    pub fn word(&self) -> &'static str {
        match self.status {
            Status::Done => "done",
            Status::Already => "already",
            Status::Skipped => "skipped",
            Status::Refused => "refused",
        }
    }
}

/// The JSON object of a step that failed.
pub fn failed(step: &str, failure: &Failure) -> Value {
    let mut said = json!({
        "step": step,
        "status": failure.status(),
        "exit_code": failure.exit,
        "reason": failure.to_string(),
    });
    for (key, value) in &failure.detail {
        said[key] = value.clone();
    }
    said
}

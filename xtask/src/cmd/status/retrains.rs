//! The newest retrains and decisions of the drift check, from the ledger that the trainer keeps.

use contract::time::utc;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// Shown of each.
const SHOWN: usize = 5;

/// What is shown, newest first, in the ledger's own words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Retrains {
    /// Retrains.
    pub entries: Vec<Value>,
    /// Decisions.
    pub decisions: Vec<Value>,
}

/// Reads the ledger's text; `None` where it is another version's.
pub fn read(text: &str) -> Option<Retrains> {
    let ledger: Value = serde_json::from_str(text).ok()?;
    let newest = |key: &str| -> Option<Vec<Value>> {
        let all = ledger[key].as_array()?;
        Some(all.iter().rev().take(SHOWN).cloned().collect())
    };
    Some(Retrains {
        entries: newest("entries")?,
        decisions: newest("decisions")?,
    })
}

impl Retrains {
    /// What waits for a person.
    pub fn waiting(&self) -> Option<String> {
        let newest = self.decisions.first()?;
        let open = newest["verdict"] == "breaker-open";
        open.then(|| format!("retrains wait for a person: {}", text(&newest["text"])))
    }

    /// Lines of the screen.
    pub(super) fn write(&self, screen: &mut String) -> std::fmt::Result {
        if !self.entries.is_empty() {
            writeln!(screen, "\nLast retrains")?;
        }
        for entry in &self.entries {
            let state = &entry["state"];
            let moved = texts(&entry["movements"]);
            let why = match state["is"].as_str() {
                Some("refused") => texts(&state["reasons"]),
                _ => text(&state["reason"]).to_owned(),
            };
            let settled = match state["settled"].as_str() {
                Some("drifted") => "its model drifted at once",
                _ => "",
            };
            let about = [moved.as_str(), why.as_str(), settled];
            let about: Vec<&str> = about.into_iter().filter(|part| !part.is_empty()).collect();
            let line = format!(
                "  {} {:<11} {}  {}",
                time(&entry["at_ms"]),
                text(&state["is"]),
                text(&entry["run"]),
                about.join("; ")
            );
            writeln!(screen, "{}", line.trim_end())?;
        }
        if !self.decisions.is_empty() {
            writeln!(screen, "\nLast decisions of the drift check")?;
        }
        for decision in &self.decisions {
            let times = match decision["times"].as_u64() {
                Some(times) if times > 1 => format!(" ({times} times)"),
                _ => String::new(),
            };
            let when = time(&decision["last_ms"]);
            writeln!(screen, "  {when} {}{times}", text(&decision["text"]))?;
        }
        Ok(())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn texts(value: &Value) -> String {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn time(ms: &Value) -> String {
    ms.as_u64().map_or_else(String::new, utc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ledger() -> Value {
        let entry = |state: Value| {
            json!({"run": "training-7f3a2c1b-e1-t63340", "at_ms": 1_763_740_800_000_u64, "state": state,
                "movements": ["petal length is 0.9 higher than in training"]})
        };
        let decision = |verdict: &str, text: &str, times: u64| json!({"verdict": verdict, "text": text, "times": times, "last_ms": 1_763_740_900_000_u64});
        json!({"format": 1,
            "entries": [
                entry(json!({"is": "promoted", "model": "sha256:b", "settled": "drifted"})),
                entry(json!({"is": "refused", "reasons": ["accuracy 0.4 is below 0.9"]})),
                entry(json!({"is": "started"})),
            ],
            "decisions": [decision("start", "episode 1 is new", 1), decision("breaker-open", "The breaker is open: look", 3)]})
    }

    #[test]
    fn the_newest_first_and_what_waits() {
        let seen = read(&ledger().to_string()).unwrap();
        let mut screen = String::new();
        seen.write(&mut screen).unwrap();
        insta::assert_snapshot!(screen.trim(), @r"
        Last retrains
          2025-11-21T16:00:00Z started     training-7f3a2c1b-e1-t63340  petal length is 0.9 higher than in training
          2025-11-21T16:00:00Z refused     training-7f3a2c1b-e1-t63340  petal length is 0.9 higher than in training; accuracy 0.4 is below 0.9
          2025-11-21T16:00:00Z promoted    training-7f3a2c1b-e1-t63340  petal length is 0.9 higher than in training; its model drifted at once

        Last decisions of the drift check
          2025-11-21T16:01:40Z The breaker is open: look (3 times)
          2025-11-21T16:01:40Z episode 1 is new
        ");
        assert_eq!(
            seen.waiting().as_deref(),
            Some("retrains wait for a person: The breaker is open: look")
        );
    }

    #[test]
    fn a_ledger_that_cannot_be_read_is_left_out() {
        assert_eq!(read("{"), None);
        assert_eq!(read("{\"format\": 9}"), None);
    }
}

//! Pure: what a run said. A pod's log has both of its streams in one; the trainer's result is JSON
//! on one of them, and everything else is told in plain words on the other.

use serde_json::Value;

/// As the local engine bounds it.
const STDOUT_MAX: usize = 64 * 1024;
/// Lines of the other stream that are told.
const TAIL: usize = 100;

/// Splits a log into the JSON objects (standard output) and the last of the other lines.
pub fn split(log: &str) -> (String, Vec<String>) {
    let (mut stdout, mut rest) = (Vec::new(), Vec::new());
    let lines: Vec<&str> = log.lines().collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let taken = object_at(lines.get(at..).unwrap_or_default());
        match taken {
            0 => rest.push((*line).to_owned()),
            _ => stdout.extend(lines.iter().skip(at).take(taken).copied()),
        }
        at += taken.max(1);
    }
    let surplus = rest.len().saturating_sub(TAIL);
    rest.drain(..surplus);
    let mut stdout = stdout.join("\n");
    if stdout.len() > STDOUT_MAX {
        let from = stdout.len() - STDOUT_MAX;
        let from = (from..stdout.len())
            .find(|at| stdout.is_char_boundary(*at))
            .unwrap_or(0);
        stdout.drain(..from);
    }
    (stdout, rest)
}

/// How many of the lines, from the first, are one JSON object: on one line, or spread as printers
/// do, from a line `{` to a line `}`. None where there is none.
fn object_at(lines: &[&str]) -> usize {
    let is_object = |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object());
    match lines.first() {
        Some(line) if line.starts_with('{') && is_object(line) => 1,
        Some(&"{") => {
            let end = lines.iter().take(2000).position(|line| *line == "}");
            match end {
                Some(end) if is_object(&lines.get(..=end).unwrap_or_default().join("\n")) => end + 1,
                _ => 0,
            }
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_and_words_are_told_apart() {
        let log = "reading /data\n{\"status\":\"done\"}\nalmost\n{\n  \"a\": {\n    \"b\": 1\n  }\n}\nbye {not json}\n{broken\n";
        let (stdout, rest) = split(log);
        assert_eq!(
            stdout,
            "{\"status\":\"done\"}\n{\n  \"a\": {\n    \"b\": 1\n  }\n}"
        );
        assert_eq!(rest, ["reading /data", "almost", "bye {not json}", "{broken"]);
    }

    #[test]
    fn what_is_cut_off_is_no_object() {
        for log in ["{\n  \"a\": 1", "{", "}", "{}x", "[1]", ""] {
            let (stdout, rest) = split(log);
            assert_eq!(stdout, "", "{log}");
            assert_eq!(rest, log.lines().collect::<Vec<_>>());
        }
        assert_eq!(split("{}").0, "{}");
    }

    #[test]
    fn both_are_bounded() {
        let many = "x\n".repeat(1000);
        assert_eq!(split(&many).1.len(), TAIL);
        let long = format!("{{\"é\":\"{}\"}}", "é".repeat(STDOUT_MAX));
        assert!(split(&long).0.len() <= STDOUT_MAX);
    }
}

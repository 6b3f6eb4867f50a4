//! Durations in words, and the ledger as metrics.

use super::{Ledger, State};
use std::fmt::Write;

/// Reads a duration: a number with s, m, h or d behind it.
///
/// # Errors
/// What was expected.
pub fn duration(text: &str) -> Result<u64, String> {
    let expected = || format!("{text:?}: expected a number with s, m, h or d behind it, e.g. 90m");
    let text = text.trim();
    let unit = text.chars().last().ok_or_else(expected)?;
    let ms = match unit {
        's' => 1000,
        'm' => 60 * 1000,
        'h' => 60 * 60 * 1000,
        'd' => 24 * 60 * 60 * 1000,
        _ => return Err(expected()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| expected())?;
    number.checked_mul(ms).ok_or_else(expected)
}

pub(super) fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// The ledger in Prometheus' text format.
pub fn prometheus(ledger: &Ledger, breaker_after: u32) -> String {
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let states = [
        "starting",
        "started",
        "promoted",
        "refused",
        "failed",
        "nothing-new",
        "outrun",
        "abandoned",
    ];
    let count = |word: &&str| {
        let same = |state: &State| state.word() == *word;
        let count = ledger.entries.iter().filter(|entry| same(&entry.state)).count();
        (format!("{{state=\"{word}\"}}"), count as u64)
    };
    let counts: Vec<_> = states.iter().map(count).collect();
    let strikes = ledger.strikes().len() as u64;
    let open = strikes >= u64::from(breaker_after.max(1));
    metric(
        "driftless_retrains",
        "gauge",
        "Retrains in the ledger by state.",
        &counts,
    );
    metric(
        "driftless_breaker_strikes",
        "gauge",
        "Retrains in a row that did not help.",
        &[(String::new(), strikes)],
    );
    metric(
        "driftless_breaker_open",
        "gauge",
        "Whether a person must look before the next retrain.",
        &[(String::new(), u64::from(open))],
    );
    if let Some(last) = ledger.entries.last() {
        let seconds = last.at_ms / 1000;
        metric(
            "driftless_last_retrain_seconds",
            "gauge",
            "When the newest retrain was decided, in seconds since 1970.",
            &[(String::new(), seconds)],
        );
    }
    if let Some(last) = ledger.decisions.last() {
        let labels = format!("{{verdict=\"{}\"}}", last.verdict);
        metric(
            "driftless_last_decision_seconds",
            "gauge",
            "When the newest decision was made, in seconds since 1970.",
            &[(labels, last.last_ms / 1000)],
        );
    }
    text
}

//! The breaker: retrains in a row that did not help, and what a person must look at.

use super::{Entry, Ledger, Reason, Settled, State};

impl Ledger {
    /// Retrains that count towards the breaker, newest first: refused, failed, or promoted and drifting
    /// at once. A promotion that stayed quiet ends the row, and so does a person's reset.
    pub fn strikes(&self) -> Vec<&Entry> {
        let mut found = Vec::new();
        let after_reset = |entry: &&Entry| entry.id > self.reset_through;
        for entry in self.entries.iter().rev().take_while(after_reset) {
            match &entry.state {
                State::Promoted {
                    settled: Settled::Quiet,
                    ..
                } => break,
                // What a person ordered says nothing about what the loop does by itself.
                _ if entry.reason == Reason::Forced => {}
                State::Promoted {
                    settled: Settled::Drifted,
                    ..
                }
                | State::Refused { .. }
                | State::Failed { .. } => found.push(entry),
                _ => {}
            }
        }
        found
    }

    /// The text for people, with what moves now.
    pub(super) fn what_to_look_at(&self, strikes: &[&Entry], moved: &[String]) -> String {
        let ends: Vec<String> = strikes.iter().take(3).map(|entry| end(entry)).collect();
        let newest = strikes.first().map_or(&[][..], |entry| &entry.movements[..]);
        let moved = if moved.is_empty() { newest } else { moved };
        let moved = match moved {
            [] => "Which features moved is not known".to_owned(),
            moved => format!("What moved: {}", moved.join(", ")),
        };
        format!(
            "{} retrains in a row did not help: {}. {moved}. Look at the newest labelled batches of the data place \
             (units, labels, are they of this traffic?) and at these runs in MLflow; then \
             `trainer trigger --reset-breaker`",
            strikes.len(),
            ends.join("; "),
        )
    }
}

fn end(entry: &Entry) -> String {
    match &entry.state {
        State::Refused { reasons, mlflow_run } => {
            let run = mlflow_run
                .as_ref()
                .map_or(String::new(), |run| format!(" (MLflow run {run})"));
            format!("{} was refused: {}{run}", entry.run, reasons.join(", "))
        }
        State::Failed { reason } => format!("{} failed: {reason}", entry.run),
        State::Promoted { .. } => format!("{} was promoted and its model drifted at once", entry.run),
        other => format!("{} is {}", entry.run, other.word()),
    }
}

//! A verdict, its name, and its sentence for people.

use super::{Entry, Reason, Settled, State, utc};

/// What is to be done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This retrain (it may have been begun before).
    Start(Box<Entry>),
    /// Nothing has drifted.
    NoDrift,
    /// The episode has had its retrain.
    Handled {
        /// Its run.
        run: String,
        /// How that ended.
        how: String,
    },
    /// A retrain is not over.
    Running {
        /// Its run.
        run: String,
    },
    /// The last retrain was a short while ago.
    CoolingDown {
        /// Until then.
        until_ms: u64,
        /// Its run.
        run: String,
        /// It was for this very episode, and found nothing to learn from.
        waits_for_data: bool,
    },
    /// As many as are allowed in a day.
    CapReached {
        /// How many.
        cap: u32,
        /// Until then.
        until_ms: u64,
    },
    /// Too many in a row did not help: what a person must look at.
    BreakerOpen(String),
    /// A person has closed the breaker.
    BreakerReset,
    /// Others wrote to the ledger all the time.
    Contended,
}

impl Verdict {
    pub(super) fn handled(entry: &Entry) -> Self {
        let how = match &entry.state {
            State::Promoted {
                settled: Settled::Drifted,
                ..
            } => "promoted; its model drifted at once".to_owned(),
            State::Refused { reasons, .. } => format!("refused: {}", reasons.join(", ")),
            State::Failed { reason } => format!("failed: {reason}"),
            State::Outrun { reason } => format!("outrun: {reason}"),
            other => other.word().to_owned(),
        };
        Verdict::Handled {
            run: entry.run.clone(),
            how,
        }
    }

    /// Its name; scripts may match on it.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Start(_) => "start",
            Verdict::NoDrift => "no-drift",
            Verdict::Handled { .. } => "already-handled",
            Verdict::Running { .. } => "still-running",
            Verdict::CoolingDown { .. } => "cooling-down",
            Verdict::CapReached { .. } => "daily-cap",
            Verdict::BreakerOpen(_) => "breaker-open",
            Verdict::BreakerReset => "breaker-reset",
            Verdict::Contended => "contended",
        }
    }

    /// The run that it is about.
    pub fn run(&self) -> Option<&str> {
        match self {
            Verdict::Start(entry) => Some(&entry.run),
            Verdict::Handled { run, .. } | Verdict::Running { run } | Verdict::CoolingDown { run, .. } => {
                Some(run)
            }
            _ => None,
        }
    }

    /// When it would be another one by time alone.
    pub fn until_ms(&self) -> Option<u64> {
        match self {
            Verdict::CoolingDown { until_ms, .. } | Verdict::CapReached { until_ms, .. } => Some(*until_ms),
            _ => None,
        }
    }

    /// For people.
    pub fn sentence(&self) -> String {
        match self {
            Verdict::Start(entry) => match entry.reason {
                Reason::Forced => format!("ordered by a person: {}", entry.run),
                Reason::Drift if entry.movements.is_empty() => {
                    format!("episode {} is new: {}", entry.key.number, entry.run)
                }
                Reason::Drift => format!(
                    "episode {} is new ({}): {}",
                    entry.key.number,
                    entry.movements.join(", "),
                    entry.run
                ),
            },
            Verdict::NoDrift => "No drift detected. Skipping retrain.".to_owned(),
            Verdict::Handled { run, how } => {
                format!("This episode has had its retrain: {run} ({how})")
            }
            Verdict::Running { run } => format!("A retrain runs already: {run}"),
            Verdict::CoolingDown {
                until_ms,
                run,
                waits_for_data,
            } => {
                let why = match waits_for_data {
                    true => ": it found no labelled rows to learn from, add a batch to the data place",
                    false => "",
                };
                format!("Cooling down after {run} until {}{why}", utc(*until_ms))
            }
            Verdict::CapReached { cap: 0, .. } => "Retrains are switched off: the daily cap is 0".to_owned(),
            Verdict::CapReached { cap, until_ms } => format!(
                "{cap} retrains in 24 hours are allowed; the next may start at {}",
                utc(*until_ms)
            ),
            Verdict::BreakerOpen(text) => format!("The breaker is open: {text}"),
            Verdict::BreakerReset => "The breaker is closed again".to_owned(),
            Verdict::Contended => "others write to the ledger all the time".to_owned(),
        }
    }
}

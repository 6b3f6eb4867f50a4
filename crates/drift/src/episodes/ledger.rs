//! The memory: what was started for which episode and what became of it.

use super::protocol::{RunLook, Runs};
use super::{
    CHARS_MAX, Key, LATER_MS, Lease, Observation, REPLACED_LATER_MS, SENTENCE_MAX, STALE_MS, Verdict,
    bounded, cut,
};
use serde::{Deserialize, Serialize};

/// The form of the ledger that this code reads and writes.
pub const FORMAT: u32 = 1;
/// Retrains that are remembered; older ones are forgotten, except those that are not over.
pub const ENTRIES_MAX: usize = 100;
/// Decisions that are remembered.
const DECISIONS_MAX: usize = 30;

/// Why a ledger cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger has format {found}, expected {FORMAT}: it was written by another version of the trainer")]
pub struct LedgerError {
    found: u32,
}

/// Why a retrain was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// An episode.
    Drift,
    /// A person.
    Forced,
}

/// What became of the model that a retrain promoted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// It has not been seen with a whole window yet.
    #[default]
    Unknown,
    /// A whole window of its traffic was no drift.
    Quiet,
    /// It drifted before a whole window was quiet.
    Drifted,
}

/// How far a retrain is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum State {
    /// Decided; whether the run exists is not known.
    Starting,
    /// The run exists.
    Started,
    /// Its candidate was promoted.
    Promoted {
        /// The new model's digest, where it is known.
        #[serde(default)]
        model: Option<String>,
        /// See [`Settled`].
        #[serde(default)]
        settled: Settled,
    },
    /// The gate refused its candidate.
    Refused {
        /// The gate's.
        reasons: Vec<String>,
        /// Where MLflow has it.
        #[serde(default)]
        mlflow_run: Option<String>,
    },
    /// It ended otherwise.
    Failed {
        /// In words.
        reason: String,
    },
    /// The data place holds nothing that the served model has not learnt from: tried again later.
    NothingNew {
        /// In words.
        reason: String,
    },
    /// Somebody else promoted meanwhile.
    Outrun {
        /// In words.
        reason: String,
    },
    /// Its episode was over before the run was made.
    Abandoned,
}

impl State {
    /// Whether nothing more is expected of it.
    pub fn is_over(&self) -> bool {
        !matches!(self, State::Starting | State::Started)
    }

    /// As it is written.
    pub fn word(&self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Started => "started",
            State::Promoted { .. } => "promoted",
            State::Refused { .. } => "refused",
            State::Failed { .. } => "failed",
            State::NothingNew { .. } => "nothing-new",
            State::Outrun { .. } => "outrun",
            State::Abandoned => "abandoned",
        }
    }
}

/// One retrain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1; never given twice.
    #[serde(default)]
    pub id: u64,
    /// What it answers.
    pub key: Key,
    /// Name of its run.
    pub run: String,
    /// Number of the try for this episode.
    pub attempt: u32,
    /// Why.
    pub reason: Reason,
    /// When it was decided.
    pub at_ms: u64,
    /// When its end was recorded.
    #[serde(default)]
    pub ended_ms: Option<u64>,
    /// What had moved.
    #[serde(default)]
    pub movements: Vec<String>,
    /// How far it is.
    pub state: State,
}

impl Entry {
    /// Whether that episode is the one that it answers.
    pub fn answers(&self, seen: &Key) -> bool {
        let later_ms = match &self.state {
            State::Promoted { .. } => REPLACED_LATER_MS,
            _ => LATER_MS,
        };
        self.key.is(seen, later_ms)
    }
}

/// A verdict that was given, with how often in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The first time.
    pub at_ms: u64,
    /// The last time.
    pub last_ms: u64,
    /// How often.
    pub times: u64,
    /// The verdict's name.
    pub verdict: String,
    /// The verdict's sentence, the last time.
    pub text: String,
    /// The run it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// [`FORMAT`].
    pub format: u32,
    /// Oldest first.
    #[serde(default)]
    pub entries: Vec<Entry>,
    /// Oldest first.
    #[serde(default)]
    pub decisions: Vec<Decision>,
    /// Entries up to this id do not count towards the breaker: a person has looked.
    #[serde(default)]
    pub reset_through: u64,
    /// Who starts a run, where a start cannot be repeated without harm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    #[serde(default)]
    last_id: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger {
            format: FORMAT,
            entries: Vec::new(),
            decisions: Vec::new(),
            reset_through: 0,
            lease: None,
            last_id: 0,
        }
    }
}

impl Ledger {
    /// The ledger, if it is of this format.
    pub fn checked(self) -> Result<Self, LedgerError> {
        match self.format {
            FORMAT => Ok(self),
            found => Err(LedgerError { found }),
        }
    }

    /// The newest retrain for that episode.
    pub fn of(&self, key: &Key) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.answers(key))
    }

    /// The retrain with that run.
    pub fn of_run(&self, run: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.run == run)
    }

    /// Retrains whose end is not known.
    pub fn unended(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.state.is_over())
    }

    /// Writes down that a retrain is begun (once more, where it is known by its run's name).
    pub fn begin(&mut self, entry: &Entry) {
        if let Some(known) = self.entries.iter_mut().find(|known| known.run == entry.run) {
            known.state = State::Starting;
            known.at_ms = entry.at_ms;
            known.ended_ms = None;
            return;
        }
        self.last_id += 1;
        self.entries.push(Entry {
            id: self.last_id,
            movements: bounded(&entry.movements),
            ..entry.clone()
        });
        while self.entries.len() > ENTRIES_MAX {
            let Some(oldest) = self.entries.iter().position(|entry| entry.state.is_over()) else {
                break;
            };
            self.entries.remove(oldest);
        }
    }

    /// Writes down that a run exists; whether that is news.
    pub fn started(&mut self, run: &str) -> bool {
        let starting = |entry: &&mut Entry| entry.run == run && entry.state == State::Starting;
        match self.entries.iter_mut().find(starting) {
            Some(entry) => {
                entry.state = State::Started;
                true
            }
            None => false,
        }
    }

    /// Writes down how a run ended; whether that is news. An end that was guessed from outside gives way
    /// to what the run itself says.
    pub fn ended(&mut self, run: &str, end: State, now_ms: u64) -> bool {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.run == run) else {
            return false;
        };
        let guessed = matches!(entry.state, State::Failed { .. } | State::Abandoned);
        if !end.is_over() || entry.state.is_over() && !guessed || entry.state == end {
            return false;
        }
        entry.state = match end {
            State::Refused { reasons, mlflow_run } => State::Refused {
                reasons: bounded(&reasons),
                mlflow_run,
            },
            State::Failed { reason } => State::Failed {
                reason: cut(&reason, CHARS_MAX),
            },
            State::NothingNew { reason } => State::NothingNew {
                reason: cut(&reason, CHARS_MAX),
            },
            State::Outrun { reason } => State::Outrun {
                reason: cut(&reason, CHARS_MAX),
            },
            other => other,
        };
        entry.ended_ms = Some(now_ms);
        true
    }

    /// Takes in what is known of the runs.
    pub fn reconcile(&mut self, runs: &Runs, now_ms: u64) {
        let open: Vec<Entry> = self.unended().cloned().collect();
        for Entry {
            run, state, at_ms, ..
        } in open
        {
            match runs.known.get(&run) {
                Some(RunLook::Unfinished) => {
                    self.started(&run);
                }
                Some(RunLook::Over(end, since_ms)) => {
                    self.ended(&run, end.clone(), since_ms.unwrap_or(now_ms));
                }
                None if state == State::Started => {
                    let reason = "its run is gone and left no word".to_owned();
                    self.ended(&run, State::Failed { reason }, at_ms);
                }
                None => {}
            }
        }
    }

    /// Takes in what the API says: openings that shrank, models that settled, starts that came to nothing.
    pub fn see(&mut self, seen: &Observation, now_ms: u64) {
        self.set_back(now_ms);
        let open = seen.open();
        for entry in &mut self.entries {
            if let Some((key, _)) = open.as_ref().filter(|(key, _)| entry.answers(key)) {
                entry.key.opened_at_ms = entry.key.opened_at_ms.min(key.opened_at_ms);
            }
            let is_open = open.as_ref().is_some_and(|(key, _)| entry.answers(key));
            let stale = now_ms.saturating_sub(entry.at_ms) >= STALE_MS;
            if entry.state == State::Starting && stale && !is_open {
                (entry.state, entry.ended_ms) = (State::Abandoned, Some(now_ms));
            }
            if let State::Promoted {
                model: Some(model),
                settled,
            } = &mut entry.state
                && *settled == Settled::Unknown
                && *model == seen.model
            {
                *settled = settled_as(seen);
            }
        }
    }

    /// Takes in a clock that was set back: what lies in the future was just now, so that a cooldown or a
    /// day is never shortened by it, and never becomes endless.
    pub fn set_back(&mut self, now_ms: u64) {
        for entry in &mut self.entries {
            entry.at_ms = entry.at_ms.min(now_ms);
            entry.ended_ms = entry.ended_ms.map(|ended| ended.min(now_ms));
        }
    }

    /// Writes down a verdict.
    pub fn note(&mut self, verdict: &Verdict, now_ms: u64) {
        let (word, run) = (verdict.word(), verdict.run().map(str::to_owned));
        let text = cut(&verdict.sentence(), SENTENCE_MAX);
        if let Some(last) = self.decisions.last_mut()
            && last.verdict == word
            && last.run == run
        {
            (last.last_ms, last.text) = (now_ms, text);
            last.times += 1;
            return;
        }
        self.decisions.push(Decision {
            at_ms: now_ms,
            last_ms: now_ms,
            times: 1,
            verdict: word.to_owned(),
            text,
            run,
        });
        let surplus = self.decisions.len().saturating_sub(DECISIONS_MAX);
        self.decisions.drain(..surplus);
    }

    /// A person has looked: what was refused so far does not count any more.
    pub fn reset_breaker(&mut self) {
        self.reset_through = self.last_id;
    }
}

fn settled_as(seen: &Observation) -> Settled {
    match &seen.episode {
        None if seen.judged => Settled::Quiet,
        None => Settled::Unknown,
        // Before as many rows as a window holds had been answered, none can have been quiet.
        Some(first) if first.number <= 1 && first.since_rows.is_some_and(|rows| rows <= seen.samples) => {
            Settled::Drifted
        }
        Some(_) => Settled::Quiet,
    }
}

//! One retrain for each episode of drift: what was decided, and what is to be decided now.
//!
//! An episode is a drift of one model, from the alarm until the window was quiet for a whole window's
//! worth of looks. [`Ledger`] is the memory, [`decide`] the rule, [`Trigger`] the order of reads, writes
//! and starts in which a trigger that is killed anywhere, or races others, still makes one run.
//! Values in, values out: whoever calls has the clock, the store and the engine.

mod breaker;
mod decide;
mod lease;
mod ledger;
mod protocol;
mod verdict;
mod words;

pub use contract::time::utc;
pub use decide::{decide, decide_forced};
pub use lease::Lease;
pub use ledger::{Decision, ENTRIES_MAX, Entry, FORMAT, Ledger, LedgerError, Reason, Settled, State};
pub use protocol::{Answer, Effect, RunLook, Runs, Trigger, Wish};
pub use verdict::Verdict;
pub use words::{duration, prometheus};

use serde::{Deserialize, Serialize};

/// An episode that was seen later than the recorded one by no more than this is the same: replicas that
/// have not heard of each other yet know another opening.
const LATER_MS: u64 = 2 * 60 * 1000;
/// As that, once its model was replaced: whoever brings the old model back soon may see it drift anew, while
/// old pods that still answer know the opening that was recorded.
const REPLACED_LATER_MS: u64 = 10 * 1000;
/// The opening shrinks when replicas merge. By more than this it is another one, after the loss of all
/// memory and a clock that was set back.
const EARLIER_MS: u64 = 60 * 60 * 1000;
/// What was begun and has no run for so long is given up once its episode is over.
const STALE_MS: u64 = 10 * 60 * 1000;
/// Texts of one kind that an entry keeps, and the characters of each: the ledger is bounded.
const TEXTS_MAX: usize = 4;
const CHARS_MAX: usize = 120;
/// Characters of a decision's sentence.
const SENTENCE_MAX: usize = 1500;

/// Which episode of which model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Digest of the model that served.
    pub model: String,
    /// The API's number of the episode; it counts from 1 again once all of its memory is lost.
    pub number: u64,
    /// When it opened, as far as anybody knew. Tells an episode from one of the same number later on.
    #[serde(default)]
    pub opened_at_ms: u64,
}

impl Key {
    /// Whether `seen` is the episode that was recorded under this key, seen to open at most so much later.
    fn is(&self, seen: &Key, later_ms: u64) -> bool {
        let (recorded, seen_at) = (self.opened_at_ms, seen.opened_at_ms);
        self.model == seen.model
            && self.number == seen.number
            && seen_at <= recorded.saturating_add(later_ms)
            && seen_at.saturating_add(EARLIER_MS) >= recorded
    }

    /// Name of the run that answers it: made of the key alone, so that made twice it is the same run.
    /// Lower-case letters, digits and dashes, at most 63 (a label of Kubernetes).
    pub fn run_name(&self, template: &str, attempt: u32) -> String {
        let hex = self.model.rsplit(':').next().unwrap_or_default();
        let plain = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let model: String = hex.chars().filter(plain).take(8).collect();
        let again = match attempt {
            0 | 1 => String::new(),
            more => format!("-{more}"),
        };
        let opened = words::base36(self.opened_at_ms / 1000);
        let tail = format!("-{model}-e{}-{opened}{again}", self.number);
        let stem: String = template
            .chars()
            .take(63_usize.saturating_sub(tail.len()))
            .collect();
        stem + &tail
    }
}

/// The newest episode of the served model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// See [`Key::number`].
    pub number: u64,
    /// See [`Key::opened_at_ms`].
    pub opened_at_ms: u64,
    /// Rows that the model had answered, over all replicas, when it opened, where the API says so.
    pub since_rows: Option<u64>,
    /// Whether it is not over.
    pub open: bool,
    /// What moved, in words.
    pub movements: Vec<String>,
}

/// What the API says of drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Digest of the served model.
    pub model: String,
    /// `None` where it has had none.
    pub episode: Option<Episode>,
    /// Rows that a full window holds, or that it holds so far where the API does not say.
    pub samples: u64,
    /// Whether the window is full, so that "no drift" is a judgement.
    pub judged: bool,
}

impl Observation {
    /// The episode that is open, as a key.
    pub fn open(&self) -> Option<(Key, &Episode)> {
        let episode = self.episode.as_ref().filter(|episode| episode.open)?;
        let key = Key {
            model: self.model.clone(),
            number: episode.number,
            opened_at_ms: episode.opened_at_ms,
        };
        Some((key, episode))
    }
}

/// When a new episode is not answered by a retrain all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Milliseconds after the end of a retrain in which none is started.
    pub cooldown_ms: u64,
    /// Retrains within any 24 hours, at most.
    pub daily_cap: u32,
    /// Retrains in a row that did not help, after which a person must look.
    pub refused_before_breaker: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            cooldown_ms: 60 * 60 * 1000,
            daily_cap: 4,
            refused_before_breaker: 3,
        }
    }
}

/// The day of the daily cap.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn bounded(texts: &[String]) -> Vec<String> {
    let texts = texts.iter().take(TEXTS_MAX);
    texts.map(|text| cut(text, CHARS_MAX)).collect()
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

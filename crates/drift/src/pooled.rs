//! One window over several replicas: the newest rows of all of them, whoever saw them.
//!
//! The state is a set of rows, and merging two states keeps the newest of their union. Keeping the
//! largest W of a set is idempotent, commutative and associative together with the union, since a row
//! that is not among the largest W of a part is not among those of the whole either: whatever
//! arrives twice, late or in another order, replicas that have heard the same rows hold the same window
//! (M. Shapiro et al., "Conflict-free replicated data types", SSS 2011, state-based).

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Names a row among all rows of all replicas and orders them by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowKey {
    /// When it was answered, in the caller's unit, the same on every replica.
    pub time: u64,
    /// Who answered it; a restarted process is another replica.
    pub replica: u64,
    /// That replica's count of its rows, from 1.
    pub seq: u64,
}

/// A recorded row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub key: RowKey,
    /// The answered class, if there are classes.
    pub class: Option<u16>,
    /// One value for each feature, NaN where missing.
    pub values: Arc<[f64]>,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Offered {
    /// It is in the window now; the oldest one may have left.
    Added(Option<Row>),
    /// It was there already.
    Known,
    /// The window is full of newer ones.
    TooOld,
}

/// Why two windows are not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Rows that another model answered say nothing of this one.
    #[error("the window belongs to model {theirs:?}, this one to {ours:?}")]
    Model {
        /// This window's model.
        ours: String,
        /// The other's.
        theirs: String,
    },
    /// Configured differently: the newest rows would not be the same ones.
    #[error(
        "the window holds {theirs_rows} rows of {theirs_features} values, this one {ours_rows} of {ours_features}"
    )]
    Shape {
        /// This window's size.
        ours_rows: usize,
        /// This window's features.
        ours_features: usize,
        /// The other's size.
        theirs_rows: usize,
        /// The other's features.
        theirs_features: usize,
    },
    /// A row has another number of values.
    #[error("a row of {found} values, the window has {expected} features")]
    Row {
        /// Values of the row.
        found: usize,
        /// Features of the window.
        expected: usize,
    },
}

/// Rows that a replica holds, as runs of consecutive numbers for each replica: small, whatever the size.
pub type Held = BTreeMap<u64, Vec<(u64, u64)>>;

/// The newest `size` rows.
#[derive(Clone, Debug, PartialEq)]
pub struct PooledWindow {
    model: String,
    size: usize,
    features: usize,
    /// Ascending by key.
    rows: VecDeque<Row>,
    /// Largest number heard of each replica: together, how many rows there have been.
    heard: BTreeMap<u64, u64>,
}

impl PooledWindow {
    /// An empty window for a model (its digest); at least one row and one feature.
    pub fn new(model: impl Into<String>, size: usize, features: usize) -> Self {
        Self {
            model: model.into(),
            size: size.max(1),
            features: features.max(1),
            rows: VecDeque::new(),
            heard: BTreeMap::new(),
        }
    }

    /// Takes a row in, if it is new and among the newest.
    pub fn offer(&mut self, row: Row) -> Result<Offered, MergeError> {
        if row.values.len() != self.features {
            return Err(MergeError::Row {
                found: row.values.len(),
                expected: self.features,
            });
        }
        self.hear(row.key.replica, row.key.seq);
        // Rows mostly come in order: look at the end first.
        let place = match self.rows.back().map(|last| last.key.cmp(&row.key)) {
            None | Some(Ordering::Less) => self.rows.len(),
            Some(Ordering::Equal) => return Ok(Offered::Known),
            Some(Ordering::Greater) => match self.rows.binary_search_by(|other| other.key.cmp(&row.key)) {
                Ok(_) => return Ok(Offered::Known),
                Err(place) => place,
            },
        };
        if self.rows.len() < self.size {
            self.rows.insert(place, row);
            return Ok(Offered::Added(None));
        }
        if place == 0 {
            return Ok(Offered::TooOld);
        }
        let oldest = self.rows.pop_front();
        self.rows.insert(place - 1, row);
        Ok(Offered::Added(oldest))
    }

    /// Takes in all rows of `other`; `changed` hears of each row that came (true) or went (false).
    ///
    /// A row may come and go within one merge. Nothing has changed if an error is returned.
    pub fn merge(&mut self, other: &Self, mut changed: impl FnMut(&Row, bool)) -> Result<(), MergeError> {
        if self.model != other.model {
            return Err(MergeError::Model {
                ours: self.model.clone(),
                theirs: other.model.clone(),
            });
        }
        if (self.size, self.features) != (other.size, other.features) {
            return Err(MergeError::Shape {
                ours_rows: self.size,
                ours_features: self.features,
                theirs_rows: other.size,
                theirs_features: other.features,
            });
        }
        for (&replica, &seq) in &other.heard {
            self.hear(replica, seq);
        }
        // The newest first: then no row comes in only to be pushed out again.
        for row in other.rows.iter().rev() {
            match self.offer(row.clone())? {
                Offered::Added(evicted) => {
                    changed(row, true);
                    if let Some(evicted) = evicted {
                        changed(&evicted, false);
                    }
                }
                Offered::Known => {}
                Offered::TooOld => break,
            }
        }
        Ok(())
    }

    /// Which rows are held, to be sent to others.
    pub fn held(&self) -> Held {
        let mut numbers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for row in &self.rows {
            numbers.entry(row.key.replica).or_default().push(row.key.seq);
        }
        let runs = |mut numbers: Vec<u64>| {
            numbers.sort_unstable();
            let mut runs: Vec<(u64, u64)> = Vec::new();
            for number in numbers {
                match runs.last_mut() {
                    Some((_, last)) if *last + 1 == number => *last = number,
                    _ => runs.push((number, number)),
                }
            }
            runs
        };
        numbers
            .into_iter()
            .map(|(replica, numbers)| (replica, runs(numbers)))
            .collect()
    }

    /// The part of this window that a replica which holds `held` lacks: what is worth sending.
    /// Lost on the way, it is in the next part again, since `held` then still lacks it.
    pub fn lacking(&self, held: &Held) -> Self {
        let has = |key: &RowKey| {
            held.get(&key.replica).is_some_and(|runs| {
                let after = runs.partition_point(|&(first, _)| first <= key.seq);
                after > 0 && runs[after - 1].1 >= key.seq
            })
        };
        Self {
            model: self.model.clone(),
            size: self.size,
            features: self.features,
            rows: self.rows.iter().filter(|row| !has(&row.key)).cloned().collect(),
            heard: self.heard.clone(),
        }
    }

    /// The rows, oldest first.
    pub fn rows(&self) -> &VecDeque<Row> {
        &self.rows
    }

    /// Numbers heard of each replica.
    pub(crate) fn heard(&self) -> &BTreeMap<u64, u64> {
        &self.heard
    }

    /// Raises a replica's number, as [`PooledWindow::merge`] does.
    pub(crate) fn hear(&mut self, replica: u64, seq: u64) {
        let heard = self.heard.entry(replica).or_default();
        *heard = (*heard).max(seq);
    }

    /// Values of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Rows it holds when full.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whose rows these are.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Rows that all replicas together have recorded, as far as was heard: it only grows, and looks are
    /// scheduled by it.
    pub fn total(&self) -> u64 {
        self.heard.values().sum()
    }

    /// Replicas that have rows in the window.
    pub fn replicas(&self) -> usize {
        let mut seen: Vec<u64> = Vec::new();
        for row in &self.rows {
            // Mostly one of few, and often the same as before.
            if !seen.contains(&row.key.replica) {
                seen.push(row.key.replica);
            }
        }
        seen.len()
    }

    /// One feature's values, oldest row first.
    pub fn column(&self, feature: usize) -> Vec<f64> {
        self.rows.iter().map(|row| row.values[feature]).collect()
    }
}

//! Where the request path leaves its rows: a copy into memory that is there already, and nothing else.

use crate::baseline::{Baseline, coarse};
use crate::pooled::{MergeError, PooledWindow, Row, RowKey};
use crate::window::PushError;
use std::sync::Arc;

/// Stands for "no class".
const NO_CLASS: u16 = u16::MAX;

#[derive(Clone, Copy, Debug, Default)]
struct Stamp {
    time: u64,
    seq: u64,
    class: u16,
    narrow: bool,
}

/// A ring of the newest rows that nobody has fetched yet.
///
/// [`Inbox::push`] allocates nothing. Whoever evaluates holds the lock only to exchange the ring for
/// an empty one ([`Inbox::swap`]). If rows come faster than they are fetched the oldest are overwritten: a
/// window of the same size would have dropped them too.
#[derive(Clone, Debug)]
pub struct Inbox {
    replica: u64,
    features: usize,
    /// Features, and the score where there is room for it.
    columns: usize,
    capacity: usize,
    values: Vec<f64>,
    stamps: Vec<Stamp>,
    next: usize,
    filled: usize,
    seq: u64,
    every: u32,
    until_next: u32,
}

impl Inbox {
    /// Keeps the newest `capacity` rows; of the traffic every `every`-th row is taken.
    ///
    /// Taking every k-th row stretches a window of W rows over k·W requests: over whole days, where
    /// traffic has a daily cycle.
    pub fn new(replica: u64, capacity: usize, features: usize, every: u32) -> Self {
        let (capacity, features) = (capacity.max(1), features.max(1));
        Self {
            replica,
            features,
            columns: features,
            capacity,
            values: vec![0.0; capacity * features],
            stamps: vec![Stamp::default(); capacity],
            next: 0,
            filled: 0,
            seq: 0,
            every: every.max(1),
            until_next: 0,
        }
    }

    /// The same with room for the score of each answer, after the last feature.
    pub fn with_scores(mut self) -> Self {
        self.columns = self.features + 1;
        self.values = vec![0.0; self.capacity * self.columns];
        self
    }

    /// Records a row (one value for each feature, NaN for a missing one), without a score.
    pub fn push(&mut self, time: u64, row: &[f64], class: Option<u16>) -> Result<(), PushError> {
        self.record(time, row, class, f64::NAN, false)
    }

    /// Records a row with the score of its answer (NaN where it is not known; dropped where there is no room for
    /// it). `narrow`: its values came as float32, and [`Baseline::widen`] is for them.
    pub fn record(
        &mut self,
        time: u64,
        row: &[f64],
        class: Option<u16>,
        score: f64,
        narrow: bool,
    ) -> Result<(), PushError> {
        if row.len() != self.features {
            return Err(PushError::Length {
                found: row.len(),
                expected: self.features,
            });
        }
        if self.until_next > 0 {
            self.until_next -= 1;
            return Ok(());
        }
        self.until_next = self.every - 1;
        self.seq += 1;
        let slot = &mut self.values[self.next * self.columns..][..self.columns];
        let (inputs, rest) = slot.split_at_mut(self.features);
        inputs.copy_from_slice(row);
        rest.fill(score);
        self.stamps[self.next] = Stamp {
            time,
            seq: self.seq,
            class: class.unwrap_or(NO_CLASS),
            narrow,
        };
        self.next += 1;
        if self.next == self.capacity {
            self.next = 0;
        }
        self.filled = (self.filled + 1).min(self.capacity);
        Ok(())
    }

    /// Gives what was recorded to `spare`, which must be empty and of the same shape, and goes on with its memory.
    pub fn swap(&mut self, spare: &mut Self) {
        debug_assert!(spare.filled == 0 && spare.values.len() == self.values.len());
        std::mem::swap(&mut self.values, &mut spare.values);
        std::mem::swap(&mut self.stamps, &mut spare.stamps);
        (spare.filled, spare.next) = (self.filled, self.next);
        (self.filled, self.next) = (0, 0);
    }

    /// Rows waiting.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Moves all rows to the window, oldest first; `changed` as in [`PooledWindow::merge`].
    pub fn drain(
        &mut self,
        baseline: &Baseline,
        window: &mut PooledWindow,
        mut changed: impl FnMut(&Row, bool),
    ) -> Result<(), MergeError> {
        let start = (self.next + self.capacity - self.filled) % self.capacity;
        for step in 0..self.filled {
            let slot = (start + step) % self.capacity;
            let stamp = self.stamps[slot];
            let values = &mut self.values[slot * self.columns..][..self.columns];
            if stamp.narrow {
                baseline.widen(values);
            }
            for score in &mut values[self.features..] {
                *score = coarse(*score);
            }
            let row = Row {
                key: RowKey {
                    time: stamp.time,
                    replica: self.replica,
                    seq: stamp.seq,
                },
                class: (stamp.class != NO_CLASS).then_some(stamp.class),
                values: Arc::from(&*values),
            };
            if let crate::pooled::Offered::Added(evicted) = window.offer(row.clone())? {
                changed(&row, true);
                if let Some(evicted) = evicted {
                    changed(&evicted, false);
                }
            }
        }
        (self.filled, self.next) = (0, 0);
        Ok(())
    }
}

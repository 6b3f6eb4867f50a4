//! The newest rows of traffic, and whether they differ from the reference.

use crate::ecdf::Ecdf;
use crate::extremes::PrefixExtremes;
use crate::ks::critical_distance;
use crate::reference::Reference;
use std::sync::Arc;

/// Largest window: its rows stay in memory.
pub const MAX_SIZE: usize = 100_000;

/// Why there is no such window.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WindowError {
    /// Out of `1..=MAX_SIZE`.
    #[error("drift window size is {0}, expected 1 to {MAX_SIZE} rows")]
    Size(usize),
    /// Out of `0..=1`, or NaN.
    #[error("drift threshold is {0}, expected a number from 0 to 1")]
    Threshold(f64),
}

/// Why a row was not recorded; the window is then as before.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PushError {
    /// Wrong number of values.
    #[error("the row has {found} values, the drift reference has {expected} columns")]
    Length {
        /// Values in the row.
        found: usize,
        /// Columns of the reference.
        expected: usize,
    },
    /// NaN or an infinity.
    #[error("value {index} of the row is {value}, a finite number is needed")]
    NotFinite {
        /// Position, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
}

/// A ring of the newest `size` rows beside a reference.
///
/// [`Window::push`] costs O(log rows of the reference) for each feature, [`Window::flag`] O(1) for
/// each feature: both belong in the request path.
///
/// How: between two neighbouring distinct reference values the reference's distribution function
/// is flat and the window's can only rise, so that the distance has its extremes at the reference
/// values and just before them. It is enough to count the window's values at each distinct
/// reference value and in each gap, as steps of `n·window − rows·count` whose largest
/// prefix sum a small tree keeps.
#[derive(Clone, Debug)]
pub struct Window {
    reference: Arc<Reference>,
    size: usize,
    threshold: f64,
    /// Smallest numerator of the statistic that is drift at full size; `None`: nothing is.
    critical: Option<u64>,
    /// Row after row; the oldest at `next` once the ring is full.
    rows: Vec<f64>,
    /// Where each value of `rows` was counted.
    places: Vec<u32>,
    next: usize,
    filled: usize,
    pushed: u64,
    steps: Vec<PrefixExtremes>,
}

/// Steps of the reference alone: gap, value, gap, value, …, gap.
fn reference_steps(column: &Ecdf, size: usize) -> PrefixExtremes {
    let mut entries = vec![0; 2 * column.values().len() + 1];
    let mut before = 0;
    for (index, &upto) in column.cumulative().iter().enumerate() {
        entries[2 * index + 1] = (upto - before) as i64 * size as i64;
        before = upto;
    }
    PrefixExtremes::new(entries)
}

/// The step that `x` belongs to: odd at a reference value, even in a gap.
fn place(values: &[f64], x: f64) -> u32 {
    let below = values.partition_point(|&value| value < x);
    (2 * below + usize::from(values.get(below) == Some(&x))) as u32
}

impl Window {
    /// An empty window of `size` rows; drift is a p-value below `threshold` for any feature.
    ///
    /// Finds the critical distance: microseconds for hundreds of rows, at most some tens of
    /// milliseconds for 10,000 a side.
    pub fn new(reference: Arc<Reference>, size: usize, threshold: f64) -> Result<Self, WindowError> {
        if !(1..=MAX_SIZE).contains(&size) {
            return Err(WindowError::Size(size));
        }
        if !(0.0..=1.0).contains(&threshold) {
            return Err(WindowError::Threshold(threshold));
        }
        let cells = size * reference.features();
        Ok(Self {
            critical: critical_distance(reference.rows(), size as u64, threshold),
            steps: reference
                .columns()
                .iter()
                .map(|column| reference_steps(column, size))
                .collect(),
            rows: vec![0.0; cells],
            places: vec![0; cells],
            next: 0,
            filled: 0,
            pushed: 0,
            reference,
            size,
            threshold,
        })
    }

    /// Records a row (one finite value for each feature, in order); the oldest one falls out.
    pub fn push(&mut self, row: &[f64]) -> Result<(), PushError> {
        let features = self.reference.features();
        if row.len() != features {
            return Err(PushError::Length {
                found: row.len(),
                expected: features,
            });
        }
        if let Some(index) = row.iter().position(|x| !x.is_finite()) {
            return Err(PushError::NotFinite {
                index,
                value: row[index],
            });
        }
        let weight = self.reference.rows() as i64;
        let full = self.filled == self.size;
        let start = self.next * features;
        let cells = self.rows[start..start + features]
            .iter_mut()
            .zip(&mut self.places[start..start + features]);
        let columns = self.steps.iter_mut().zip(self.reference.columns());
        for ((&x, (cell, counted_at)), (steps, column)) in row.iter().zip(cells).zip(columns) {
            let place = place(column.values(), x);
            *cell = x;
            let left = std::mem::replace(counted_at, place);
            if !full {
                steps.add(place as usize, -weight);
            } else if left != place {
                steps.add(left as usize, weight);
                steps.add(place as usize, -weight);
            }
        }
        self.next = if self.next + 1 == self.size {
            0
        } else {
            self.next + 1
        };
        self.filled = (self.filled + 1).min(self.size);
        self.pushed += 1;
        Ok(())
    }

    /// Whether the window is full and some feature's p-value is below the threshold.
    pub fn flag(&self) -> bool {
        self.is_full()
            && self
                .critical
                .is_some_and(|critical| self.steps.iter().any(|steps| steps.largest() >= critical))
    }

    /// Largest numerator `D·rows·size` of any feature's statistic: what [`Window::flag`] compares. Of a
    /// meaning only once the window is full.
    pub fn farthest(&self) -> u64 {
        self.steps.iter().map(PrefixExtremes::largest).max().unwrap_or(0)
    }

    /// Rows recorded, at most [`Window::size`].
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether no row was recorded.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Whether there is enough to compare.
    pub fn is_full(&self) -> bool {
        self.filled == self.size
    }

    /// Rows it holds when full.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Significance level of each feature's test.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// What it is compared with.
    pub fn reference(&self) -> &Arc<Reference> {
        &self.reference
    }

    /// Rows ever pushed: two equal numbers mean an unchanged window (see [`Window::reset`]).
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Forgets all rows; [`Window::pushed`] counts on, so that no two states share a number.
    pub fn reset(&mut self) {
        self.steps = self
            .reference
            .columns()
            .iter()
            .map(|column| reference_steps(column, self.size))
            .collect();
        self.next = 0;
        self.filled = 0;
        self.pushed += 1;
    }
}

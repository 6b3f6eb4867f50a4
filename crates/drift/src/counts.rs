//! The window as counts beside the baseline: rows come and go, all statistics follow.

use crate::baseline::{Baseline, BaselineFeature, place};
use crate::categories;
use crate::rates::Rate;
use crate::walk::Walk;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Values beyond the training range are summed in steps of this share of the range: integers, so that
/// what was added and taken away again leaves nothing behind.
const STEPS_OF_RANGE: f64 = (1_u64 << 40) as f64;

/// What can be said of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureState {
    /// Both sides have values.
    Compared,
    /// No row of the window has a finite value.
    NoValues,
    /// The training rows have none.
    NoReference,
}

/// Statistics of one feature; 0 where `state` is not `Compared`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureStatistics {
    /// Whether the numbers mean anything.
    pub state: FeatureState,
    /// Finite values in the window.
    pub values: u64,
    /// The Kolmogorov–Smirnov statistic times both numbers of values, exact.
    pub numerator: u64,
    /// The Kolmogorov–Smirnov statistic.
    pub ks: f64,
    /// The training value at or just before which it is reached.
    pub location: f64,
    /// +1 where the window's values are larger than in training around there, else -1.
    pub sign: i8,
    /// Wasserstein-1 distance, a value between two neighbouring training values taken as their middle.
    pub wasserstein: f64,
    /// [`categories::psi`] over tenths of the training rows.
    pub psi: f64,
    /// [`categories::jensen_shannon`] over the same.
    pub jensen_shannon: f64,
    /// Rows of the window without this value.
    pub missing: Rate,
    /// Values of the window, infinite ones too, beyond the training range.
    pub outside: Rate,
}

#[derive(Clone, Debug)]
struct Cells {
    /// Finite values of the window at each place, see [`place`].
    counts: Vec<u32>,
    bins: Vec<u64>,
    finite: u64,
    missing: u64,
    infinite: u64,
    /// Sums of how far values lie below and above the training range.
    beyond: [i128; 2],
    walk: Walk,
}

/// Counts of a set of rows; the rows themselves are kept elsewhere.
#[derive(Clone, Debug)]
pub struct Counts {
    baseline: Arc<Baseline>,
    cells: Vec<Cells>,
    rows: u64,
    classes: Vec<u64>,
}

/// All statistics of the rows at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows in the window.
    pub rows: u64,
    /// One for each feature, in order.
    pub features: Vec<FeatureStatistics>,
    /// How often each class was answered.
    pub classes: Vec<u64>,
    /// Of the answers' scores, where they are watched.
    #[serde(default)]
    pub score: Option<FeatureStatistics>,
}

impl Counts {
    /// No rows.
    pub fn new(baseline: Arc<Baseline>) -> Self {
        let cells = |feature: &BaselineFeature| Cells {
            counts: vec![0; feature.bin_of_place.len()],
            bins: vec![0; feature.bins.len()],
            finite: 0,
            missing: 0,
            infinite: 0,
            beyond: [0; 2],
            walk: Walk::new(feature.cumulative.len()),
        };
        Self {
            cells: baseline.columns().map(cells).collect(),
            classes: vec![0; baseline.classes().len()],
            rows: 0,
            baseline,
        }
    }

    /// What the rows are compared with.
    pub fn baseline(&self) -> &Arc<Baseline> {
        &self.baseline
    }

    /// A row more (one value for each of [`Baseline::columns`], NaN for a missing one).
    pub fn add(&mut self, row: &[f64], class: Option<u16>) {
        self.change::<true>(row, class);
    }

    /// A row less; it must have been added before.
    pub fn remove(&mut self, row: &[f64], class: Option<u16>) {
        self.change::<false>(row, class);
    }

    fn change<const MORE: bool>(&mut self, row: &[f64], class: Option<u16>) {
        let step = |count: &mut u64| *count = if MORE { *count + 1 } else { *count - 1 };
        step(&mut self.rows);
        if let Some(count) = class.and_then(|class| self.classes.get_mut(usize::from(class))) {
            step(count);
        }
        for ((&x, cells), feature) in row.iter().zip(&mut self.cells).zip(self.baseline.columns()) {
            if x.is_nan() {
                step(&mut cells.missing);
                continue;
            }
            if x.is_infinite() {
                step(&mut cells.infinite);
                continue;
            }
            step(&mut cells.finite);
            let Some(sample) = &feature.sample else { continue };
            let values = sample.values();
            let place = place(values, x);
            cells.walk.changed(place / 2);
            let count = &mut cells.counts[place];
            *count = if MORE { *count + 1 } else { *count - 1 };
            step(&mut cells.bins[usize::from(feature.bin_of_place[place])]);
            if place == 0 || place == 2 * values.len() {
                let (lowest, highest) = (values[0], values[values.len() - 1]);
                let side = usize::from(place != 0);
                let far = if side == 0 { lowest - x } else { x - highest };
                // The cast saturates: nothing is further away than 2^63 steps.
                let steps = i128::from((far / range(lowest, highest) * STEPS_OF_RANGE) as i64);
                cells.beyond[side] += if MORE { steps } else { -steps };
            }
        }
    }

    /// All statistics: only what rows have changed since the last time is counted again.
    pub fn evaluate(&mut self) -> Evaluation {
        let rows = self.rows;
        let columns = self.cells.iter_mut().zip(self.baseline.columns());
        let mut features: Vec<FeatureStatistics> = columns
            .map(|(cells, feature)| statistics(rows, cells, feature))
            .collect();
        let score = self.baseline.scores().and_then(|_| features.pop());
        Evaluation {
            rows,
            features,
            classes: self.classes.clone(),
            score,
        }
    }
}

fn statistics(rows: u64, cells: &mut Cells, feature: &BaselineFeature) -> FeatureStatistics {
    let mut statistics = FeatureStatistics {
        state: FeatureState::NoReference,
        values: cells.finite,
        numerator: 0,
        ks: 0.0,
        location: 0.0,
        sign: 1,
        wasserstein: 0.0,
        psi: 0.0,
        jensen_shannon: 0.0,
        missing: Rate {
            events: cells.missing,
            of: rows,
        },
        outside: Rate::default(),
    };
    let Some(sample) = &feature.sample else {
        return statistics;
    };
    let last = cells.counts.len() - 1;
    statistics.outside = Rate {
        events: u64::from(cells.counts[0]) + u64::from(cells.counts[last]) + cells.infinite,
        of: cells.finite + cells.infinite,
    };
    if cells.finite == 0 {
        statistics.state = FeatureState::NoValues;
        return statistics;
    }
    let values = sample.values();
    let walk = cells
        .walk
        .refresh(values, &feature.cumulative, &cells.counts, cells.finite as i64);
    let scale = sample.count() as f64 * cells.finite as f64;
    let (numerator, place, sign) = if -walk.lowest.0 > walk.highest.0 {
        (-walk.lowest.0, walk.lowest.1, -1)
    } else {
        (walk.highest.0, walk.highest.1, 1)
    };
    let (lowest, highest) = (values[0], values[values.len() - 1]);
    let beyond: f64 = cells.beyond.iter().map(|&sum| sum as f64).sum();
    let beyond = beyond / STEPS_OF_RANGE * range(lowest, highest) / cells.finite as f64;
    statistics.state = FeatureState::Compared;
    statistics.numerator = numerator.unsigned_abs();
    statistics.ks = statistics.numerator as f64 / scale;
    statistics.location = values[place];
    statistics.sign = sign;
    statistics.wasserstein = walk.area / scale + beyond;
    // Neither side is empty here.
    statistics.psi = categories::psi(&feature.bins, &cells.bins).unwrap_or_default();
    statistics.jensen_shannon = categories::jensen_shannon(&feature.bins, &cells.bins).unwrap_or_default();
    statistics
}

/// The training range; 1 where all values are one, so that distances beyond it can be told.
fn range(lowest: f64, highest: f64) -> f64 {
    let range = highest - lowest;
    if range > 0.0 && range.is_finite() {
        range
    } else {
        1.0
    }
}

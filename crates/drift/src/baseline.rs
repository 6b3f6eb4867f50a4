//! What traffic is measured against: the training rows, sorted once, holes and all.

use crate::distances::quantile_bins;
use crate::ecdf::Ecdf;
use crate::npy::Matrix;
use crate::rates::Rate;

/// One column of the training rows.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineFeature {
    /// As in the table's head.
    pub name: String,
    /// Its finite values; `None` if there is none: nothing can be compared with it.
    pub sample: Option<Ecdf>,
    /// Rows without a value (NaN).
    pub missing: Rate,
    /// The same counts as `sample` has, small enough to be scanned quickly.
    pub(crate) cumulative: Vec<u32>,
    /// For each place of a value (see [`place`]) its bin of about a tenth of the rows.
    pub(crate) bin_of_place: Vec<u8>,
    /// Training rows in each bin.
    pub(crate) bins: Vec<u64>,
}

/// Training rows, and what the model said to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    features: Vec<BaselineFeature>,
    rows: usize,
    /// Row after row; NaN where a value is missing.
    values: Vec<f64>,
    classes: Vec<u64>,
    class_names: Vec<String>,
    scores: Option<BaselineFeature>,
}

/// Why rows are no baseline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// Nothing to compare with.
    #[error("the baseline has {rows} rows of {columns} columns, at least one of each is needed")]
    Empty {
        /// Rows found.
        rows: usize,
        /// Columns found.
        columns: usize,
    },
    /// Names and columns must pair up.
    #[error("{names} names for the {columns} columns of the baseline")]
    Names {
        /// How many names.
        names: usize,
        /// How many columns.
        columns: usize,
    },
    /// A training value cannot be infinite: that is a broken measurement, which no model learns from.
    #[error("value {row} of column {name:?} of the baseline is infinite")]
    Infinite {
        /// Name of the column.
        name: String,
        /// Row, from 0.
        row: usize,
    },
}

/// Where `x` lies among ascending `values`: odd at a value, even in a gap.
pub(crate) fn place(values: &[f64], x: f64) -> usize {
    let below = values.partition_point(|&value| value < x);
    2 * below + usize::from(values.get(below) == Some(&x))
}

impl BaselineFeature {
    fn new(name: String, column: &[f64]) -> Self {
        let finite: Vec<f64> = column.iter().copied().filter(|x| x.is_finite()).collect();
        let missing = Rate {
            events: (column.len() - finite.len()) as u64,
            of: column.len() as u64,
        };
        let sample = Ecdf::new(&finite).ok();
        let (mut cumulative, mut bin_of_place, mut bins) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(sample) = &sample {
            cumulative = sample.cumulative().iter().map(|&upto| upto as u32).collect();
            let ends = quantile_bins(sample, 10);
            bins = crate::distances::binned(sample, &ends);
            let last = sample.values().len();
            // A gap belongs to the bin of the value that ends it; the open gap to the last bin.
            bin_of_place = (0..2 * last + 1)
                .map(|place| match sample.values().get(place / 2) {
                    Some(&value) => ends.partition_point(|&end| end < value) as u8,
                    None => ends.len() as u8,
                })
                .collect();
        }
        Self {
            name,
            sample,
            missing,
            cumulative,
            bin_of_place,
            bins,
        }
    }
}

/// A score to 12 bits: the same forest adds its trees up in single or double precision, in this order or
/// that, and many rows have the same score. Nothing that is told apart by less may count as a change.
pub fn coarse(score: f64) -> f64 {
    const DROPPED: u64 = 1 << (52 - 12);
    match score.is_finite() {
        true => f64::from_bits((score.to_bits() + DROPPED / 2) & !(DROPPED - 1)),
        false => score,
    }
}

impl Baseline {
    /// From the training rows (row after row; NaN is a missing value) and the number of times the model
    /// answers each class to them (none: predictions are not watched).
    pub fn new(names: Vec<String>, matrix: &Matrix, classes: Vec<u64>) -> Result<Self, BaselineError> {
        let (rows, columns) = (matrix.rows, matrix.columns);
        if rows == 0 || columns == 0 {
            return Err(BaselineError::Empty { rows, columns });
        }
        if names.len() != columns {
            let names = names.len();
            return Err(BaselineError::Names { names, columns });
        }
        let mut features = Vec::with_capacity(columns);
        for (name, column) in names.into_iter().zip(matrix.to_columns()) {
            if let Some(row) = column.iter().position(|x| x.is_infinite()) {
                return Err(BaselineError::Infinite { name, row });
            }
            features.push(BaselineFeature::new(name, &column));
        }
        Ok(Self {
            features,
            rows,
            values: matrix.values.clone(),
            classes,
            class_names: Vec::new(),
            scores: None,
        })
    }

    /// With the scores of answers to held-out rows (see [`coarse`]); none: scores are not watched. `name` says in
    /// sentences what a score is.
    pub fn with_scores(self, name: &str, scores: &[f64]) -> Self {
        let scores: Vec<f64> = scores.iter().map(|score| coarse(*score)).collect();
        let known = scores.iter().any(|score| score.is_finite());
        Self {
            scores: known.then(|| BaselineFeature::new(name.to_owned(), &scores)),
            ..self
        }
    }

    /// Scores of held-out rows, where they are watched: the column of a window after the last feature.
    pub fn scores(&self) -> Option<&BaselineFeature> {
        self.scores.as_ref()
    }

    /// What rows of a window have a value for: the features, and the score where it is watched.
    pub fn columns(&self) -> impl Iterator<Item = &BaselineFeature> {
        self.features.iter().chain(&self.scores)
    }

    /// With names for the classes, in the order of their numbers; one that has none is called by its number.
    pub fn with_class_names(self, class_names: Vec<String>) -> Self {
        Self { class_names, ..self }
    }

    /// What a class is called in sentences.
    pub fn class_name(&self, class: usize) -> String {
        let name = self.class_names.get(class);
        name.map_or_else(|| class.to_string(), Clone::clone)
    }

    /// The columns, in order.
    pub fn features(&self) -> &[BaselineFeature] {
        &self.features
    }

    /// Values that came as float32 become the training values that they were before they were rounded, where
    /// there are such: otherwise 0.1 would be another value than the 0.1 of training, and a column of few
    /// decimals would drift for having been sent as float32.
    pub fn widen(&self, row: &mut [f64]) {
        for (x, feature) in row.iter_mut().zip(&self.features) {
            let Some(sample) = &feature.sample else { continue };
            let values = sample.values();
            let above = values.partition_point(|value| value < x);
            let near = [above.checked_sub(1), Some(above)];
            let near = near.into_iter().flatten().filter_map(|place| values.get(place));
            let same = near.filter(|value| **value as f32 == *x as f32);
            if let Some(value) = same.min_by(|a, b| (*a - *x).abs().total_cmp(&(*b - *x).abs())) {
                *x = *value;
            }
        }
    }

    /// Training rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The training rows, one after the other; NaN where a value is missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How often the model answers each class to the training rows.
    pub fn classes(&self) -> &[u64] {
        &self.classes
    }
}

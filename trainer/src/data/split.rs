//! Which rows are learnt from and which are held out.
//!
//! Each file is split by itself, by a generator seeded with the seed and the file's digest. So a row
//! that is held out once stays so when files are added, and a live model and its successor can be
//! compared on rows that neither has learnt from, the newest among them.

use super::{Missing, Table, Target};
use linfa::DatasetBase;
use ndarray::{Array1, Array2};
use rand::{SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};

/// Rows with their targets; missing values are filled in.
#[derive(Clone, Debug)]
pub struct Part {
    /// `[rows, features]`.
    pub rows: Array2<f64>,
    /// One for each row.
    pub target: Target,
    /// Index of the file each row comes from.
    pub file: Vec<usize>,
}

/// Both parts; the held-out one may be empty.
#[derive(Clone, Debug)]
pub struct Split {
    /// Learnt from.
    pub train: Part,
    /// Held out.
    pub holdout: Part,
}

/// Splits off the share `holdout` (0 to below 1) of each file's rows.
pub fn split(table: &Table, holdout: f64, seed: u64) -> Split {
    let (mut train, mut held) = (Vec::new(), Vec::new());
    let mut start = 0;
    for file in &table.files {
        let rows = file.rows as usize;
        // Linfa shuffles a dataset; ours holds the row numbers as targets.
        let numbers: Array1<usize> = (start..start + rows).collect();
        let dataset = DatasetBase::new(Array2::<f64>::zeros((rows, 1)), numbers);
        let shuffled = dataset.shuffle(&mut generator(seed, &file.digest, b"split"));
        let (first, second) = shuffled.split_with_ratio(1.0 - holdout as f32);
        train.extend(first.targets);
        held.extend(second.targets);
        start += rows;
    }
    keep_every_class(table, &mut train, &mut held);
    train.sort_unstable();
    held.sort_unstable();
    let fills = fills(table, &train);
    Split {
        train: part(table, &train, &fills),
        holdout: part(table, &held, &fills),
    }
}

/// A generator that depends on the seed, a digest and a purpose, and on nothing else.
pub fn generator(seed: u64, digest: &str, purpose: &[u8]) -> StdRng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(digest.as_bytes());
    hash.update(purpose);
    StdRng::from_seed(hash.finalize().into())
}

/// A class whose few rows were all drawn for the held-out part would never be learnt: they change sides.
fn keep_every_class(table: &Table, train: &mut Vec<usize>, held: &mut Vec<usize>) {
    let Target::Classes { indices, names } = &table.target else {
        return;
    };
    let mut learnt = vec![false; names.len()];
    for &row in train.iter() {
        learnt[indices[row]] = true;
    }
    held.retain(|&row| {
        let keep = learnt[indices[row]];
        if !keep {
            train.push(row);
        }
        keep
    });
}

/// What stands in for a missing value of each column: from training rows alone, since the held-out
/// ones must not tell the model anything.
fn fills(table: &Table, train: &[usize]) -> Vec<f64> {
    let width = table.features.len();
    let fill = |column: usize| {
        let known = |&row: &usize| Some(table.values[row * width + column]).filter(|value| !value.is_nan());
        let mut values: Vec<f64> = train.iter().filter_map(known).collect();
        if values.is_empty() {
            return 0.0;
        }
        let middle = values.len() / 2;
        match table.missing {
            Missing::Median => {
                values.sort_unstable_by(f64::total_cmp);
                if values.len() % 2 == 1 {
                    values[middle]
                } else {
                    (values[middle - 1] + values[middle]) / 2.0
                }
            }
            _ => values.iter().sum::<f64>() / values.len() as f64,
        }
    };
    match table.missing {
        Missing::Mean | Missing::Median => (0..width).map(fill).collect(),
        Missing::Refuse | Missing::Drop => Vec::new(),
    }
}

fn part(table: &Table, numbers: &[usize], fills: &[f64]) -> Part {
    let width = table.features.len();
    let rows = Array2::from_shape_fn((numbers.len(), width), |(row, column)| {
        let value = table.values[numbers[row] * width + column];
        if value.is_nan() { fills[column] } else { value }
    });
    let target = match &table.target {
        Target::Classes { indices, names } => Target::Classes {
            indices: numbers.iter().map(|&row| indices[row]).collect(),
            names: names.clone(),
        },
        Target::Numbers(values) => Target::Numbers(numbers.iter().map(|&row| values[row]).collect()),
    };
    let ends: Vec<usize> = table
        .files
        .iter()
        .scan(0, |end, file| {
            *end += file.rows as usize;
            Some(*end)
        })
        .collect();
    let file = numbers
        .iter()
        .map(|&row| ends.partition_point(|&end| end <= row))
        .collect();
    Part { rows, target, file }
}

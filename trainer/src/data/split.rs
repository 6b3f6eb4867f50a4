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

#[cfg(test)]
mod tests {
    use super::*;
    use contract::manifest::DatasetFile;
    use proptest::prelude::*;

    /// Files of so many rows; the one feature of a row is its number, its class comes round every `classes`.
    fn table(rows: &[usize], classes: usize, missing: Missing) -> Table {
        let all: usize = rows.iter().sum();
        let file = |(index, rows): (usize, &usize)| DatasetFile {
            name: index.to_string(),
            digest: contract::sha256_hex(&[index as u8]),
            rows: *rows as u64,
        };
        Table {
            features: vec!["number".to_owned()],
            target_name: "class".to_owned(),
            target: Target::Classes {
                indices: (0..all).map(|row| row % classes).collect(),
                names: (0..classes).map(|class| class.to_string()).collect(),
            },
            values: (0..all).map(|row| row as f64).collect(),
            files: rows.iter().enumerate().map(file).collect(),
            missing,
        }
    }

    fn numbers(part: &Part) -> Vec<usize> {
        part.rows.iter().map(|&value| value as usize).collect()
    }

    proptest! {
        #[test]
        fn every_row_is_on_one_side_and_stays_there(
            rows in prop::collection::vec(1usize..60, 1..6),
            holdout in 0.0f64..0.9,
            seed: u64,
        ) {
            // One class, which cannot be missing: such rows change sides.
            let table = table(&rows, 1, Missing::Refuse);
            let parts = split(&table, holdout, seed);
            let (train, held) = (numbers(&parts.train), numbers(&parts.holdout));
            let mut all = [train.clone(), held.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..table.rows()).collect::<Vec<_>>());
            // Without the last file: what was held out of the others is what is held out now.
            let fewer = &rows[..rows.len() - 1];
            if fewer.iter().sum::<usize>() > 20 {
                let earlier = split(&self::table(fewer, 1, Missing::Refuse), holdout, seed);
                let rest: usize = fewer.iter().sum();
                let now: Vec<usize> = held.into_iter().filter(|&row| row < rest).collect();
                prop_assert_eq!(numbers(&earlier.holdout), now);
            }
        }
    }

    #[test]
    fn a_class_of_one_row_is_learnt() {
        for seed in 0..20 {
            let mut table = table(&[40], 2, Missing::Refuse);
            let Target::Classes { indices, names } = &mut table.target else {
                unreachable!()
            };
            names.push("rare".to_owned());
            indices[17] = 2;
            let parts = split(&table, 0.5, seed);
            assert!(numbers(&parts.train).contains(&17), "seed {seed}");
        }
    }

    #[test]
    fn what_is_missing_is_filled_in_from_training_rows() {
        for missing in [Missing::Mean, Missing::Median] {
            let mut table = table(&[50], 2, missing);
            let before = split(&table, 0.5, 1);
            let gone = numbers(&before.holdout)[3];
            let mut train: Vec<f64> = before.train.rows.iter().copied().collect();
            train.sort_by(f64::total_cmp);
            let expected = match missing {
                Missing::Median => train[12],
                _ => train.iter().sum::<f64>() / 25.0,
            };
            table.values[gone] = f64::NAN;
            let after = split(&table, 0.5, 1);
            assert_eq!(after.holdout.rows[(3, 0)], expected, "{missing:?}");
        }
    }
}

//! Energy distance of the joint distribution, with a permutation p-value.

use crate::random::Random;
use serde::{Deserialize, Serialize};

/// All pairs of rows are measured and kept: this many rows take 32 MB.
pub const MAX_ROWS: usize = 2_000;

/// Why two tables were not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnergyError {
    /// No rows on a side, no columns, or a last row that is cut off.
    #[error("the {side} table has {values} values, which are no rows of {features} columns")]
    Shape {
        /// `reference` or `current`.
        side: &'static str,
        /// Its values.
        values: usize,
        /// Values of a row.
        features: usize,
    },
    /// NaN or an infinity has no distance.
    #[error("value {index} of the {side} table is not finite")]
    NotFinite {
        /// `reference` or `current`.
        side: &'static str,
        /// Position, from 0.
        index: usize,
    },
    /// Too many pairs.
    #[error("{0} rows on both sides together, at most {MAX_ROWS} are compared pair by pair: take a sample")]
    Rows(usize),
    /// A p-value needs something to compare with.
    #[error("at least one permutation is needed")]
    NoPermutations,
}

/// Outcome of the test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyResult {
    /// `2·E|X − Y| − E|X − X'| − E|Y − Y'|`, 0 or more, 0 only for equal distributions.
    pub distance: f64,
    /// Share of permutations, the given order among them, with at least this distance.
    pub p_value: f64,
    /// How many were drawn: the p-value is at least `1 / (permutations + 1)`.
    pub permutations: u32,
}

fn check(side: &'static str, rows: &[f64], features: usize) -> Result<usize, EnergyError> {
    let values = rows.len();
    if features == 0 || values == 0 || !values.is_multiple_of(features) {
        return Err(EnergyError::Shape {
            side,
            values,
            features,
        });
    }
    match rows.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(EnergyError::NotFinite { side, index }),
        None => Ok(values / features),
    }
}

/// Distances between all rows after each column was divided by its pooled standard deviation, so
/// that no unit of measurement outweighs the others. A constant column has no weight.
fn distances(rows: &[f64], features: usize) -> Vec<f64> {
    let count = rows.len() / features;
    let scales: Vec<f64> = (0..features)
        .map(|feature| {
            let column = || rows.iter().skip(feature).step_by(features);
            let mean = column().sum::<f64>() / count as f64;
            let variance = column().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
            if variance > 0.0 {
                variance.sqrt().recip()
            } else {
                0.0
            }
        })
        .collect();
    let scaled: Vec<f64> = rows
        .iter()
        .zip(scales.iter().cycle())
        .map(|(x, scale)| x * scale)
        .collect();
    let mut matrix = vec![0.0; count * count];
    for (i, a) in scaled.chunks_exact(features).enumerate() {
        for (j, b) in scaled.chunks_exact(features).enumerate().take(i) {
            let square: f64 = a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum();
            matrix[i * count + j] = square.sqrt();
            matrix[j * count + i] = square.sqrt();
        }
    }
    matrix
}

/// Compares the joint distributions of two tables (row after row): G. J. Székely, M. L. Rizzo,
/// "Testing for equal distributions in high dimension", InterStat 5 (2004).
///
/// The p-value is `(1 + #{at least as far}) / (permutations + 1)`, valid at every level (B. Phipson,
/// G. K. Smyth, SAGMB 9, 2010); equal seeds give equal p-values.
pub fn energy_test(
    reference: &[f64],
    current: &[f64],
    features: usize,
    permutations: u32,
    seed: u64,
) -> Result<EnergyResult, EnergyError> {
    let ours = check("reference", reference, features)?;
    let theirs = check("current", current, features)?;
    let count = ours + theirs;
    if count > MAX_ROWS {
        return Err(EnergyError::Rows(count));
    }
    if permutations == 0 {
        return Err(EnergyError::NoPermutations);
    }
    let matrix = distances(&[reference, current].concat(), features);
    let sums: Vec<f64> = matrix.chunks_exact(count).map(|row| row.iter().sum()).collect();
    let all: f64 = sums.iter().sum();
    let distance = |order: &[usize]| {
        let side = &order[..ours];
        let mut within = 0.0;
        for (place, &i) in side.iter().enumerate() {
            let row = &matrix[i * count..][..count];
            within += 2.0 * side[..place].iter().map(|&j| row[j]).sum::<f64>();
        }
        let touching: f64 = side.iter().map(|&i| sums[i]).sum();
        let between = touching - within;
        let other = all - touching - between;
        let (m, n) = (ours as f64, theirs as f64);
        2.0 * between / (m * n) - within / (m * m) - other / (n * n)
    };
    let mut order: Vec<usize> = (0..count).collect();
    let observed = distance(&order);
    // Equal divisions of the rows can differ in the last digits; they count as equal.
    let reached = observed - 1e-12 * (all / (count * count) as f64);
    let mut random = Random::new(seed);
    let extreme = (0..permutations).filter(|_| {
        random.shuffle(&mut order);
        distance(&order) >= reached
    });
    let extreme = extreme.count() as f64;
    Ok(EnergyResult {
        distance: observed.max(0.0),
        p_value: (1.0 + extreme) / (f64::from(permutations) + 1.0),
        permutations,
    })
}

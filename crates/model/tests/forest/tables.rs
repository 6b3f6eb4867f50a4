//! Tables to train on.

use linfa::Dataset;
use ndarray::{Array1, Array2, Ix1};
use rand::{Rng, SeedableRng, rngs::SmallRng};

/// Three classes around three centres, with noise, and some columns that say nothing.
pub fn clouds(rows: usize, seed: u64) -> Dataset<f64, usize, Ix1> {
    let mut random = SmallRng::seed_from_u64(seed);
    let target = Array1::from_shape_fn(rows, |row| row % 3);
    let records = Array2::from_shape_fn((rows, 6), |(row, column)| {
        let centre = if column < 3 && column == row % 3 { 2.0 } else { 0.0 };
        centre + (0..4).map(|_| random.gen_range(-1.0..1.0)).sum::<f64>()
    });
    Dataset::new(records, target)
}

pub fn numbers(rows: usize, seed: u64) -> Dataset<f64, f64, Ix1> {
    let table = clouds(rows, seed);
    let target = table
        .records
        .rows()
        .into_iter()
        .map(|row| 100.0 + row[0] * row[1] + row[2])
        .collect();
    Dataset::new(table.records, target)
}

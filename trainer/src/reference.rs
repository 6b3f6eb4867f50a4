//! The sample that the API compares its traffic with.
//!
//! It is drawn from the newest file where that one is large enough: a model that has learnt from a
//! shifted world must not call that world drift.

use crate::data::{Part, Table, generator};
use contract::manifest::DriftReference;
use contract::names;
use drift::npy::{self, Matrix};
use ndarray::Axis;
use rand::seq::index::sample;

/// Fewest training rows of the newest file that stand for themselves.
const NEWEST_ROWS_MIN: usize = 50;
/// Most rows: the exact test is quick up to here.
const ROWS_MAX: usize = 10_000;

/// The manifest's entry and the bytes of the `.npy` file.
pub fn make(table: &Table, train: &Part, seed: u64) -> (DriftReference, Vec<u8>) {
    let newest = table.files.len() - 1;
    let of_newest: Vec<usize> = (0..train.file.len())
        .filter(|&row| train.file[row] == newest)
        .collect();
    let (mut rows, sources) = if of_newest.len() >= NEWEST_ROWS_MIN {
        (of_newest, vec![table.files[newest].name.clone()])
    } else {
        let names = table.files.iter().map(|file| file.name.clone()).collect();
        ((0..train.file.len()).collect(), names)
    };
    if rows.len() > ROWS_MAX {
        let mut random = generator(seed, &table.files[newest].digest, b"drift reference");
        let mut drawn = sample(&mut random, rows.len(), ROWS_MAX).into_vec();
        drawn.sort_unstable();
        rows = drawn.into_iter().map(|index| rows[index]).collect();
    }
    let chosen = train.rows.select(Axis(0), &rows);
    let bytes = npy::write(&Matrix {
        rows: chosen.nrows(),
        columns: chosen.ncols(),
        values: chosen.iter().copied().collect(),
    });
    let entry = DriftReference {
        path: names::REFERENCE_FILE.to_owned(),
        digest: contract::sha256_hex(&bytes),
        rows: rows.len() as u64,
        sources,
    };
    (entry, bytes)
}

//! The sample that the API compares its traffic with.
//!
//! It is drawn from the newest file where that one is large enough: a model that has learnt from a
//! shifted world must not call that world drift.

use crate::data::{Part, Split, Table, generator};
use crate::evaluate;
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
pub fn make(table: &Table, parts: &Split, model: &onnx::Model, seed: u64) -> (DriftReference, Vec<u8>) {
    let train = &parts.train;
    let newest = table.files.len() - 1;
    let of_newest: Vec<usize> = (0..train.file.len())
        .filter(|&row| train.file[row] == newest)
        .collect();
    let newest_alone = of_newest.len() >= NEWEST_ROWS_MIN;
    let (mut rows, sources) = if newest_alone {
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
        predictions: predictions(model, &parts.holdout, newest_alone.then_some(newest)),
    };
    (entry, bytes)
}

/// How often each class is answered to held-out rows (of one file, where it stands for itself); empty where
/// there are no classes or no such rows.
fn predictions(model: &onnx::Model, holdout: &Part, of_file: Option<usize>) -> Vec<u64> {
    let of_file = |file: &usize| of_file.is_none_or(|wanted| wanted == *file);
    let chosen: Vec<usize> = (0..holdout.file.len())
        .filter(|&row| of_file(&holdout.file[row]))
        .collect();
    if !model.is_classifier() || chosen.is_empty() {
        return Vec::new();
    }
    let mut counts = vec![0; model.outputs()];
    for label in evaluate::ask(model, &holdout.rows.select(Axis(0), &chosen)).labels {
        counts[label as usize] += 1;
    }
    counts
}

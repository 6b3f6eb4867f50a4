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

/// Most scores of held-out rows: they stand in the manifest.
const SCORES_MAX: usize = 1_000;

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
    let (predictions, scores) = answers(model, &parts.holdout, newest_alone.then_some(newest));
    let entry = DriftReference {
        path: names::REFERENCE_FILE.to_owned(),
        digest: contract::sha256_hex(&bytes),
        rows: rows.len() as u64,
        sources,
        predictions,
        scores,
    };
    (entry, bytes)
}

/// How often each class is answered to held-out rows (of one file, where it stands for itself; empty where
/// there are no classes or no such rows), and the scores of some of these answers.
fn answers(model: &onnx::Model, holdout: &Part, of_file: Option<usize>) -> (Vec<u64>, Vec<f64>) {
    let of_file = |file: &usize| of_file.is_none_or(|wanted| wanted == *file);
    let chosen: Vec<usize> = (0..holdout.file.len())
        .filter(|&row| of_file(&holdout.file[row]))
        .collect();
    if chosen.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let asked = evaluate::ask(model, &holdout.rows.select(Axis(0), &chosen));
    let mut counts = vec![0; if model.is_classifier() { model.outputs() } else { 0 }];
    for label in asked.labels {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    // Evenly spread over the rows, whatever their scores: a sample of them.
    let taken = chosen.len().min(SCORES_MAX);
    let scores = (0..taken).map(|nth| nth * chosen.len() / taken);
    let scores = scores.map(|row| {
        let of_row = &asked.scores[row * asked.width..][..asked.width];
        let largest = of_row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // 0.97 and not 0.9700000286102295: people read manifests, and scores are compared to fewer digits.
        largest.to_string().parse().unwrap_or(f64::from(largest))
    });
    (counts, scores.collect())
}

//! Manifest against graph, and the first questions.

use super::LoadError;
use contract::{
    Manifest,
    manifest::{Feature, Task},
};
use onnx::Model;
use std::collections::BTreeSet;

/// Largest difference of a probability from the golden row's: the same bytes run by the same
/// evaluator differ by nothing, another build of it may round the last bits otherwise.
const PROBABILITY_TOLERANCE: f64 = 1e-6;
/// The same for a predicted number, relative to it.
const VALUE_TOLERANCE: f64 = 1e-5;

/// Whether the manifest describes this graph.
pub fn schema(manifest: &Manifest, model: &Model) -> Result<(), LoadError> {
    let field = |field: String, problem: String| Err(LoadError::Field { field, problem });
    let model_task = if model.is_classifier() {
        Task::Classification
    } else {
        Task::Regression
    };
    if manifest.task != model_task {
        return Err(LoadError::Task {
            manifest: manifest.task,
            model: model_task,
        });
    }
    if manifest.features.len() != model.features() {
        return Err(LoadError::FeatureCount {
            model: model.features(),
            manifest: manifest.features.len(),
        });
    }
    let classes = if model.is_classifier() { model.outputs() } else { 0 };
    if manifest.classes.len() != classes {
        return Err(LoadError::ClassCount {
            model: classes,
            manifest: manifest.classes.len(),
        });
    }
    let mut seen = BTreeSet::new();
    for (index, feature) in manifest.features.iter().enumerate() {
        if feature.name.is_empty() || !seen.insert(&feature.name) {
            return field(
                format!("features[{index}].name"),
                format!("{:?} is empty or used twice", feature.name),
            );
        }
        if feature.dtype != "float64" {
            return field(
                format!("features[{index}].dtype"),
                format!("is {:?}, expected \"float64\"", feature.dtype),
            );
        }
        if !feature.min.is_finite() || !feature.max.is_finite() || feature.min > feature.max {
            let problem = format!(
                "is {}, expected a finite number up to max {}",
                feature.min, feature.max
            );
            return field(format!("features[{index}].min"), problem);
        }
    }
    Ok(())
}

/// Asks every golden row again.
pub fn golden_rows(manifest: &Manifest, model: &Model) -> Result<(), LoadError> {
    let mut scores = vec![0.0; model.outputs()];
    for (row, golden) in manifest.golden_rows.iter().enumerate() {
        let field = |name: &str, found: usize, expected: usize| LoadError::Field {
            field: format!("golden_rows[{row}].{name}"),
            problem: format!("has {found} values, expected {expected}"),
        };
        if golden.features.len() != model.features() {
            return Err(field("features", golden.features.len(), model.features()));
        }
        let expected_scores = if model.is_classifier() { model.outputs() } else { 0 };
        if golden.probabilities.len() != expected_scores {
            return Err(field(
                "probabilities",
                golden.probabilities.len(),
                expected_scores,
            ));
        }
        let inputs: Vec<f32> = golden.features.iter().map(|value| *value as f32).collect();
        let label = model.predict_row(&inputs, &mut scores);
        let compare = |what: String, found: f64, expected: f64, tolerance: f64| {
            // Written so that NaN on either side is a difference.
            if (found - expected).abs() <= tolerance {
                Ok(())
            } else {
                Err(LoadError::Golden {
                    row,
                    what,
                    found,
                    expected,
                })
            }
        };
        if model.is_classifier() {
            compare("prediction".to_owned(), label as f64, golden.prediction, 0.0)?;
            for (class, (found, expected)) in scores.iter().zip(&golden.probabilities).enumerate() {
                let what = format!("the probability of class {class}");
                compare(
                    what,
                    f64::from(*found),
                    f64::from(*expected),
                    PROBABILITY_TOLERANCE,
                )?;
            }
        } else {
            let tolerance = VALUE_TOLERANCE * golden.prediction.abs().max(1.0);
            compare(
                "prediction".to_owned(),
                f64::from(scores[0]),
                golden.prediction,
                tolerance,
            )?;
        }
    }
    Ok(())
}

/// A row that the model must know what to say about: the middle of each feature's range.
pub fn middle_row(features: &[Feature]) -> Vec<f32> {
    // Halved before the sum: two huge bounds must not overflow.
    features
        .iter()
        .map(|feature| (feature.min / 2.0 + feature.max / 2.0) as f32)
        .collect()
}

/// A real prediction, and it is a number.
pub fn answers(model: &Model, row: &[f32]) -> Result<(), LoadError> {
    let mut scores = vec![0.0; model.outputs()];
    model.predict_row(row, &mut scores);
    match scores.iter().find(|score| !score.is_finite()) {
        Some(score) => Err(LoadError::NotFinite {
            row: row.to_vec(),
            score: *score,
        }),
        None => Ok(()),
    }
}

//! Asks a model about rows and measures its answers. Candidate and live model take the same way:
//! through the evaluator that serves.

use crate::data::{Part, Target};
use crate::failure::Result;
use anyhow::Context;
use ndarray::{Array1, Array2};
use std::collections::BTreeMap;

/// A model's answers to rows.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Class index of each row; 0 for regression.
    pub labels: Vec<i64>,
    /// Probabilities or the one number, `width` for each row.
    pub scores: Vec<f32>,
    /// Scores of one row.
    pub width: usize,
}

/// Asks about all rows (`[rows, features]`), which must be as wide as the model wants them.
pub fn ask(model: &onnx::Model, rows: &Array2<f64>) -> Answers {
    let narrow: Vec<f32> = rows.iter().map(|&value| value as f32).collect();
    let width = model.outputs();
    let mut answers = Answers {
        labels: vec![0; rows.nrows()],
        scores: vec![0.0; rows.nrows() * width],
        width,
    };
    model.predict_batch(&narrow, &mut answers.scores, &mut answers.labels);
    answers
}

/// Metrics by name (`accuracy`, `f1_weighted`, or `rmse`, `median_absolute_error`, `r2`); empty where there are no rows.
/// `class_of` translates the model's class indices to those of the target, which matters when
/// another model's classes stand in another order.
///
/// # Errors
/// When a metric cannot be computed.
pub fn metrics(
    answers: &Answers,
    truth: &Target,
    class_of: impl Fn(usize) -> usize,
) -> Result<BTreeMap<String, f64>> {
    let mut all = BTreeMap::new();
    if truth.is_empty() {
        return Ok(all);
    }
    let failed = "a metric cannot be computed";
    match truth {
        Target::Classes { indices, .. } => {
            let truth = Array1::from_vec(indices.clone());
            let predicted: Array1<usize> = answers
                .labels
                .iter()
                .map(|&label| class_of(label as usize))
                .collect();
            all.insert(
                "accuracy".to_owned(),
                model::metrics::accuracy(&predicted, &truth).context(failed)?,
            );
            all.insert(
                "f1_weighted".to_owned(),
                model::metrics::f1_weighted(&predicted, &truth).context(failed)?,
            );
        }
        Target::Numbers(values) => {
            let truth = Array1::from_vec(values.clone());
            let predicted: Array1<f64> = answers.scores.iter().map(|&score| f64::from(score)).collect();
            all.insert(
                "rmse".to_owned(),
                model::metrics::rmse(&predicted, &truth).context(failed)?,
            );
            let mut errors: Vec<f64> = predicted.iter().zip(&truth).map(|(p, t)| (p - t).abs()).collect();
            let middle = errors.len().div_ceil(2) - 1;
            let (_, median, _) = errors.select_nth_unstable_by(middle, f64::total_cmp);
            all.insert(contract::names::MEDIAN_ABSOLUTE_ERROR.to_owned(), *median);
            let r2 = model::metrics::r2(&predicted, &truth).context(failed)?;
            // With a constant target there is no variance to explain.
            if r2.is_finite() {
                all.insert("r2".to_owned(), r2);
            }
        }
    }
    Ok(all)
}

/// Metrics of a model on the part it shares classes with.
///
/// # Errors
/// As [`metrics`].
pub fn measure(model: &onnx::Model, part: &Part) -> Result<BTreeMap<String, f64>> {
    metrics(&ask(model, &part.rows), &part.target, |class| class)
}

/// `accuracy 0.9667, f1_weighted 0.9664`, for people.
pub fn in_words(metrics: &BTreeMap<String, f64>) -> String {
    let each = metrics.iter().map(|(name, value)| format!("{name} {value:.4}"));
    each.collect::<Vec<_>>().join(", ")
}

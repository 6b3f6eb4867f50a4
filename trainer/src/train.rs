//! `train`: a table and parameters in, a model directory out.

use crate::cli::{Algorithm, LearnFlags};
use crate::data::{Part, Split, Table, Target, split};
use crate::failure::{Failure, Result};
use crate::interval::clopper_pearson;
use crate::outcome::{Outcome, Status};
use crate::{evaluate, folder, reference};
use anyhow::Context;
use contract::manifest::{FORMAT, Feature, GoldenRow, Manifest};
use contract::names;
use linfa::traits::Fit;
use linfa::{DatasetBase, ParamGuard};
use model::{Forest, RegressionForest, baseline::BaselineParams};
use ndarray::{Array1, Axis};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

/// Rows that every load of the model asks again.
const GOLDEN_ROWS: usize = 8;

/// Trains and writes `model.onnx`, `manifest.json` and `drift/reference_data.npy` into `out`.
///
/// # Errors
/// Parameters out of range, or a folder that cannot be written.
pub fn train(table: &Table, flags: &LearnFlags, out: &Path) -> Result<Outcome> {
    let start = Instant::now();
    let parts = split(table, flags.holdout, flags.seed);
    let bytes = fit(&parts.train, flags)?;
    let seconds = start.elapsed().as_secs_f64();
    let folds = flags
        .folds
        .map(|folds| cross_validate(&parts.train, flags, folds))
        .transpose()?;

    let model = onnx::Model::read(&bytes).context("the model just written cannot be read back")?;
    let metrics = evaluate::measure(&model, &parts.holdout)?;
    let (reference, reference_bytes) = reference::make(table, &parts, &model, flags.seed);
    let manifest = Manifest {
        format: FORMAT,
        name: flags.model_name.clone(),
        task: table.task(),
        algorithm: flags.algorithm.name().to_owned(),
        features: features(table, &parts.train),
        classes: match &table.target {
            Target::Classes { names, .. } => names.clone(),
            Target::Numbers(_) => Vec::new(),
        },
        parameters: flags.parameters(),
        seed: flags.seed,
        metrics,
        dataset: table.describe(parts.holdout.rows.nrows()),
        code_commit: flags.code_commit.clone(),
        model_digest: contract::sha256_hex(&bytes),
        drift_reference: Some(reference),
        golden_rows: golden_rows(&model, &parts.train),
        model_version: None,
        run_id: None,
    };
    folder::write(&out.join(names::REFERENCE_FILE), &reference_bytes)?;
    folder::write(&out.join(names::MODEL_FILE), &bytes)?;
    // Last, so that a directory with a manifest is a whole one.
    folder::write_json(&out.join(names::MANIFEST_FILE), &manifest)?;
    Ok(outcome(&manifest, &parts, folds, seconds, out))
}

fn fit(train: &Part, flags: &LearnFlags) -> Result<Vec<u8>> {
    let rows = train.rows.clone();
    match (&train.target, flags.algorithm) {
        (Target::Classes { indices, names }, Algorithm::RandomForest) => {
            let data = DatasetBase::new(rows, Array1::from_vec(indices.clone()));
            let forest: Forest = forest(flags).classes(names.len()).fit(&data).map_err(usage)?;
            Ok(forest.to_onnx())
        }
        (Target::Classes { indices, names }, Algorithm::DecisionTree) => {
            let data = DatasetBase::new(rows, Array1::from_vec(indices.clone()));
            let tree: Forest = baseline(flags, names.len()).fit(&data).map_err(usage)?;
            Ok(tree.to_onnx())
        }
        (Target::Numbers(values), Algorithm::RandomForest) => {
            let data = DatasetBase::new(rows, Array1::from_vec(values.clone()));
            let forest: RegressionForest = forest(flags).fit(&data).map_err(usage)?;
            Ok(forest.to_onnx())
        }
        (Target::Numbers(_), Algorithm::DecisionTree) => Err(no_numbers()),
    }
}

fn forest<Kind>(flags: &LearnFlags) -> model::ForestParams<Kind> {
    model::ForestParams::new()
        .trees(flags.trees)
        .max_depth(flags.max_depth)
        .min_samples_split(flags.min_samples_split)
        .min_samples_leaf(flags.min_samples_leaf)
        .max_features(flags.max_features)
        .seed(flags.seed)
}

fn baseline(flags: &LearnFlags, classes: usize) -> BaselineParams {
    BaselineParams::default()
        .max_depth(flags.max_depth)
        .min_samples_split(flags.min_samples_split)
        .min_samples_leaf(flags.min_samples_leaf)
        .classes(classes)
}

/// Mean metric over linfa's folds of the shuffled training rows.
fn cross_validate(train: &Part, flags: &LearnFlags, folds: u32) -> Result<Value> {
    let folds = folds as usize;
    let rows = train.rows.nrows();
    if folds > rows {
        return Err(Failure::new(
            2,
            format!("--folds {folds}: only {rows} training rows"),
        ));
    }
    let mut random = crate::data::generator(flags.seed, "", b"folds");
    let linfa = |e: model::Error| linfa::Error::Parameters(e.to_string());
    let (metric, mean) = match &train.target {
        Target::Classes { indices, names } => {
            let data = DatasetBase::new(train.rows.clone(), Array1::from_vec(indices.clone()));
            let mut data = data.shuffle(&mut random);
            let judge = |predicted: &Array1<usize>, truth: &ndarray::ArrayView1<usize>| {
                model::metrics::accuracy(predicted, &truth.to_owned()).map_err(linfa)
            };
            let means: std::result::Result<Array1<f64>, model::Error> = match flags.algorithm {
                Algorithm::RandomForest => {
                    let checked = forest(flags).classes(names.len()).check().map_err(usage)?;
                    data.cross_validate_single(folds, &[checked], judge)
                }
                Algorithm::DecisionTree => {
                    let checked = baseline(flags, names.len()).check().map_err(usage)?;
                    data.cross_validate_single(folds, &[checked], judge)
                }
            };
            ("accuracy", means.map_err(usage)?[0])
        }
        Target::Numbers(values) => {
            let data = DatasetBase::new(train.rows.clone(), Array1::from_vec(values.clone()));
            let mut data = data.shuffle(&mut random);
            let judge = |predicted: &Array1<f64>, truth: &ndarray::ArrayView1<f64>| {
                model::metrics::rmse(predicted, &truth.to_owned()).map_err(linfa)
            };
            let checked = forest::<model::Numbers>(flags).check().map_err(usage)?;
            let means: std::result::Result<Array1<f64>, model::Error> =
                data.cross_validate_single(folds, &[checked], judge);
            ("rmse", means.map_err(usage)?[0])
        }
    };
    Ok(json!({"folds": folds, "metric": metric, "mean": mean}))
}

fn features(table: &Table, train: &Part) -> Vec<Feature> {
    let columns = train.rows.axis_iter(Axis(1));
    let describe = |(name, column): (&String, ndarray::ArrayView1<f64>)| Feature {
        name: name.clone(),
        dtype: "float64".to_owned(),
        min: column.iter().copied().fold(f64::INFINITY, f64::min),
        max: column.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    table.features.iter().zip(columns).map(describe).collect()
}

/// Rows spread evenly over the training part, with the answers that the model gives now.
fn golden_rows(model: &onnx::Model, train: &Part) -> Vec<GoldenRow> {
    let rows = train.rows.nrows();
    let count = GOLDEN_ROWS.min(rows);
    let chosen: Vec<usize> = (0..count).map(|index| index * rows / count).collect();
    let picked = train.rows.select(Axis(0), &chosen);
    let answers = evaluate::ask(model, &picked);
    let golden = |(index, row): (usize, ndarray::ArrayView1<f64>)| {
        let scores = &answers.scores[index * answers.width..][..answers.width];
        GoldenRow {
            features: row.to_vec(),
            prediction: if model.is_classifier() {
                answers.labels[index] as f64
            } else {
                f64::from(scores[0])
            },
            probabilities: if model.is_classifier() {
                scores.to_vec()
            } else {
                Vec::new()
            },
        }
    };
    picked.axis_iter(Axis(0)).enumerate().map(golden).collect()
}

fn outcome(manifest: &Manifest, parts: &Split, folds: Option<Value>, seconds: f64, out: &Path) -> Outcome {
    let (learnt, held) = (parts.train.rows.nrows(), parts.holdout.rows.nrows());
    let mut detail = json!({
        "metrics": manifest.metrics,
        "task": manifest.task,
        "algorithm": manifest.algorithm,
        "parameters": manifest.parameters,
        "seed": manifest.seed,
        "rows": {"train": learnt, "holdout": held},
        "dataset": manifest.dataset,
        "model_digest": manifest.model_digest,
        "drift_reference": manifest.drift_reference,
        "training_seconds": seconds,
        "out": out.display().to_string(),
    });
    if let Some(accuracy) = manifest.metrics.get("accuracy") {
        let hits = (accuracy * held as f64).round() as u64;
        let (low, high) = clopper_pearson(hits, held as u64, 0.95);
        detail["accuracy_interval"] = json!({"level": 0.95, "low": low, "high": high});
    }
    if let Some(folds) = folds {
        detail["cross_validation"] = folds;
    }
    let measured = match held {
        0 => "nothing held out".to_owned(),
        _ => format!(
            "{} on {held} held-out rows",
            evaluate::in_words(&manifest.metrics)
        ),
    };
    let summary = format!("{} on {learnt} rows; {measured}", manifest.algorithm);
    Outcome::new("train", Status::Done, detail, summary)
}

fn usage(error: model::Error) -> Failure {
    match error {
        model::Error::Parameter { .. } => Failure::new(2, error),
        _ => Failure::new(1, format!("training failed: {}", crate::failure::chain(&error))),
    }
}

fn no_numbers() -> Failure {
    Failure::new(
        2,
        "--algorithm decision-tree predicts classes only; this target holds numbers",
    )
}

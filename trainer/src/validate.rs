//! `validate`: gathers the facts about a candidate and lets the gate judge.

use crate::cli::GateFlags;
use crate::data::{Part, Split, Table, Target, split};
use crate::evaluate::{self, Answers};
use crate::failure::{Failure, Result};
use crate::gate::{self, Facts};
use crate::live::Live;
use crate::outcome::{Outcome, Status};
use anyhow::Context;
use contract::manifest::{Manifest, Task};
use contract::names::{self, exit};
use drift::interval::clopper_pearson;
use serde_json::json;
use std::path::Path;

/// A model directory, read and checked against itself.
pub struct Candidate {
    /// Its manifest.
    pub manifest: Manifest,
    /// The model.
    pub model: onnx::Model,
}

/// Reads a model directory.
///
/// # Errors
/// When a file is missing, or the model is not the one that the manifest describes.
pub fn candidate(directory: &Path) -> Result<Candidate> {
    let read = |name: &str| {
        let path = directory.join(name);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let manifest: Manifest = serde_json::from_slice(&read(names::MANIFEST_FILE)?).with_context(|| {
        format!(
            "{}/{} is not a manifest",
            directory.display(),
            names::MANIFEST_FILE
        )
    })?;
    let bytes = read(names::MODEL_FILE)?;
    let digest = contract::sha256_hex(&bytes);
    if digest != manifest.model_digest {
        let text = format!(
            "{} is {digest}, its manifest says {}",
            names::MODEL_FILE,
            manifest.model_digest
        );
        return Err(Failure::new(exit::REFUSED, text));
    }
    let model = onnx::Model::read(&bytes)
        .map_err(|e| Failure::new(exit::REFUSED, format!("{}: {e}", names::MODEL_FILE)))?;
    Ok(Candidate { manifest, model })
}

/// Judges the candidate on the table's held-out rows, beside the live model where there is one.
///
/// # Errors
/// When a metric cannot be computed; a refusal is no error but an [`Outcome`].
pub fn validate(
    table: &Table,
    candidate: &Candidate,
    live: Option<&Live>,
    bars: &GateFlags,
) -> Result<Outcome> {
    let manifest = &candidate.manifest;
    let holdout = manifest
        .parameters
        .get("holdout")
        .and_then(serde_json::Value::as_f64)
        .unwrap_or(0.0);
    let parts = split(table, holdout, manifest.seed);
    let mut facts = Facts {
        holdout_rows: parts.holdout.rows.nrows(),
        shape_faults: shape_faults(candidate, &parts),
        golden_rows: manifest.golden_rows.len(),
        ..Facts::default()
    };
    if facts.shape_faults.is_empty() {
        let answers = evaluate::ask(&candidate.model, &parts.holdout.rows);
        facts.bad_predictions = bad_predictions(&answers, manifest.task);
        facts.metrics = evaluate::metrics(&answers, &parts.holdout.target, |class| class)?;
        facts.golden_differences = golden_differences(candidate);
    }
    if let Some(live) = live {
        facts.schema_difference = schema_difference(manifest, &live.manifest);
        facts.live_metrics = live_metrics(live, table, &parts.holdout)?;
    }
    let verdict = gate::judge(&facts, bars);
    let rows = facts.holdout_rows;
    let mut detail = json!({
        "passed": verdict.passed(),
        "reasons": verdict.reasons(),
        "checks": verdict.checks,
        "metrics": facts.metrics,
        "holdout_rows": rows,
        "newest_file": newest(table, &parts.holdout),
        "bars": bars,
        "live": live.map(|live| json!({
            "model_version": live.release.model_version, "image_digest": live.release.digest,
            "model_digest": live.release.model_digest, "metrics": facts.live_metrics,
            // Another seed held out other rows: then some of these are rows that it has learnt from.
            "same_seed": live.manifest.seed == manifest.seed,
        })),
        "expected_previous": live.map(|live| live.release.digest.clone()),
    });
    if let Some(accuracy) = facts.metrics.get("accuracy").filter(|_| rows > 0) {
        let (low, high) = clopper_pearson((accuracy * rows as f64).round() as u64, rows as u64, 0.95);
        detail["accuracy_interval"] = json!({"level": 0.95, "low": low, "high": high});
    }
    Ok(if verdict.passed() {
        let beside = match &facts.live_metrics {
            Some(metrics) => format!("; live: {}", evaluate::in_words(metrics)),
            None => "; no live model to compare with".to_owned(),
        };
        let summary = format!(
            "{} on {rows} held-out rows{beside}",
            evaluate::in_words(&facts.metrics)
        );
        Outcome::new("validate", Status::Done, detail, summary)
    } else {
        Outcome::new("validate", Status::Refused, detail, verdict.reasons().join("; "))
    })
}

fn shape_faults(candidate: &Candidate, parts: &Split) -> Vec<String> {
    let (manifest, model) = (&candidate.manifest, &candidate.model);
    let classes = match manifest.task {
        Task::Classification => manifest.classes.len(),
        Task::Regression => 1,
    };
    let expected = [
        ("features of the model", model.features(), manifest.features.len()),
        (
            "features of the data",
            parts.holdout.rows.ncols(),
            manifest.features.len(),
        ),
        ("outputs of the model", model.outputs(), classes),
    ];
    let mut faults: Vec<String> = expected
        .into_iter()
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(what, found, wanted)| format!("{what}: {found}, the manifest has {wanted}"))
        .collect();
    if model.is_classifier() != (manifest.task == Task::Classification) {
        faults.push(format!(
            "the manifest says {:?}, the model is of another kind",
            manifest.task
        ));
    }
    faults
}

fn bad_predictions(answers: &Answers, task: Task) -> usize {
    let bad = |scores: &[f32]| match task {
        Task::Regression => !scores[0].is_finite(),
        Task::Classification => {
            let sum: f32 = scores.iter().sum();
            // NaN fails both comparisons.
            !(scores.iter().all(|score| (-1e-6..=1.0 + 1e-5).contains(score)) && (sum - 1.0).abs() < 1e-4)
        }
    };
    answers
        .scores
        .chunks(answers.width)
        .filter(|scores| bad(scores))
        .count()
}

fn golden_differences(candidate: &Candidate) -> usize {
    let model = &candidate.model;
    let differs = |golden: &&contract::manifest::GoldenRow| {
        if golden.features.len() != model.features() {
            return true;
        }
        let row: Vec<f32> = golden.features.iter().map(|&value| value as f32).collect();
        let mut scores = vec![0.0; model.outputs()];
        let label = model.predict_row(&row, &mut scores);
        if model.is_classifier() {
            label as f64 != golden.prediction || scores != golden.probabilities
        } else {
            f64::from(scores[0]) != golden.prediction
        }
    };
    candidate.manifest.golden_rows.iter().filter(differs).count()
}

fn schema_difference(ours: &Manifest, live: &Manifest) -> Option<String> {
    if ours.schema_digest() == live.schema_digest() {
        return None;
    }
    let names = |manifest: &Manifest| {
        manifest
            .features
            .iter()
            .map(|f| f.name.clone())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let parts = [
        ("task", format!("{:?}", live.task), format!("{:?}", ours.task)),
        ("features", names(live), names(ours)),
        ("classes", live.classes.join(", "), ours.classes.join(", ")),
    ];
    let changed = parts.into_iter().filter(|(_, live, ours)| live != ours);
    Some(
        changed
            .map(|(what, live, ours)| format!("{what} were [{live}], are [{ours}]"))
            .collect::<Vec<_>>()
            .join("; "),
    )
}

/// The live model on the same rows; `None` where it wants other features or predicts something else.
fn live_metrics(
    live: &Live,
    table: &Table,
    holdout: &Part,
) -> Result<Option<std::collections::BTreeMap<String, f64>>> {
    let column =
        |feature: &contract::manifest::Feature| table.features.iter().position(|name| *name == feature.name);
    let columns: Option<Vec<usize>> = live.manifest.features.iter().map(column).collect();
    let Some(columns) = columns.filter(|columns| {
        live.manifest.task == table.task()
            && columns.len() == live.model.features()
            && holdout.rows.nrows() > 0
    }) else {
        return Ok(None);
    };
    let rows = holdout.rows.select(ndarray::Axis(1), &columns);
    let answers = evaluate::ask(&live.model, &rows);
    let names = match &table.target {
        Target::Classes { names, .. } => names.as_slice(),
        Target::Numbers(_) => &[],
    };
    // A class that the data no longer has is never right.
    let class_of = |class: usize| {
        let name = live.manifest.classes.get(class);
        name.and_then(|name| names.iter().position(|other| other == name))
            .unwrap_or(names.len())
    };
    evaluate::metrics(&answers, &holdout.target, class_of).map(Some)
}

fn newest(table: &Table, holdout: &Part) -> serde_json::Value {
    let newest = table.files.len() - 1;
    let rows = holdout.file.iter().filter(|&&file| file == newest).count();
    json!({"name": table.files[newest].name, "holdout_rows": rows})
}

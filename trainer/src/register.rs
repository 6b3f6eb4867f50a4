//! `register`: run, model and version in MLflow; a refused candidate's failed run.

use crate::failure::Result;
use crate::folder::{self, Folder};
use crate::mlflow::{Story, Tracking, down};
use crate::outcome::{Outcome, Status};
use crate::validate;
use contract::Manifest;
use contract::names::{ALIAS_CHALLENGER, MANIFEST_FILE};
use serde_json::{Value, json};

/// Records the candidate and writes version and run into its manifest.
///
/// # Errors
/// Exit code MLFLOW; REFUSED when the gate has not let the candidate through.
pub fn register(folder: &Folder, run_key: &str, tracking: &Tracking) -> Result<Outcome> {
    let story = story(folder, run_key)?;
    if story.report["passed"] != true {
        let text = "the gate has refused this candidate: it does not become a version";
        return Err(crate::failure::Failure::new(contract::names::exit::REFUSED, text));
    }
    let made = tracking.register(&story).map_err(down)?;
    let manifest = Manifest {
        model_version: Some(made.version),
        run_id: Some(made.run_id.clone()),
        ..story.manifest
    };
    folder::write_json(&folder.model().join(MANIFEST_FILE), &manifest)?;
    let detail = json!({
        "model_name": manifest.name, "model_version": made.version, "run_id": made.run_id,
        "model_id": made.model_id, "experiment_id": made.experiment_id, "alias": ALIAS_CHALLENGER,
    });
    let status = if made.already {
        Status::Already
    } else {
        Status::Done
    };
    let summary = format!("{} version {} (run {})", manifest.name, made.version, made.run_id);
    Ok(Outcome::new("register", status, detail, summary))
}

/// Records why a candidate was refused; returns the MLflow run.
///
/// # Errors
/// Exit code MLFLOW.
pub fn record_refusal(
    folder: &Folder,
    run_key: &str,
    tracking: &Tracking,
    verdict: &Outcome,
) -> Result<String> {
    let mut story = story(folder, run_key)?;
    story.report = Value::Object(verdict.detail.clone());
    let reasons: Vec<String> = verdict
        .detail
        .get("reasons")
        .and_then(|reasons| serde_json::from_value(reasons.clone()).ok())
        .unwrap_or_default();
    tracking.record_refusal(&story, &reasons).map_err(down)
}

fn story(folder: &Folder, run_key: &str) -> Result<Story> {
    let candidate = validate::candidate(&folder.model())?;
    let loaded = folder.require("load")?;
    let report = folder
        .finished("validate")?
        .map_or(Value::Null, |verdict| Value::Object(verdict.detail));
    Ok(Story {
        run_key: run_key.to_owned(),
        // Version and run belong to an earlier try; they are written anew.
        manifest: Manifest {
            model_version: None,
            run_id: None,
            ..candidate.manifest
        },
        model: folder.model(),
        place: loaded.text("place").to_owned(),
        report,
    })
}

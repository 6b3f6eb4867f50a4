//! `trigger`: asks the API about drift and starts a retrain. The texts are the source documents'.

use crate::cli::TriggerFlags;
use crate::confirm;
use crate::failure::{Failure, Result};
use crate::net;
use crate::outcome::{Outcome, Status};
use contract::names::TRAINING;
use engine::{Engine, EngineError, RunPhase};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

#[derive(Deserialize)]
struct Drift {
    drift_detected: bool,
}

/// Starts a run where there is drift, or where it is forced.
///
/// # Errors
/// When the API or the engine does not answer.
pub fn trigger(flags: &TriggerFlags) -> Result<Outcome> {
    let api = flags.api_url.trim_end_matches('/');
    if flags.force {
        eprintln!("Force trigger enabled, skipping drift check");
    } else {
        eprintln!("Checking drift status...");
        let drift: Drift = net::get_json(&format!("{api}/drift/status"), Duration::from_secs(10))
            .map_err(|e| Failure::new(1, format!("the API's drift status cannot be read: {e}")))?;
        if !drift.drift_detected {
            let text = "No drift detected. Skipping retrain.";
            let detail = json!({"drift_detected": false, "message": text});
            return Ok(Outcome::new("trigger", Status::Skipped, detail, text));
        }
        eprintln!("Drift detected! Triggering retrain pipeline...");
    }
    let file = flags.engine_file.as_deref().ok_or_else(|| {
        Failure::new(
            2,
            "no engine: give --engine-file (the engine sets DRIFTLESS_ENGINE_FILE for its own runs)",
        )
    })?;
    start(&confirm::engine(file)?, flags)
}

fn start(engine: &dyn Engine, flags: &TriggerFlags) -> Result<Outcome> {
    let refused = |e: EngineError| Failure::new(1, format!("the retrain cannot be started: {e}"));
    let reason = if flags.force { "forced" } else { "drift" };
    let detail = |id: &str| json!({"drift_detected": (!flags.force).then_some(true), "reason": reason, "run_id": id, "template": TRAINING});
    let runs = engine.status().map_err(refused)?.runs;
    let unfinished = |phase: RunPhase| matches!(phase, RunPhase::Pending | RunPhase::Running);
    // A second one would find the first one's result; the drift it answers is the same.
    if let Some(run) = runs
        .iter()
        .find(|run| run.template == TRAINING && unfinished(run.phase))
    {
        let text = format!("A retrain runs already: {}", run.id);
        return Ok(Outcome::new("trigger", Status::Already, detail(&run.id), text));
    }
    let mut env = vec![("MODEL_NAME".to_owned(), flags.model_name.clone())];
    if let Some(uri) = flags.mlflow_uri.as_ref().filter(|uri| !uri.is_empty()) {
        env.push(("MLFLOW_TRACKING_URI".to_owned(), uri.clone()));
    }
    let args: Vec<String> = if flags.force {
        vec!["--force".to_owned()]
    } else {
        Vec::new()
    };
    let id = engine.start_run(TRAINING, &args, &env).map_err(refused)?;
    if let Some(host) = flags.kfp_host.as_ref().filter(|host| !host.is_empty()) {
        eprintln!(
            "--kfp-host {host} is not asked: the {} engine runs the retrain",
            engine.name()
        );
    }
    Ok(Outcome::new(
        "trigger",
        Status::Done,
        detail(&id),
        format!("Pipeline run created: {id}"),
    ))
}

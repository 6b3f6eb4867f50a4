//! `trigger`: asks the API about drift and starts a retrain. The texts are the source documents'.

use crate::cli::TriggerFlags;
use crate::confirm;
use crate::failure::{Failure, Result};
use crate::net;
use crate::outcome::{Outcome, Status};
use cluster::Kind;
use cluster::in_cluster::InCluster;
use contract::names::TRAINING;
use engine::{Engine, EngineClient, RunPhase};
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
    start(&Runner::of(flags)?, flags)
}

/// Who starts runs: the engine beside us, or the cluster around us.
enum Runner {
    Engine(EngineClient),
    Cluster(Box<InCluster>),
}

impl Runner {
    fn of(flags: &TriggerFlags) -> Result<Self> {
        if let Some(file) = &flags.engine_file {
            return Ok(Runner::Engine(confirm::engine(file)?));
        }
        // What every pod is told.
        if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            let cluster = InCluster::open(&flags.training_namespace).map_err(refused)?;
            return Ok(Runner::Cluster(Box::new(cluster)));
        }
        Err(Failure::new(
            2,
            "no engine: give --engine-file (the engine sets DRIFTLESS_ENGINE_FILE for its own runs), or run in a pod",
        ))
    }

    fn name(&self) -> &str {
        match self {
            Runner::Engine(engine) => engine.name(),
            Runner::Cluster(_) => "cluster",
        }
    }

    /// A run that is not over.
    fn unfinished(&self) -> Result<Option<String>> {
        let over = |phase: RunPhase| matches!(phase, RunPhase::Succeeded | RunPhase::Failed);
        match self {
            Runner::Engine(engine) => {
                let runs = engine.status().map_err(refused)?.runs;
                let run = runs
                    .into_iter()
                    .find(|run| run.template == TRAINING && !over(run.phase));
                Ok(run.map(|run| run.id))
            }
            Runner::Cluster(cluster) => {
                let runs = cluster.unfinished_runs(TRAINING).map_err(refused)?;
                Ok(runs.into_iter().next())
            }
        }
    }

    /// The new run's id; `None` where another trigger was faster.
    fn start(&self, args: &[String], env: &[(String, String)]) -> Result<Option<String>> {
        match self {
            Runner::Engine(engine) => engine.start_run(TRAINING, args, env).map(Some).map_err(refused),
            Runner::Cluster(cluster) => match cluster.start_run(TRAINING, args, env) {
                Ok(id) => Ok(Some(id)),
                Err(e) if e.kind == Kind::Conflict => Ok(None),
                Err(e) => Err(refused(e)),
            },
        }
    }
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::new(1, format!("the retrain cannot be started: {error}"))
}

fn start(runner: &Runner, flags: &TriggerFlags) -> Result<Outcome> {
    let reason = if flags.force { "forced" } else { "drift" };
    let detail = |id: &str| json!({"drift_detected": (!flags.force).then_some(true), "reason": reason, "run_id": id, "template": TRAINING});
    // A second one would find the first one's result; the drift it answers is the same.
    let already = |id: &str| {
        let text = format!("A retrain runs already: {id}");
        Ok(Outcome::new("trigger", Status::Already, detail(id), text))
    };
    if let Some(id) = runner.unfinished()? {
        return already(&id);
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
    let Some(id) = runner.start(&args, &env)? else {
        return already(&runner.unfinished()?.unwrap_or_default());
    };
    if let Some(host) = flags.kfp_host.as_ref().filter(|host| !host.is_empty()) {
        eprintln!(
            "--kfp-host {host} is not asked: the {} engine runs the retrain",
            runner.name()
        );
    }
    Ok(Outcome::new(
        "trigger",
        Status::Done,
        detail(&id),
        format!("Pipeline run created: {id}"),
    ))
}

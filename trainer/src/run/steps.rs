//! The steps of a run: the retrain's pipeline (`trainer/src/pipeline`), as processes of this machine.
//!
//! All steps share the run's folder, as pods would share a claim: a step that has finished there is not done
//! again, whatever the pipeline's own record says.

use super::request::State;
use crate::cli::RunFlags;
use crate::failure::{Failure, Result};
use crate::folder::{Folder, read_json};
use crate::outcome::{Outcome, Status};
use crate::pipeline_run::{Here, absolute};
use crate::single::FAILED_FILE;
use crate::{data, hook, pipeline, validate};
use anyhow::Context;
use contract::names::exit;
use kfp_run::{Error, Event, Given, Record, RunState};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// Names in order; the last three are the pipeline's last task.
const STEPS: [&str; 7] = [
    "load", "train", "validate", "register", "package", "promote", "confirm",
];
/// Folder of the pipeline's record within that of the run.
const RECORD_DIR: &str = "pipeline";

/// One line of progress.
pub fn line(number: usize, step: &str, status: &str, start: Instant, text: &str) {
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "[{number}/{}] {step:<8} {status:<7} {seconds:>6.2} s  {text}",
        STEPS.len()
    );
}

/// Everything after what was loaded.
///
/// # Errors
/// With the exit code of the step that failed, and what it said.
pub fn steps(flags: &RunFlags, folder: &Folder, state: &State, start: Instant) -> Result<Outcome> {
    let mut told = Told::before(folder, start)?;
    let record = drive(flags, folder, state, &mut told)?;
    if record.state != RunState::Succeeded {
        return Err(failure(folder, &record)?);
    }
    outcome(folder, state, &told, start)
}

/// Runs the pipeline, or goes on with it.
fn drive(flags: &RunFlags, folder: &Folder, state: &State, told: &mut Told<'_>) -> Result<Record> {
    let failed = folder.path().join(FAILED_FILE);
    if failed.exists() {
        std::fs::remove_file(&failed).with_context(|| failed.display().to_string())?;
    }
    let here = Here::new(None)?;
    let place = folder.path().join(RECORD_DIR);
    let mut runner = here.runner(place.clone(), "trainer run".to_owned())?;
    runner.run_id = Some(state.key.clone());
    runner.given = given(flags, folder)?;
    let parameters = kfp_run::parameters(&runner.pipeline, &absolute(parameters(flags, state))?);
    runner.parameters = parameters.map_err(|problems| Failure::new(2, problems))?;
    // Whoever starts runs (the engine, a Job) waits for what is down, and starts the whole run again.
    let down = [exit::MLFLOW, exit::IMAGE, exit::GIT];
    runner.limits.final_codes.extend(down.map(i32::from));
    if Record::path(&place).exists() {
        match runner.resume(&mut |event: &Event| told.event(event)) {
            // Cut off when a step had failed for good: no step was tried now. As a run that has failed it is
            // taken up again with what failed.
            Ok(record) if record.state == RunState::Failed && !told.began => {
                let record = runner.resume(&mut |event: &Event| told.event(event));
                return record.map_err(|error| crate::pipeline_run::begun(&error));
            }
            // Begun by another version, or with other addresses: what the steps have left is still theirs.
            Err(
                Error::PipelineChanged { .. } | Error::ParameterChanged { .. } | Error::RecordBroken { .. },
            ) => {
                std::fs::remove_dir_all(&place).with_context(|| place.display().to_string())?;
            }
            other => return other.map_err(|error| crate::pipeline_run::begun(&error)),
        }
    }
    let record = runner.start(&mut |event: &Event| told.event(event));
    record.map_err(|error| crate::pipeline_run::begun(&error))
}

/// What the steps see besides their parameters.
fn given(flags: &RunFlags, folder: &Folder) -> Result<Given> {
    let shared = std::path::absolute(folder.path()).context("the run's folder")?;
    let cache = std::path::absolute(flags.work_dir.join("git-cache")).context("the work folder")?;
    let mut env = BTreeMap::from([
        ("RUN_DIR_SHARED".to_owned(), "true".to_owned()),
        ("GIT_CACHE_DIR".to_owned(), cache.display().to_string()),
    ]);
    let files = [
        ("API_KEY_FILE", &flags.live.key.api_key_file),
        ("DRIFTLESS_ENGINE_FILE", &flags.live.engine_file),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            let file = std::path::absolute(file).with_context(|| file.display().to_string())?;
            env.insert(name.to_owned(), file.display().to_string());
        }
    }
    if let Some(id) = &flags.mlflow.mlflow_run_id {
        env.insert("MLFLOW_RUN_ID".to_owned(), id.clone());
    }
    Ok(Given {
        paths: BTreeMap::from([(pipeline::RUN_DIR.to_owned(), shared)]),
        env,
        ..Here::given()
    })
}

/// The pipeline's parameters, as texts.
fn parameters(flags: &RunFlags, state: &State) -> Vec<(String, String)> {
    let (data, learn, gate) = (&flags.data, &flags.learn, &flags.gate);
    let limit = |bytes: u64| bytes.min(pipeline::WHOLE_MAX).to_string();
    let number = |value: Option<String>| value.unwrap_or_default();
    let word = |value: &Option<String>| value.clone().unwrap_or_default();
    let cause = &flags.cause;
    [
        // What is loaded already; an address may have an account in it.
        ("data", data.data.as_deref().map(data::shown).unwrap_or_default()),
        ("target", word(&data.target)),
        ("missing", data.missing.name().to_owned()),
        ("delimiter", char::from(data.delimiter).to_string()),
        ("data_bytes_max", limit(data.limits.data_bytes_max)),
        ("data_cells_max", limit(data.limits.data_cells_max)),
        ("from_api", String::new()),
        ("force", "true".to_owned()),
        ("algorithm", learn.algorithm.name().to_owned()),
        ("trees", learn.trees.to_string()),
        (
            "max_depth",
            number(learn.max_depth.map(|depth| depth.to_string())),
        ),
        ("min_samples_split", learn.min_samples_split.to_string()),
        ("min_samples_leaf", learn.min_samples_leaf.to_string()),
        ("max_features", learn.max_features.to_string()),
        ("seed", learn.seed.to_string()),
        ("holdout", learn.holdout.to_string()),
        ("folds", number(learn.folds.map(|folds| folds.to_string()))),
        ("model_name", learn.model_name.clone()),
        ("code_commit", learn.code_commit.clone()),
        ("min_accuracy", gate.min_accuracy.to_string()),
        ("min_r2", gate.min_r2.to_string()),
        ("max_rmse", number(gate.max_rmse.map(|rmse| rmse.to_string()))),
        ("tolerance", gate.tolerance.to_string()),
        ("allow_schema_change", gate.allow_schema_change.to_string()),
        ("git_url", flags.git.git_url.clone()),
        ("environment", flags.git.environment.clone()),
        ("git_deadline", flags.git.git_deadline.to_string()),
        ("image_repository", flags.images.image_repository.clone()),
        ("image_pull_repository", word(&flags.images.image_pull_repository)),
        ("base_image", flags.base_image.clone()),
        ("mlflow_uri", flags.mlflow.mlflow_uri.clone()),
        ("experiment", flags.mlflow.experiment.clone()),
        ("api_url", word(&flags.live.api_url)),
        ("argocd_application", word(&flags.live.argocd_application)),
        ("live_deadline", flags.live.live_deadline.to_string()),
        (
            "expected_live",
            state
                .expected_previous
                .clone()
                .unwrap_or_else(|| "unreleased".to_owned()),
        ),
        ("nonce", word(&flags.nonce)),
        ("trigger_reason", word(&cause.trigger_reason)),
        ("drift_episode", word(&cause.drift_episode)),
        ("drift_model", word(&cause.drift_model)),
        ("drift_features", word(&cause.drift_features)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// What the steps say on their way.
struct Told<'a> {
    folder: &'a Folder,
    start: Instant,
    /// Steps that had finished before.
    before: Vec<&'static str>,
    /// Steps with how they ended, in order.
    steps: Vec<Value>,
    /// Whether any step was started.
    began: bool,
}

impl<'a> Told<'a> {
    fn before(folder: &'a Folder, start: Instant) -> Result<Self> {
        let mut before = Vec::new();
        for step in STEPS {
            // What was loaded was loaded by this very process.
            if step != "load" && folder.finished(step)?.is_some() {
                before.push(step);
            }
        }
        Ok(Told {
            folder,
            start,
            before,
            steps: Vec::new(),
            began: false,
        })
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Succeeded { step, .. } | Event::Kept { step } => self.done(step),
            Event::Retry { step, fault, pause } => {
                hook::after_a_kill(step);
                let text = format!("{fault}; again in {:.0} s", pause.as_secs_f64());
                self.line(step, "failed", &text);
            }
            Event::Failed { step, .. } => {
                hook::after_a_kill(step);
                for part in parts(step) {
                    if !matches!(self.folder.finished(part), Ok(Some(_))) {
                        self.failed(part);
                        break;
                    }
                    self.step(part);
                }
            }
            Event::Started { .. } => self.began = true,
        }
    }

    fn done(&mut self, step: &str) {
        for part in parts(step) {
            self.step(part);
        }
    }

    fn step(&mut self, step: &str) {
        let Ok(Some(outcome)) = self.folder.finished(step) else {
            return;
        };
        let is_before = self.before.contains(&step);
        let status = match outcome.status {
            Status::Already if !is_before => Status::Done,
            other => other,
        };
        let word = Outcome {
            status,
            ..outcome.clone()
        }
        .word();
        self.steps.push(json!({"step": step, "status": word}));
        if step != "load" {
            self.line(step, word, &outcome.summary);
        }
    }

    fn failed(&self, step: &str) {
        if let Ok(Some(said)) = said(self.folder) {
            let text = said["reason"].as_str().unwrap_or_default();
            self.line(step, said["status"].as_str().unwrap_or("failed"), text);
        }
    }

    fn line(&self, step: &str, status: &str, text: &str) {
        let number = STEPS.iter().position(|name| *name == step);
        line(
            number.map_or(0, |index| index + 1),
            step,
            status,
            self.start,
            text,
        );
    }
}

/// The steps of a task.
fn parts(task: &str) -> &[&'static str] {
    match STEPS.iter().position(|step| *step == task) {
        Some(_) if task == "promote" => &STEPS[4..],
        Some(at) => &STEPS[at..=at],
        None => &[],
    }
}

/// How a step failed, as it said itself.
fn said(folder: &Folder) -> Result<Option<Value>> {
    read_json(&folder.path().join(FAILED_FILE))
}

fn failure(folder: &Folder, record: &Record) -> Result<Failure> {
    let first = record.failures.first();
    let what = first.map_or("was stopped".to_owned(), |first| {
        format!("{}: {}", first.step, first.what)
    });
    let Some(Value::Object(said)) = said(folder)? else {
        return Ok(Failure::new(1, what));
    };
    let code = said.get("exit_code").and_then(Value::as_u64);
    let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    let reason = said.get("reason").and_then(Value::as_str).unwrap_or(&what);
    let mut failure = Failure::new(code, reason.to_owned());
    for (key, value) in &said {
        if !matches!(key.as_str(), "step" | "status" | "exit_code" | "reason") {
            failure = failure.with(key, value.clone());
        }
    }
    Ok(failure)
}

fn outcome(folder: &Folder, state: &State, told: &Told<'_>, start: Instant) -> Result<Outcome> {
    let verdict = folder.require("validate")?;
    if verdict.status == Status::Refused {
        let detail = json!({
            "reasons": verdict.detail.get("reasons"), "metrics": verdict.detail.get("metrics"),
            "run_id": verdict.detail.get("run_id"), "run_key": state.key, "exit_code": exit::REFUSED,
            "promoted": false, "model_digest": validate::candidate(&folder.model())?.manifest.model_digest,
        });
        let summary = format!("refused by the gate: {}", verdict.summary);
        return Ok(Outcome::new("run", Status::Refused, detail, summary));
    }
    let (registered, packaged) = (folder.require("register")?, folder.require("package")?);
    let (promoted, live) = (folder.require("promote")?, folder.require("confirm")?);
    let detail = json!({
        "promoted": true,
        "live": live.status != Status::Skipped,
        "run_key": state.key,
        "run_id": registered.text("run_id"),
        "model_name": registered.text("model_name"),
        "model_version": registered.detail.get("model_version"),
        "model_digest": validate::candidate(&folder.model())?.manifest.model_digest,
        "image": {"tag": packaged.text("tag"), "digest": packaged.text("digest")},
        "commit": promoted.text("commit"),
        "metrics": verdict.detail.get("metrics"),
        "live_metrics": verdict.detail.get("live").and_then(|live| live.get("metrics")),
        "steps": told.steps,
        "seconds": start.elapsed().as_secs_f64(),
    });
    let summary = format!("{} is promoted", packaged.text("tag"));
    Ok(Outcome::new("run", Status::Done, detail, summary))
}

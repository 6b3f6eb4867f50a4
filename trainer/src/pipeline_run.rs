//! `pipeline run`: the retrain's definition as processes of this machine, each a step of this very program.

use crate::cli::PipelineRunFlags;
use crate::failure::{Failure, Result};
use crate::folder::{Folder, read_json};
use crate::outcome::{Outcome, Status};
use crate::pipeline::{Settings, retrain};
use anyhow::Context;
use contract::names::{TRAINER, exit};
use kfp_run::{Cache, Cancel, Commands, Error, Given, Image, Keeper, Limits, Record, RunState, Runner};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Variables that a step needs and the pipeline does not name: where the engine is, and accounts of MLflow,
/// of registries and of S3-style stores. Git's account goes to the steps that ask for it alone.
const INHERITED: [&str; 24] = [
    "API_URL",
    "DRIFTLESS_ENGINE_FILE",
    "GIT_DEADLINE_SECONDS",
    "LIVE_DEADLINE_SECONDS",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "REGISTRY_USERNAME",
    "REGISTRY_PASSWORD",
    "REGISTRY_TOKEN",
    "REGISTRY_PLAIN_HTTP",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "RUST_BACKTRACE",
];
/// The Secret with Git's account, and its keys.
const GIT_SECRET: (&str, [&str; 2]) = ("git-credentials", ["GIT_USERNAME", "GIT_TOKEN"]);
/// What the mount of the training data is called.
const TRAINING_DATA: &str = "data";

/// The keeper of a step, where this process was started as one.
pub fn kept() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let is = |argument: Option<OsString>, word: &str| argument.is_some_and(|found| found == word);
    (is(arguments.next(), "pipeline") && is(arguments.next(), "keep")).then(|| kfp_run::keep(arguments))
}

/// Runs the retrain to its end.
///
/// # Errors
/// With the exit code of the step that failed, and what it said.
pub fn run(flags: &PipelineRunFlags) -> Result<Outcome> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let mut settings = Settings::default();
    let mut digest = settings.image.clone();
    if flags.cache.is_some() {
        // Of another program training might be another: its digest is in the key.
        let bytes = std::fs::read(&program).with_context(|| program.display().to_string())?;
        digest = contract::sha256_hex(&bytes);
        settings.image = format!("{TRAINER}@{digest}");
    }
    let pipeline = retrain(&settings).map_err(|problems| Failure::new(2, problems))?;
    let parameters = kfp_run::parameters(&pipeline, &absolute(&flags.param)?);
    let parameters = parameters.map_err(|problems| Failure::new(2, problems))?;
    let image = Image {
        digest,
        programs: [(format!("/{TRAINER}"), program.clone())].into(),
        ..Image::default()
    };
    let images = Commands {
        images: [(settings.image, image)].into(),
        others: None,
    };
    let resume_command = format!(
        "trainer pipeline run --resume --run-dir {}",
        flags.run_dir.display()
    );
    let runner = Runner {
        pipeline,
        parameters,
        folder: flags.run_dir.clone(),
        run_id: None,
        images: &images,
        given: Given {
            objects: git_account(),
            volumes: BTreeMap::new(),
            inherit: INHERITED.map(str::to_owned).into(),
        },
        keeper: Keeper {
            program,
            arguments: ["pipeline", "keep"].map(OsString::from).into(),
        },
        cache: flags.cache.as_ref().map(Cache::new),
        limits: Limits::default(),
        cancel: Cancel::new().context("no pipe")?,
        resume_command: resume_command.clone(),
    };
    let mut progress = |event: &kfp_run::Event| eprintln!("trainer pipeline: {event}");
    let record = match flags.resume {
        true => runner.resume(&mut progress),
        false => runner.start(&mut progress),
    };
    let record = record.map_err(|error| begun(&error))?;
    ended(&record, &flags.run_dir, &resume_command)
}

/// Steps have working folders of their own.
fn absolute(given: &[(String, String)]) -> Result<Vec<(String, String)>> {
    let mut given = given.to_vec();
    for (name, value) in &mut given {
        if name == TRAINING_DATA && Path::new(value).exists() {
            let path = std::path::absolute(&value).with_context(|| value.clone())?;
            *value = path.display().to_string();
        }
    }
    Ok(given)
}

fn git_account() -> BTreeMap<String, BTreeMap<String, SecretString>> {
    let (secret, keys) = GIT_SECRET;
    let keys = keys.into_iter().filter_map(|key| {
        let value = std::env::var(key).ok().filter(|value| !value.is_empty())?;
        Some((key.to_owned(), SecretString::from(value)))
    });
    [(secret.to_owned(), keys.collect())].into()
}

fn begun(error: &Error) -> Failure {
    let exit = match error {
        Error::FolderLocked { .. } => exit::LOCKED,
        Error::FolderIo { .. } | Error::RecordBroken { .. } => 1,
        _ => 2,
    };
    Failure::new(exit, error).with("id", error.id().into())
}

/// The result as `run` has it: what was trained, and what became of it.
fn ended(record: &Record, run_dir: &Path, resume: &str) -> Result<Outcome> {
    if record.state != RunState::Succeeded {
        let Some(first) = record.failures.first() else {
            return Err(Failure::new(1, format!("was stopped; go on with {resume}")));
        };
        let attempt = record
            .steps
            .get(&first.step)
            .and_then(|step| step.attempts.last());
        let code = attempt
            .and_then(|attempt| attempt.exit_code)
            .and_then(|code| u8::try_from(code).ok());
        let text = format!("{}: {}; go on with {resume}", first.step, first.what);
        let failures = serde_json::to_value(&record.failures).unwrap_or_default();
        let failure = Failure::new(code.filter(|code| *code > 0).unwrap_or(1), text);
        return Err(failure.with("failed_steps", failures));
    }
    let mut detail = json!({
        "pipeline_run_id": record.run_id,
        "record": Record::path(run_dir),
        "steps": record.steps.iter().map(|(path, step)| (path.clone(), json!({
            "state": step.state, "attempts": step.attempts.len(), "cached": step.cached,
        }))).collect::<serde_json::Map<_, _>>(),
    });
    for (path, fields) in [
        ("train", &["model_digest", "dataset", "metrics"][..]),
        ("validate", &["passed", "reasons"]),
        ("if-passed/register", &["run_id", "model_version"]),
        ("if-passed/package", &["digest", "image"]),
        ("if-passed/promote", &["commit"]),
    ] {
        let Some(outcome) = outcome_of(record, run_dir, path)? else {
            continue;
        };
        for field in fields {
            if let Some(value) = outcome.detail.get(*field) {
                detail[*field] = value.clone();
            }
        }
    }
    Ok(match detail["passed"] == Value::Bool(true) {
        true => Outcome::new("pipeline", Status::Done, detail, "all steps are done"),
        false => {
            detail["exit_code"] = exit::REFUSED.into();
            Outcome::new("pipeline", Status::Refused, detail, "refused by the gate")
        }
    })
}

/// What a step left of itself for later ones.
fn outcome_of(record: &Record, run_dir: &Path, path: &str) -> Result<Option<Outcome>> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some(step) = record.steps.get(path) else {
        return Ok(None);
    };
    for saved in step.outputs.artifacts.values().flatten() {
        let folder = Folder::new(run_dir.join(&saved.path));
        // Metrics are a file.
        if !folder.path().is_dir() {
            continue;
        }
        if let Some(outcome) = read_json(&folder.path().join(format!("{name}.json")))? {
            return Ok(Some(outcome));
        }
    }
    Ok(None)
}

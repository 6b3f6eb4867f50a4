//! `pipeline run`: the retrain's definition as processes of this machine, each a step of this very program.

use crate::cli::PipelineRunFlags;
use crate::failure::{Failure, Result};
use crate::folder::{Folder, read_json};
use crate::outcome::{Outcome, Status};
use crate::pipeline::{GIT_SECRET, Settings, retrain};
use crate::trigger::FOR_GOOD;
use anyhow::Context;
use contract::names::{TRAINER, exit};
use kfp::Pipeline;
use kfp_run::{Cache, Cancel, Commands, Error, Given, Image, Keeper, Limits, Record, RunState, Runner};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Variables that a step needs and the pipeline does not name: where the engine is, and accounts of MLflow,
/// of registries and of S3-style stores. Git's account goes to the steps that ask for it alone.
const INHERITED: [&str; 33] = [
    "API_URL",
    "API_KEY_FILE",
    "DRIFTLESS_ENGINE_FILE",
    "DRIFTLESS_EXIT_AFTER",
    "GIT_DEADLINE_SECONDS",
    "LIVE_DEADLINE_SECONDS",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "MLFLOW_RUN_ID",
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
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "RUST_BACKTRACE",
];
/// What a step has decided for good besides.
const DECIDED: [u8; 2] = [exit::REFUSED, exit::LOCKED];
/// Parameters that may name a place of this machine.
const PLACES: [&str; 3] = ["data", "git_url", "image_repository"];
/// How a place of images on this machine begins.
const LAYOUT: &str = "oci-layout:";

/// The keeper of a step, where this process was started as one.
pub fn kept() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let is = |argument: Option<OsString>, word: &str| argument.is_some_and(|found| found == word);
    (is(arguments.next(), "pipeline") && is(arguments.next(), "keep")).then(|| kfp_run::keep(arguments))
}

/// The retrain with this very program as the trainer's image.
pub struct Here {
    pipeline: Pipeline,
    program: PathBuf,
    images: Commands,
    cache: Option<Cache>,
}

impl Here {
    /// With results of other runs, where a folder of them is given.
    ///
    /// # Errors
    /// When this program cannot be found.
    pub fn new(cache: Option<&Path>) -> Result<Self> {
        let program = std::env::current_exe().context("this program does not know where it is")?;
        let mut settings = Settings::default();
        let mut digest = settings.image.clone();
        if cache.is_some() {
            // Of another program training might be another: its digest is in the key.
            let bytes = std::fs::read(&program).with_context(|| program.display().to_string())?;
            digest = contract::sha256_hex(&bytes);
            settings.image = format!("{TRAINER}@{digest}");
        }
        let pipeline = retrain(&settings).map_err(|problems| Failure::new(2, problems))?;
        let image = Image {
            digest,
            programs: [(format!("/{TRAINER}"), program.clone())].into(),
            // This machine is the image: what its Git is told of repositories and accounts holds here, too.
            env: std::env::var("HOME")
                .map(|home| ("HOME".to_owned(), home))
                .into_iter()
                .collect(),
            ..Image::default()
        };
        Ok(Here {
            pipeline,
            program,
            images: Commands {
                images: [(settings.image, image)].into(),
                others: None,
            },
            cache: cache.map(Cache::new),
        })
    }

    /// What every step is given: Git's account where it asks for it, and what the environment says of places.
    pub fn given() -> Given {
        Given {
            objects: git_account(),
            inherit: INHERITED.map(str::to_owned).into(),
            ..Given::default()
        }
    }

    /// A run in this folder, with the pipeline's defaults.
    ///
    /// # Errors
    /// When the system has nothing left to open.
    pub fn runner(&self, folder: PathBuf, resume_command: String) -> Result<Runner<'_>> {
        Ok(Runner {
            pipeline: self.pipeline.clone(),
            parameters: BTreeMap::new(),
            folder,
            run_id: None,
            images: &self.images,
            given: Self::given(),
            keeper: Keeper {
                program: self.program.clone(),
                arguments: ["pipeline", "keep"].map(OsString::from).into(),
            },
            cache: self.cache.clone(),
            limits: Limits {
                final_codes: DECIDED.into_iter().chain(FOR_GOOD).map(i32::from).collect(),
                ..Limits::default()
            },
            cancel: Cancel::new().context("no pipe")?,
            resume_command,
        })
    }
}

/// Runs the retrain to its end.
///
/// # Errors
/// With the exit code of the step that failed, and what it said.
pub fn run(flags: &PipelineRunFlags) -> Result<Outcome> {
    let here = Here::new(flags.cache.as_deref())?;
    let resume_command = format!(
        "trainer pipeline run --resume --run-dir {}",
        flags.run_dir.display()
    );
    let mut runner = here.runner(flags.run_dir.clone(), resume_command.clone())?;
    let parameters = kfp_run::parameters(&runner.pipeline, &absolute(flags.param.clone())?);
    runner.parameters = parameters.map_err(|problems| Failure::new(2, problems))?;
    let mut progress = |event: &kfp_run::Event| eprintln!("trainer pipeline: {event}");
    let record = match flags.resume {
        true => runner.resume(&mut progress),
        false => runner.start(&mut progress),
    };
    let record = record.map_err(|error| begun(&error))?;
    ended(&record, &flags.run_dir, &resume_command)
}

/// Steps have working folders of their own: places of this machine are named from its root.
///
/// # Errors
/// When nobody knows where this process is.
pub fn absolute(mut given: Vec<(String, String)>) -> Result<Vec<(String, String)>> {
    for (name, value) in &mut given {
        let (prefix, path) = match value.strip_prefix(LAYOUT) {
            Some(path) => (LAYOUT, path),
            None => ("", value.as_str()),
        };
        if PLACES.contains(&name.as_str()) && (!prefix.is_empty() || Path::new(path).exists()) {
            let path = std::path::absolute(path).with_context(|| value.clone())?;
            *value = format!("{prefix}{}", path.display());
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

/// Why a run could not be begun or gone on with.
pub fn begun(error: &Error) -> Failure {
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
    if let Some(loaded) = outcome_of(record, run_dir, "load")?
        && loaded.detail.get("news") == Some(&Value::Bool(false))
    {
        let failure = Failure::new(exit::NOTHING_NEW, loaded.text("reason").to_owned());
        return Err(failure.with("steps", detail["steps"].take()));
    }
    for (path, fields) in [
        ("train", &["model_digest", "dataset", "metrics"][..]),
        ("validate", &["passed", "reasons"]),
        ("register", &["run_id", "model_version"]),
        ("promote", &["digest", "commit"]),
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

//! One step as its own process: flags in, result out, the rest in the run's folder.

use crate::cli::{Command, PassFlags, PipelineCommand, PipelineFlags, TrainFlags, ValidateFlags};
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::mlflow::Tracking;
use crate::outcome::{Outcome, Status};
use crate::{
    champion, compare, confirm, data, image, live, load, package, pass, pipeline, pipeline_run, promote,
    register, run, smoke, train, trigger, validate,
};
use contract::names::exit;
use serde_json::Value;

/// What goes to stdout.
pub enum Said {
    /// As JSON.
    Outcome(Box<Outcome>),
    /// As it is (nothing where it went to a file), with the exit code.
    Report(String, u8),
}

/// Name of the subcommand.
pub fn name(command: &Command) -> &'static str {
    match command {
        Command::Load(_) => "load",
        Command::Train(_) => "train",
        Command::Validate(_) => "validate",
        Command::Register(_) => "register",
        Command::Package(_) => "package",
        Command::Promote(_) => "promote",
        Command::Confirm(_) => "confirm",
        Command::Run(_) => "run",
        Command::Smoke(_) => "smoke",
        Command::Trigger(_) => "trigger",
        Command::Drift(_) => "drift",
        Command::Pipeline(_) => "pipeline",
        Command::Image(_) => "image",
        Command::Champion(_) => "champion",
    }
}

/// Does the step.
///
/// # Errors
/// Each with its exit code.
pub fn step(command: &Command) -> Result<Said> {
    let Some((folder, pass)) = passing(command) else {
        return alone_or_whole(command);
    };
    pass::take(pass, &folder)?;
    let said = alone_or_whole(command)?;
    let Said::Outcome(outcome) = &said else {
        return Ok(said);
    };
    pass::give(pass, &folder, outcome)?;
    let asked = pass.result.iter().any(|(field, _)| field == "passed");
    if outcome.status == Status::Refused && asked {
        eprintln!("trainer {}: refused: {}", outcome.step, outcome.summary);
        return Ok(Said::Report(
            serde_json::to_string(outcome).unwrap_or_default(),
            0,
        ));
    }
    Ok(said)
}

/// The folder of a step that takes from others and leaves for others.
fn passing(command: &Command) -> Option<(Folder, &PassFlags)> {
    let flags = match command {
        Command::Load(flags) => &flags.folder,
        Command::Train(flags) => return Some((Folder::new(flags.run_dir.as_ref()?), &flags.pass)),
        Command::Validate(flags) => &flags.folder,
        Command::Register(flags) => &flags.folder,
        Command::Package(flags) => &flags.folder,
        Command::Promote(flags) => &flags.folder,
        Command::Confirm(flags) => &flags.folder,
        _ => return None,
    };
    Some((Folder::new(&flags.run_dir), &flags.pass))
}

fn alone_or_whole(command: &Command) -> Result<Said> {
    let outcome = match command {
        Command::Load(flags) => {
            let folder = Folder::new(&flags.folder.run_dir);
            let outcome = load::load(&flags.data, &flags.labelled, &flags.key, &folder)?.0;
            keep(&folder, outcome)
        }
        Command::Train(flags) => alone(flags),
        Command::Validate(flags) => judged(flags),
        Command::Register(flags) => {
            let folder = Folder::new(&flags.folder.run_dir);
            let outcome = register::register(
                &folder,
                &run_key(&folder, &flags.folder.pass)?,
                &Tracking::open(&flags.mlflow)?,
            )?;
            keep(&folder, outcome)
        }
        Command::Package(flags) => {
            let folder = Folder::new(&flags.folder.run_dir);
            let store = flags.images.open()?;
            let outcome = package::package(&folder, store.as_ref(), &flags.base_image, &|_| Ok(false))?;
            keep(&folder, outcome)
        }
        Command::Promote(flags) => {
            let folder = Folder::new(&flags.folder.run_dir);
            let repo = live::repository(&flags.git, folder.path())?;
            let outcome = promote::promote(
                &folder,
                &repo,
                &flags.git.environment,
                &run_key(&folder, &flags.folder.pass)?,
                flags.again,
            )?;
            keep(&folder, outcome)
        }
        Command::Confirm(flags) => {
            let folder = Folder::new(&flags.folder.run_dir);
            let repo = live::repository(&flags.git, folder.path())?;
            let tracking = Tracking::open(&flags.mlflow)?;
            let outcome = confirm::confirm(&folder, &repo, &flags.git.environment, &tracking, &flags.live)?;
            keep(&folder, outcome)
        }
        Command::Run(flags) => {
            let ended = run::run(flags);
            trigger::record(flags, &ended);
            ended
        }
        Command::Smoke(flags) => smoke::smoke(flags),
        Command::Trigger(flags) => trigger::trigger(flags),
        Command::Pipeline(PipelineFlags {
            command: Some(PipelineCommand::Run(flags)),
            ..
        }) => pipeline_run::run(flags),
        Command::Pipeline(PipelineFlags { image, .. }) => {
            let settings = image.clone().map(|image| pipeline::Settings { image });
            let document = pipeline::retrain(&settings.unwrap_or_default()).and_then(|made| made.emit());
            let document = document.map_err(|problems| Failure::new(2, problems.to_string()))?;
            return Ok(Said::Report(document.text, 0));
        }
        Command::Image(flags) => image::image(flags),
        Command::Champion(flags) => champion::champion(flags),
        Command::Drift(flags) => {
            return compare::compare(flags).map(|(text, exit)| Said::Report(text, exit));
        }
    };
    Ok(Said::Outcome(Box::new(outcome?)))
}

fn keep(folder: &Folder, outcome: Outcome) -> Result<Outcome> {
    folder.keep(&outcome)?;
    Ok(outcome)
}

/// `train` on a place, or on what `load` left.
fn alone(flags: &TrainFlags) -> Result<Outcome> {
    if let Some(run_dir) = &flags.run_dir {
        let folder = Folder::new(run_dir);
        let table = load::again(&folder)?;
        return keep(&folder, train::train(&table, &flags.learn, &folder.model())?);
    }
    let Some(data) = &flags.data.data else {
        return Err(Failure::new(
            2,
            "--data PLACE is needed, or --run-dir with what `load` left",
        ));
    };
    let Some(out) = &flags.out else {
        return Err(Failure::new(2, "--out DIR is needed"));
    };
    let copies = tempfile::tempdir().map_err(anyhow::Error::new)?;
    let files = data::collect(&data::find(data)?, copies.path(), flags.data.limits)?;
    let table = data::read(&files, &flags.data.options())?;
    train::train(&table, &flags.learn, out)
}

fn judged(flags: &ValidateFlags) -> Result<Outcome> {
    let folder = Folder::new(&flags.folder.run_dir);
    let table = load::again(&folder)?;
    let candidate = validate::candidate(&folder.model())?;
    let repo = live::repository(&flags.git, folder.path())?;
    let live = match repo.current(&flags.git.environment)? {
        Some(release) => {
            let store = flags.images.open()?;
            Some(live::read(release, store.as_ref())?)
        }
        None => None,
    };
    let mut verdict = keep(
        &folder,
        validate::validate(&table, &candidate, live.as_ref(), &flags.gate)?,
    )?;
    if verdict.status == Status::Refused {
        let run_id = refusal(&folder, flags, &verdict)?;
        verdict.detail.insert("run_id".to_owned(), run_id.into());
        verdict
            .detail
            .insert("exit_code".to_owned(), exit::REFUSED.into());
    }
    Ok(verdict)
}

fn refusal(folder: &Folder, flags: &ValidateFlags, verdict: &Outcome) -> Result<String> {
    let key = run_key(folder, &flags.folder.pass)?;
    register::record_refusal(folder, &key, &Tracking::open(&flags.mlflow)?, verdict)
}

/// By which MLflow knows this folder's run: `run`'s own key, or one of what was trained on what.
fn run_key(folder: &Folder, pass: &PassFlags) -> Result<String> {
    if let Some(key) = pass.run_key.as_deref().filter(|key| !key.is_empty()) {
        return Ok(key.to_owned());
    }
    let state: Option<Value> = crate::folder::read_json(&folder.path().join("run.json"))?;
    if let Some(key) = state.as_ref().and_then(|state| state["key"].as_str()) {
        return Ok(key.to_owned());
    }
    let manifest = validate::candidate(&folder.model())?.manifest;
    let text = format!(
        "{} {} {}",
        folder.path().display(),
        manifest.model_digest,
        manifest.dataset.digest
    );
    Ok(contract::sha256_hex(text.as_bytes())
        .trim_start_matches("sha256:")
        .to_owned())
}

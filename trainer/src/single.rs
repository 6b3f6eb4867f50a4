//! One step as its own process: flags in, result out, the rest in the run's folder.

use crate::cli::{
    Command, LoadFlags, PassFlags, PipelineCommand, PipelineFlags, ToldFlags, TrainFlags, ValidateFlags,
};
use crate::failure::{Failure, Result};
use crate::folder::{Folder, write_json};
use crate::mlflow::Tracking;
use crate::outcome::{self, Outcome, Status};
use crate::{
    champion, compare, confirm, data, hook, image, kubeflow, live, load, news, own, package, pass, pipeline,
    pipeline_run, promote, register, run, smoke, train, trigger, validate,
};
use contract::names::exit;
use gitops::Release;
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

/// How a step failed, for whoever shares the run's folder.
pub const FAILED_FILE: &str = "failed.json";

/// Does the step.
///
/// # Errors
/// Each with its exit code.
pub fn step(command: &Command) -> Result<Said> {
    let Some((folder, pass)) = passing(command) else {
        return alone_or_whole(command);
    };
    let said = passed_on(command, &folder, pass);
    if pass.shared
        && let Err(failure) = &said
    {
        write_json(
            &folder.path().join(FAILED_FILE),
            &outcome::failed(name(command), failure),
        )?;
    }
    if let Some(told) = told(command) {
        trigger::tell(told, name(command), &said);
    }
    said
}

/// Takes what earlier steps have left, does the step, leaves it for later ones.
fn passed_on(command: &Command, folder: &Folder, pass: &PassFlags) -> Result<Said> {
    // A shared folder has all of it, and newer: `register` writes into what `train` has left.
    if !pass.shared {
        pass::take(pass, folder)?;
    }
    let finished = match command {
        // Two records; it looks for itself.
        Command::Promote(flags) if flags.confirm => None,
        _ if pass.shared => folder.finished(name(command))?.map(known),
        _ => None,
    };
    let said = match finished {
        Some(outcome) => {
            hook::point(name(command));
            Said::Outcome(Box::new(outcome))
        }
        None => alone_or_whole(command)?,
    };
    let Said::Outcome(outcome) = &said else {
        return Ok(said);
    };
    pass::give(pass, folder, outcome)?;
    if outcome.status == Status::Refused && pass.asks("passed") {
        eprintln!("trainer {}: refused: {}", outcome.step, outcome.summary);
        return Ok(Said::Report(
            serde_json::to_string(outcome).unwrap_or_default(),
            0,
        ));
    }
    Ok(said)
}

/// A folder of an older version does not say that what it has is news; what is not has no folder.
fn known(mut outcome: Outcome) -> Outcome {
    if outcome.step == "load" {
        outcome
            .detail
            .entry("news".to_owned())
            .or_insert_with(|| true.into());
    }
    outcome
}

/// What the step tells of its run.
fn told(command: &Command) -> Option<&ToldFlags> {
    match command {
        Command::Load(flags) => Some(&flags.told),
        Command::Validate(flags) => Some(&flags.told),
        Command::Register(flags) => Some(&flags.told),
        Command::Promote(flags) => Some(&flags.told),
        _ => None,
    }
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
        Command::Load(flags) => loaded(flags),
        Command::Train(flags) => alone(flags),
        Command::Validate(flags) => judged(flags),
        Command::Register(flags) => {
            let folder = Folder::new(&flags.folder.run_dir);
            let key = run_key(&folder, &flags.folder.pass)?;
            let tracking = flags.told.tracking(&flags.mlflow)?;
            let outcome = register::register(&folder, &key, &tracking)?;
            keep(&folder, outcome)
        }
        Command::Package(flags) => {
            let folder = Folder::new(&flags.folder.run_dir);
            let store = flags.images.open()?;
            let tracking = flags.mlflow_uri.as_deref().filter(|uri| !uri.is_empty());
            let tracking = tracking.map(Tracking::at).transpose()?;
            let forgotten = |run: &str| tracking.as_ref().map_or(Ok(false), |mlflow| mlflow.forgot(run));
            let outcome = package::package(&folder, store.as_ref(), &flags.base_image, &forgotten)?;
            keep(&folder, outcome)
        }
        Command::Promote(flags) => promote::step(flags, &run_key),
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
        Command::Pipeline(PipelineFlags {
            command: Some(PipelineCommand::Upload(flags)),
            ..
        }) => kubeflow::upload(flags),
        Command::Pipeline(PipelineFlags { image, .. }) => {
            let mut settings = pipeline::Settings::default();
            if let Some(image) = image {
                settings.image.clone_from(image);
            }
            let document = pipeline::retrain(&settings).and_then(|made| made.emit());
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

/// Keeps what a step has done: before this it is not done, after it it is.
///
/// # Errors
/// When it cannot be written.
pub fn keep(folder: &Folder, outcome: Outcome) -> Result<Outcome> {
    hook::point(&format!("{}:act", outcome.step));
    folder.keep(&outcome)?;
    hook::point(&outcome.step);
    Ok(outcome)
}

/// `load`, and where it is asked whether what it found is news.
fn loaded(flags: &LoadFlags) -> Result<Outcome> {
    let folder = Folder::new(&flags.folder.run_dir);
    let (mut outcome, table) = load::load(&flags.data, &flags.labelled, &flags.key, &folder)?;
    if flags.folder.pass.asks("news") {
        let git = flags.news.git().filter(|_| !flags.news.force);
        let known = match git {
            None => None,
            Some(git) => {
                let repo = live::repository(&git, folder.path())?;
                let current = repo.current(&git.environment)?;
                let dataset = table.describe(0).digest;
                news::nothing_new(&repo, &git.environment, current.as_ref(), &dataset)?
            }
        };
        outcome.detail.insert("news".to_owned(), known.is_none().into());
        if let Some(reason) = known {
            eprintln!("trainer load: {reason}");
            outcome.detail.insert("reason".to_owned(), reason.into());
        }
    }
    keep(&folder, outcome)
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
    let live = compared_with(flags, &folder)?;
    let live = match live {
        Some(release) => Some(live::read(release, flags.images.open()?.as_ref())?),
        None => None,
    };
    let mut verdict = validate::validate(&table, &candidate, live.as_ref(), &flags.gate)?;
    if verdict.status == Status::Refused {
        let key = run_key(&folder, &flags.folder.pass)?;
        let tracking = flags.told.tracking(&flags.mlflow)?;
        let run_id = register::record_refusal(&folder, &key, &tracking, &verdict)?;
        verdict.detail.insert("run_id".to_owned(), run_id.into());
        verdict
            .detail
            .insert("exit_code".to_owned(), exit::REFUSED.into());
    }
    keep(&folder, verdict)
}

/// What is live; where this run's own release is, what was live before it. Another one than the run began with
/// means that it was outrun.
fn compared_with(flags: &ValidateFlags, folder: &Folder) -> Result<Option<Release>> {
    let environment = &flags.git.environment;
    let repo = live::repository(&flags.git, folder.path())?;
    let own = own::promotion(&repo, environment, &run_key(folder, &flags.folder.pass)?)?;
    let current = match own {
        Some(own) => own.previous,
        None => repo.current(environment)?,
    };
    let word = current.as_ref().map_or("unreleased", |release| &release.digest);
    match flags.expected_live.as_deref().filter(|word| !word.is_empty()) {
        Some(expected) if expected != word => {
            let text = format!("somebody else promoted meanwhile: live was {expected}, is {word}");
            Err(Failure::new(exit::OUTRUN, text))
        }
        _ => Ok(current),
    }
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

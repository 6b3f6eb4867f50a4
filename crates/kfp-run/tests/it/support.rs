//! Runs of pipelines whose steps are shell scripts.

use kfp::Pipeline;
use kfp::build::{Builder, Step};
use kfp_run::{Cancel, Commands, Error, Event, Given, Image, Keeper, Limits, Record, RunState, Runner};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_kfp-run");

/// This machine's programs stand for every image.
pub static HOST: LazyLock<Commands> = LazyLock::new(|| {
    let step = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/step.sh");
    let names = ["/step", "/usr/local/bin/step"];
    Commands {
        images: BTreeMap::new(),
        others: Some(Image {
            host: true,
            programs: names.map(|name| (name.to_owned(), step.clone())).into(),
            ..Image::default()
        }),
    }
});

pub fn runner(pipeline: Pipeline, folder: &Path) -> Runner<'static> {
    Runner {
        pipeline,
        parameters: BTreeMap::new(),
        folder: folder.to_owned(),
        run_id: Some("run-7".to_owned()),
        images: &*HOST,
        given: Given::default(),
        keeper: Keeper {
            program: PathBuf::from(PROGRAM),
            arguments: vec!["keep".into()],
        },
        cache: None,
        limits: Limits {
            parallel: 4,
            ..Limits::default()
        },
        cancel: Cancel::new().unwrap(),
        resume_command: "kfp-run --resume".to_owned(),
    }
}

pub fn with(mut runner: Runner<'static>, parameters: Value) -> Runner<'static> {
    let parameters = parameters.as_object().unwrap().clone();
    runner.parameters = parameters.into_iter().collect();
    runner
}

/// The run's record and what happened.
pub fn started(runner: &Runner<'_>) -> Result<(Record, Vec<Event>), Error> {
    let mut events = Vec::new();
    let record = runner.start(&mut |event| events.push(event.clone()))?;
    Ok((record, events))
}

pub fn resumed(runner: &Runner<'_>) -> Result<(Record, Vec<Event>), Error> {
    let mut events = Vec::new();
    let record = runner.resume(&mut |event| events.push(event.clone()))?;
    Ok((record, events))
}

/// Runs it, and it ends like that.
pub fn ran(runner: &Runner<'_>, state: RunState) -> Record {
    let (record, _) = started(runner).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(record.state, state, "{record:#?}");
    assert_eq!(
        Record::read(&runner.folder).unwrap().unwrap(),
        record,
        "is what was kept"
    );
    record
}

/// A step that runs a script; what is added to it are `$1`, `$2`, ….
pub fn script(name: &str, text: &str) -> Step {
    let mut step = Step::new(name, "image:1", 60);
    step.command(["sh", "-c", text, name]);
    step
}

/// A pipeline of one step.
pub fn alone(step: &Step) -> Pipeline {
    let mut builder = Builder::new("alone");
    builder.task("step", step).add();
    builder.build().unwrap_or_else(|problems| panic!("{problems}"))
}

/// What the only step was failed for.
pub fn fault(step: &Step) -> (String, Record) {
    let place = tempfile::tempdir().unwrap();
    let record = ran(&runner(alone(step), &place.path().join("run")), RunState::Failed);
    let attempt = record.steps["step"].attempts.last().unwrap().clone();
    let fault = attempt.fault.unwrap();
    (fault.to_string(), record)
}

/// A file's text.
pub fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

//! Pipelines that would write where they should not, or without end.

use crate::support::{alone, fault, ran, runner, script, text};
use kfp::build::Builder;
use kfp::kind::{Anything, Text};
use kfp_run::{Record, RunState, Runner};
use std::path::Path;
use std::time::Duration;

#[test]
fn names_are_no_paths() {
    let mut step = script("names", "for file; do echo x > \"$file\"; done");
    let mut outputs = Vec::new();
    for name in ["..", "...", ".", "a b", "-rf"] {
        outputs.push(step.output::<Text>(name));
        let artifact = step.output_artifact::<Anything>(&format!("..{name}.."));
        step.arg(&artifact);
    }
    for output in &outputs {
        step.arg(output);
    }
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    let record = ran(&runner(alone(&step), &folder), RunState::Succeeded);
    let left = &record.steps["step"].outputs;
    assert_eq!(left.parameters[".."], "x\n");
    assert_eq!(left.artifacts.len(), 5);
    let attempt = folder
        .join(&record.steps["step"].attempts[0].log)
        .with_file_name("");
    for saved in left.artifacts.values().flatten() {
        assert!(
            folder.join(&saved.path).starts_with(attempt.join("artifacts")),
            "{}",
            saved.path
        );
        assert_eq!(text(folder.join(&saved.path)), "x\n");
    }
    let beside: Vec<_> = std::fs::read_dir(place.path()).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
}

#[test]
fn a_task_whose_key_is_a_path_is_refused() {
    let mut pipeline = alone(&script("one", "true"));
    let task = pipeline.dag.tasks.remove("step").unwrap();
    pipeline.dag.tasks.insert("../../out".to_owned(), task);
    let place = tempfile::tempdir().unwrap();
    let error = runner(pipeline, &place.path().join("run"))
        .start(&mut |_| {})
        .unwrap_err();
    assert_eq!(error.id(), "pipeline-wrong");
    assert!(error.to_string().contains("../../out"), "{error}");
}

#[test]
fn links_out_of_an_artifact_are_refused() {
    let mut step = script("link", "mkdir \"$1\"; ln -s /etc/passwd \"$1/data\"");
    let data = step.output_artifact::<Anything>("data");
    step.arg(&data);
    let (said, _) = fault(&step);
    assert!(
        said.starts_with("artifact data: ") && said.ends_with("[artifact-not-plain]"),
        "{said}"
    );

    let mut step = script("pipe", "mkfifo \"$1\"");
    let value = step.output::<Text>("value");
    step.arg(&value);
    let (said, _) = fault(&step);
    assert!(
        said.contains("is no plain file") && said.ends_with("[output-missing]"),
        "{said}"
    );
}

fn limited(step: &kfp::build::Step, change: impl FnOnce(&mut Runner<'_>), folder: &Path) -> Record {
    let mut runner = runner(alone(step), folder);
    change(&mut runner);
    ran(&runner, RunState::Failed)
}

#[test]
fn what_a_step_writes_is_bounded() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let said = |record: &Record| {
        record.steps["step"].attempts[0]
            .fault
            .clone()
            .unwrap()
            .to_string()
    };

    let step = script(
        "chatty",
        "i=0; while [ $i -lt 3000 ]; do echo \"line $i of many\"; i=$((i+1)); done; exit 1",
    );
    let record = limited(&step, |runner| runner.limits.log_bytes = 1000, &at("log"));
    let attempt = &record.steps["step"].attempts[0];
    assert_eq!(attempt.tail.last().unwrap(), "line 2999 of many");
    let log = text(at("log").join(&attempt.log));
    assert!(
        log.len() < 1100 && log.contains("bytes more were not kept"),
        "{}",
        log.len()
    );

    let mut step = script("large", "printf '%2000s' x > \"$1\"");
    let value = step.output::<Text>("value");
    step.arg(&value);
    let record = limited(
        &step,
        |runner| runner.limits.parameter_bytes = 1000,
        &at("parameter"),
    );
    assert!(
        said(&record).starts_with("output value: more than 1000 bytes"),
        "{}",
        said(&record)
    );

    let mut step = script("huge", "yes > \"$1\"");
    let data = step.output_artifact::<Anything>("data");
    step.arg(&data);
    let record = limited(
        &step,
        |runner| runner.limits.artifact_bytes = 100_000,
        &at("file"),
    );
    assert_eq!(record.steps["step"].state, kfp_run::StepState::Failed);
    let folder = at("file").join(&record.steps["step"].attempts[0].log);
    let size = std::fs::metadata(folder.with_file_name("artifacts").join("data"))
        .unwrap()
        .len();
    assert!(size <= 100_000, "{size}");

    let mut step = script(
        "many",
        "mkdir \"$1\"; for i in 1 2 3; do printf '%50000s' x > \"$1/$i\"; done",
    );
    let data = step.output_artifact::<Anything>("data");
    step.arg(&data);
    let record = limited(
        &step,
        |runner| runner.limits.artifact_bytes = 100_000,
        &at("files"),
    );
    assert!(
        said(&record).ends_with("has more than 100000 bytes [output-too-large]"),
        "{}",
        said(&record)
    );
}

#[test]
fn a_loop_is_bounded() {
    let mut b = Builder::new("endless");
    b.each::<Text, _>("loop", (0..20).map(|at| at.to_string()), None, |b, _| {
        b.task("step", &script("one", "true")).add();
    });
    let place = tempfile::tempdir().unwrap();
    let mut runner = runner(b.build().unwrap(), &place.path().join("run"));
    runner.limits.steps = 10;
    let error = runner.start(&mut |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "11 steps; the limit is 10: shorten the loops, or raise the limit"
    );
}

#[test]
fn a_step_that_ignores_its_end_is_killed() {
    let mut step = script("deaf", "trap '' TERM INT HUP; while :; do sleep 1; done");
    step.kubernetes().deadline_seconds = Some(1);
    let place = tempfile::tempdir().unwrap();
    let record = limited(
        &step,
        |runner| runner.limits.grace = Duration::from_millis(100),
        &place.path().join("run"),
    );
    let fault = record.steps["step"].attempts[0].fault.clone().unwrap();
    assert_eq!(fault.id.word(), "deadline-exceeded");
}

//! How a run begins, what it takes from others, and how it is stopped.

use crate::support::{PROGRAM, alone, ran, runner, script, text, with};
use kfp::build::Builder;
use kfp::kind::{Anything, Integer, Text};
use kfp_run::{AttemptState, RunState, StepState};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn results_are_taken_again_from_the_cache() {
    let place = tempfile::tempdir().unwrap();
    let effects = place.path().join("effects");
    let pipeline = |cached: bool| {
        let mut b = Builder::new("cached");
        let seed = b.parameter_or::<Integer>("seed", 1);
        let mut step = script(
            "make",
            &format!(
                "echo \"$1\" >> {}; echo \"$1\" > \"$2\"; echo $1 > \"$3\"",
                effects.display()
            ),
        );
        let input = step.input::<Integer>("seed");
        step.arg(&input);
        let data = step.output_artifact::<Anything>("data");
        step.arg(&data);
        let out = step.output::<Integer>("out");
        step.arg(&out);
        let task = b.task("make", &step).set(&input, &seed);
        if cached { task.cached() } else { task }.add();
        b.build().unwrap()
    };
    let run = |name: &str, cached: bool, seed: i64| {
        let mut runner = with(
            runner(pipeline(cached), &place.path().join(name)),
            json!({"seed": seed}),
        );
        runner.cache = Some(kfp_run::Cache::new(place.path().join("cache")));
        let record = ran(&runner, RunState::Succeeded);
        let step = &record.steps["make"];
        assert_eq!(step.outputs.parameters["out"], seed);
        assert_eq!(
            text(runner.folder.join(&step.outputs.artifacts["data"][0].path)),
            format!("{seed}\n")
        );
        step.cached
    };
    assert!(!run("one", true, 1));
    assert!(run("two", true, 1));
    assert!(!run("three", true, 2));
    assert!(!run("four", false, 1));
    assert_eq!(text(&effects), "1\n2\n1\n");
    for entry in std::fs::read_dir(place.path().join("cache")).unwrap() {
        std::fs::write(entry.unwrap().path().join("0"), "broken").unwrap();
    }
    assert!(!run("five", true, 1), "a broken entry is a miss");
    assert!(run("six", true, 1));
}

#[test]
fn what_cannot_begin_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    let begin = || runner(alone(&script("one", "true")), &folder);
    let mut unknown = begin();
    unknown.images = &NONE;
    let error = unknown.start(&mut |_| {}).unwrap_err();
    assert_eq!((error.id(), folder.exists()), ("image-unknown", false));
    assert!(
        error
            .to_string()
            .contains("component one: image \"image:1\": nothing on this machine"),
        "{error}"
    );
    let error = with(begin(), json!({"nope": 1})).start(&mut |_| {}).unwrap_err();
    assert_eq!((error.id(), folder.exists()), ("pipeline-wrong", false));
    let error = begin().resume(&mut |_| {}).unwrap_err();
    assert_eq!((error.id(), folder.exists()), ("nothing-to-resume", false));
    std::fs::create_dir_all(folder.join("steps")).unwrap();
    let error = begin().start(&mut |_| {}).unwrap_err();
    assert_eq!(error.id(), "folder-not-empty");
    std::fs::remove_dir(folder.join("steps")).unwrap();
    ran(&begin(), RunState::Succeeded);
    let error = begin().start(&mut |_| {}).unwrap_err();
    assert_eq!(error.id(), "run-exists");
    assert!(
        error
            .to_string()
            .contains("there is run run-7 already; go on with kfp-run --resume"),
        "{error}"
    );
    std::fs::write(folder.join("run.json"), "{").unwrap();
    assert_eq!(begin().resume(&mut |_| {}).unwrap_err().id(), "record-broken");
}

static NONE: kfp_run::Commands = kfp_run::Commands {
    images: std::collections::BTreeMap::new(),
    others: None,
};

#[test]
fn a_run_that_is_cancelled_stops_and_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let flag = place.path().join("flag");
    let mut b = Builder::new("stopped");
    let first = b.task("first", &script("first", "true")).add();
    let wait = script(
        "wait",
        &format!("test -e {0} || {{ touch {0}; sleep 300; }}", flag.display()),
    );
    b.task("wait", &wait).after(&first).add();
    let pipeline = b.build().unwrap();
    let folder = place.path().join("run");
    let stopped = runner(pipeline.clone(), &folder);
    let record = std::thread::scope(|scope| {
        scope.spawn(|| {
            let deadline = Instant::now() + Duration::from_secs(30);
            while !flag.exists() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            stopped.cancel.cancel();
        });
        ran(&stopped, RunState::Cancelled)
    });
    assert_eq!(record.steps["wait"].attempts[0].state, AttemptState::Interrupted);
    assert_eq!(record.steps["first"].state, StepState::Succeeded);
    let (record, events) = crate::support::resumed(&runner(pipeline, &folder)).unwrap();
    assert_eq!(record.state, RunState::Succeeded);
    assert_eq!(
        events[0],
        kfp_run::Event::Kept {
            step: "first".to_owned()
        }
    );
}

/// A layout `images` with one image, and a document `pipeline.yaml` whose step says its one parameter.
fn packed(place: &std::path::Path, parameter: &str) {
    let at = |name: &str| place.join(name).display().to_string();
    let store = oci::open_store(&format!("oci-layout:{}", at("images"))).unwrap();
    let program = b"#!/bin/sh\nprintf '%s' \"$MODE $1\" > \"$2\"\n".to_vec();
    let files = oci::LayerFiles::new().file("step", 0o755, program).unwrap();
    let config = oci::ImageConfig {
        env: [("MODE".to_owned(), "from the image,".to_owned())].into(),
        ..oci::ImageConfig::default()
    };
    let digest = oci::image::build_base(store.as_ref(), "team/step", &[files], &config).unwrap();
    store.tag("team/step:1", &digest, false).unwrap();

    let mut b = Builder::new("packed");
    let word = b.parameter::<Text>(parameter);
    let mut step = kfp::build::Step::new("step", "team/step:1", 60);
    step.command(["/step"]);
    let input = step.input::<Text>("word");
    step.arg(&input);
    let said = step.output::<Text>("said");
    step.arg(&said);
    let task = b.task("step", &step).set(&input, &word).add();
    b.export("said", &task.output(&said));
    std::fs::write(at("pipeline.yaml"), b.build().unwrap().emit().unwrap().text).unwrap();
}

#[test]
fn the_commands_of_the_page_work() {
    let place = tempfile::tempdir().unwrap();
    packed(place.path(), "rows");
    let page = include_str!("../../../../docs/pipelines.md");
    let commands: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("$ kfp-run "))
        .collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    for command in commands {
        let mut program = std::process::Command::new(PROGRAM);
        let ran = program
            .args(command.split(' '))
            .current_dir(place.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(0), "{command}: {said}");
        let outputs: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(outputs["parameters"]["said"], "from the image, 10", "{command}");
    }
}

#[test]
fn a_document_runs_with_the_images_of_a_layout() {
    let place = tempfile::tempdir().unwrap();
    packed(place.path(), "word");
    let at = |name: &str| place.path().join(name).display().to_string();
    let run = |more: &[&str]| {
        let mut program = std::process::Command::new(PROGRAM);
        program.args([
            "--dir",
            &at("run"),
            "--layout",
            &at("images"),
            "--unpacked",
            &at("unpacked"),
        ]);
        program.args(more).output().unwrap()
    };
    let refused = run(&[&at("pipeline.yaml")]);
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{errors}");
    assert!(
        errors.contains("parameter word: is required; expected STRING [pipeline-wrong]"),
        "{errors}"
    );
    let ran = run(&[&at("pipeline.yaml"), "--param", "word=given"]);
    let errors = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(0), "{errors}");
    let outputs: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(outputs["parameters"]["said"], "from the image, given");
    let again = run(&[&at("pipeline.yaml"), "--param", "word=given"]);
    let errors = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(errors.contains("[run-exists]"), "{errors}");
    assert_eq!(run(&["--resume"]).status.code(), Some(0));
}

//! Runs that are taken up again.

use crate::support::{PROGRAM, ran, resumed, runner, script, text, with};
use kfp::Pipeline;
use kfp::build::Builder;
use kfp::kind::{Anything, Text};
use kfp_run::{Event, RunState};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// `make` → `use` → `end`, each with a line in `effects`; `use` fails as long as `place/bad` is there.
fn chain(place: &Path) -> Pipeline {
    let effects = place.join("effects");
    let effect = |name: &str| format!("echo {name} >> {}; ", effects.display());
    let mut b = Builder::new("chain");
    let word = b.parameter_or::<Text>("word", "rows");
    let guarded = b.group("work", |b| {
        let mut make = script(
            "make",
            &(effect("make") + "mkdir \"$2\"; echo \"$1\" > \"$2/data\""),
        );
        let input = make.input::<Text>("word");
        make.arg(&input);
        let data = make.output_artifact::<Anything>("data");
        make.arg(&data);
        let made = b.task("make", &make).set(&input, &word).add();
        let mut user = script(
            "use",
            &(effect("use") + &format!("cat \"$1/data\"; test ! -e {}", place.join("bad").display())),
        );
        let input = user.input_artifact::<Anything>("data");
        user.arg(&input);
        b.task("use", &user)
            .set_artifact(&input, &made.artifact(&data))
            .add();
    });
    b.task("end", &script("end", &effect("end")))
        .finally(&guarded.task)
        .add();
    b.build().unwrap()
}

fn kept(events: &[Event]) -> Vec<&str> {
    let kept = events.iter().filter_map(|event| match event {
        Event::Kept { step } => Some(step.as_str()),
        _ => None,
    });
    kept.collect()
}

#[test]
fn what_failed_is_tried_again_with_the_exit_task() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    std::fs::write(place.path().join("bad"), "").unwrap();
    let runner = || runner(chain(place.path()), &folder);
    ran(&runner(), RunState::Failed);
    std::fs::remove_file(place.path().join("bad")).unwrap();
    let (record, events) = resumed(&runner()).unwrap();
    assert_eq!(record.state, RunState::Succeeded);
    assert_eq!(kept(&events), ["work/make"]);
    assert_eq!(text(place.path().join("effects")), "make\nuse\nend\nuse\nend\n");
}

#[test]
fn a_step_whose_output_is_gone_runs_again() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    let bad = place.path().join("bad");
    for (what, change) in [
        (
            "gone",
            &(|data: &Path| std::fs::remove_dir_all(data).unwrap()) as &dyn Fn(&Path),
        ),
        ("changed", &|data: &Path| {
            std::fs::write(data.join("data"), "other").unwrap()
        }),
        ("more", &|data: &Path| {
            std::fs::write(data.join("more"), "").unwrap()
        }),
    ] {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::write(&bad, "").unwrap();
        let record = ran(&runner(chain(place.path()), &folder), RunState::Failed);
        std::fs::remove_file(&bad).unwrap();
        let data = folder.join(&record.steps["work/make"].outputs.artifacts["data"][0].path);
        change(&data);
        let (record, events) = resumed(&runner(chain(place.path()), &folder)).unwrap();
        assert_eq!(record.state, RunState::Succeeded);
        assert!(kept(&events).is_empty(), "{what}: {events:?}");
        assert_eq!(record.steps["work/make"].attempts.len(), 2);
        let data = folder.join(&record.steps["work/make"].outputs.artifacts["data"][0].path);
        assert_eq!(text(data.join("data")), "rows\n");
    }
}

#[test]
fn another_pipeline_or_parameter_is_no_resume() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    ran(&runner(chain(place.path()), &folder), RunState::Succeeded);
    let error = resumed(&with(runner(chain(place.path()), &folder), json!({"word": "x"}))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameter word: \"x\" is not \"rows\", with which the run began; start it in another folder"
    );
    let error = resumed(&runner(chain(&place.path().join("x")), &folder)).unwrap_err();
    assert_eq!(error.id(), "pipeline-changed");
}

#[test]
fn a_runner_that_is_killed_takes_its_steps_along_and_one_that_lives_is_seen() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    let pid = place.path().join("pid");
    let step = script(
        "slow",
        &format!(
            "sleep 300 & echo $! > {0}.new; mv {0}.new {0}; wait",
            pid.display()
        ),
    );
    let pipeline = crate::support::alone(&step);
    let file = place.path().join("pipeline.yaml");
    std::fs::write(&file, pipeline.emit().unwrap().text).unwrap();
    let mut child = Command::new(PROGRAM)
        .args([
            file.as_os_str(),
            "--host".as_ref(),
            "--dir".as_ref(),
            folder.as_os_str(),
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !pid.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut second = runner(pipeline, &folder);
    second.limits.grace = Duration::from_millis(1);
    let error = resumed(&second).unwrap_err();
    assert_eq!(error.id(), "folder-locked");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        crate::contract::is_gone(&text(&pid)),
        "the step outlives its runner"
    );
}

//! What a step costs besides its own time.

use crate::support::{ran, runner, script};
use kfp::build::Builder;
use kfp::kind::{Anything, Text};
use kfp_run::RunState;
use std::time::{Duration, Instant};

const STEPS: u32 = 40;

/// The bar is 20 ms in a release; a debug build on a busy machine gets five times as much.
const BAR: Duration = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 20 });

#[test]
fn a_step_costs_little_besides_its_own_time() {
    let mut b = Builder::new("many");
    let mut step = script("step", "cat \"$1\" > \"$2\" 2> /dev/null; printf x > \"$3\"");
    let data = step.input_artifact::<Anything>("data");
    step.arg(&data);
    let out = step.output_artifact::<Anything>("out");
    step.arg(&out);
    let word = step.output::<Text>("word");
    step.arg(&word);
    let mut first = script("first", "echo rows > \"$1\"");
    let rows = first.output_artifact::<Anything>("rows");
    first.arg(&rows);
    let mut last = b.task("first", &first).add().artifact(&rows);
    for at in 0..STEPS {
        last = b
            .task(&format!("step-{at}"), &step)
            .set_artifact(&data, &last)
            .add()
            .artifact(&out);
    }
    let pipeline = b.build().unwrap();
    let place = tempfile::tempdir().unwrap();

    // The same shell, started without a runner.
    let file = |name: &str| place.path().join(name);
    std::fs::write(file("in"), "rows\n").unwrap();
    let start = Instant::now();
    for _ in 0..STEPS {
        let mut shell = std::process::Command::new("sh");
        shell.args([
            "-c",
            "cat \"$1\" > \"$2\" 2> /dev/null; printf x > \"$3\"",
            "step",
        ]);
        let status = shell
            .args([file("in"), file("out"), file("word")])
            .status()
            .unwrap();
        assert!(status.success());
    }
    let bare = start.elapsed() / STEPS;

    let start = Instant::now();
    ran(&runner(pipeline, &place.path().join("run")), RunState::Succeeded);
    let each = start.elapsed() / (STEPS + 1);
    println!(
        "a step alone {bare:?}, in a run {each:?}: {:?} besides",
        each.saturating_sub(bare)
    );
    assert!(
        each.saturating_sub(bare) <= BAR,
        "{each:?} for each step, {bare:?} without a runner"
    );
}

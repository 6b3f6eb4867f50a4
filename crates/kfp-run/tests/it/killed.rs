//! `kill -9` of the runner at any point, and what becomes of the run.

use crate::support::{PROGRAM, script, text};
use kfp::Pipeline;
use kfp::build::Builder;
use kfp::kind::{Anything, Boolean, Integer, Text};
use kfp_run::{Record, RunState, StepState};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const POINTS: u32 = 50;

/// Steps in a row, a loop, a condition and an exit task; each keeps a line in `effects` as its last act.
fn pipeline(effects: &Path) -> Pipeline {
    let act = |text: &str| format!("{text}; echo $0 \"$1\" >> {}", effects.display());
    let mut b = Builder::new("killed");
    let guarded = b.group("work", |b| {
        let mut make = script("make", &act("echo rows > \"$2\"; echo true > \"$3\""));
        make.arg("all");
        let data = make.output_artifact::<Anything>("data");
        make.arg(&data);
        let good = make.output::<Boolean>("good");
        make.arg(&good);
        let made = b.task("make", &make).add();
        let mut part = script(
            "part",
            &act("cat \"$2\" > \"$3\"; echo $1 >> \"$3\"; printf %s \"$1\" | wc -c > \"$4\""),
        );
        let item = part.input::<Text>("item");
        part.arg(&item);
        let rows = part.input_artifact::<Anything>("rows");
        part.arg(&rows);
        let out = part.output_artifact::<Anything>("out");
        part.arg(&out);
        let size = part.output::<Integer>("size");
        part.arg(&size);
        let items = ["a", "bb", "ccc", "dddd"].map(str::to_owned);
        let parts = b.each::<Text, _>("parts", items, None, |b, word| {
            let task = b.task("part", &part).set(&item, &word);
            task.set_artifact(&rows, &made.artifact(&data)).add();
        });
        b.when("if-good", &made.output(&good).equals(true), |b| {
            let mut last = script("last", &act("true"));
            last.arg("one");
            b.task("last", &last).add();
        });
        let mut join = script("join", &act("true"));
        join.arg("all");
        b.task("join", &join).after(&parts.task).add();
    });
    let mut end = script("end", &act("true"));
    end.arg("x");
    b.task("end", &end).finally(&guarded.task).add();
    b.build().unwrap_or_else(|problems| panic!("{problems}"))
}

fn begun(place: &Path, resume: bool) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args(["--host", "--run-id", "run-7", "--parallel", "2", "--dir"]);
    command.arg(place.join("run"));
    match resume {
        true => command.arg("--resume"),
        false => command.arg(place.join("pipeline.yaml")),
    };
    command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finished(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// How it ended, by step: the run's state, parameters and digests.
fn end(place: &Path) -> (RunState, BTreeMap<String, (StepState, String)>) {
    let record = Record::read(&place.join("run")).unwrap().unwrap();
    let steps = record.steps.into_iter().map(|(path, step)| {
        let digests: Vec<_> = step
            .outputs
            .artifacts
            .values()
            .flatten()
            .map(|saved| saved.digest.clone())
            .collect();
        (
            path,
            (step.state, format!("{:?} {digests:?}", step.outputs.parameters)),
        )
    });
    (record.state, steps.collect())
}

fn lines(effects: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(effects).unwrap_or_default().lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

/// The line that the step writes.
fn line(path: &str) -> String {
    let items = ["a", "bb", "ccc", "dddd"];
    match path.rsplit('/').next().unwrap_or_default() {
        "part" => {
            let at: usize = path[path.find('[').unwrap() + 1..path.find(']').unwrap()]
                .parse()
                .unwrap();
            format!("part {}", items[at])
        }
        "last" => "last one".to_owned(),
        "end" => "end x".to_owned(),
        name => format!("{name} all"),
    }
}

#[test]
fn a_run_that_is_killed_anywhere_comes_to_the_same_end() {
    let first = tempfile::tempdir().unwrap();
    let write = |place: &Path| {
        let text = pipeline(&place.join("effects")).emit().unwrap().text;
        std::fs::write(place.join("pipeline.yaml"), text).unwrap();
    };
    write(first.path());
    let start = Instant::now();
    finished(begun(first.path(), false));
    let mut whole = start.elapsed();
    let expected = end(first.path());
    assert_eq!(
        (expected.0, expected.1.len()),
        (RunState::Succeeded, 8),
        "{expected:?}"
    );
    assert_eq!(lines(&first.path().join("effects")).len(), 8);

    // Any points do; a failure says which.
    let seed = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .subsec_nanos();
    let mut chance = u64::from(seed) | 1;
    let (mut cut, mut kept, mut tries) = (0, 0, 0);
    while cut < POINTS {
        tries += 1;
        assert!(tries < 5 * POINTS, "{cut} of {tries} runs were cut off");
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let within = f64::from((chance >> 33) as u32) / f64::from(1_u32 << 31);
        let share = (f64::from(cut) + within) / f64::from(POINTS);
        let place = tempfile::tempdir().unwrap();
        write(place.path());
        let effects = place.path().join("effects");
        let mut child = begun(place.path(), false);
        std::thread::sleep(whole.mul_f64(share));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            // It was quicker than the first one.
            whole = whole.mul_f64(0.9);
        } else {
            cut += 1;
        }
        let Some(record) = Record::read(&place.path().join("run")).unwrap() else {
            // It had not begun: there is nothing to go on with.
            finished(begun(place.path(), false));
            assert_eq!(end(place.path()), expected, "killed at {share}");
            continue;
        };
        let before = lines(&effects);
        finished(begun(place.path(), true));
        assert_eq!(end(place.path()), expected, "killed at {share}");
        let after = lines(&effects);
        assert_eq!(after.len(), 8, "killed at {share}: {after:?}");
        for (path, step) in record.steps {
            if step.state == StepState::Succeeded {
                kept += 1;
                let line = line(&path);
                assert_eq!(
                    after[&line], before[&line],
                    "killed at {share}: {path} acted again"
                );
            }
        }
    }
    println!("{POINTS} kills within {whole:?}, {tries} tries; {kept} steps were done and stayed so");
    assert!(text(first.path().join("run/run.json")).ends_with("}\n"));
}

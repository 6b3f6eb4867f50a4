//! A YAML 1.1 reader that is not ours (PyYAML) gets the same strings.

use crate::{
    common::{oracle, release, skipped},
    text::nasty,
};
use gitops::Release;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use std::{
    io::Write,
    process::{Command, Stdio},
};

const READER: &str = r#"
import json, sys, yaml
out = []
for text in json.load(sys.stdin):
    file = yaml.safe_load(text)
    patch = yaml.safe_load(file["patches"][0]["patch"])
    out.append([file["images"][0], patch["spec"]["template"]["metadata"]["annotations"]])
json.dump(out, sys.stdout)
"#;

#[test]
fn a_yaml_1_1_reader_gets_the_same_strings() {
    let Some(python) = oracle("python") else {
        return skipped("a_yaml_1_1_reader_gets_the_same_strings", "no oracle environment");
    };
    let mut runner = TestRunner::deterministic();
    let mut draw = || nasty().new_tree(&mut runner).unwrap().current();
    let releases: Vec<_> = (1..400)
        .map(|version| Release {
            new_name: draw(),
            run_id: draw(),
            code_commit: draw(),
            ..release(version)
        })
        .collect();
    let texts: Vec<_> = releases
        .iter()
        .map(|release| release.to_yaml().unwrap())
        .collect();
    let mut process = Command::new(python)
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process
        .stdin
        .take()
        .unwrap()
        .write_all(serde_json::to_string(&texts).unwrap().as_bytes())
        .unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    let read: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read.len(), releases.len());
    for (release, read) in releases.iter().zip(&read) {
        assert_eq!(read[0]["newName"], release.new_name);
        assert_eq!(read[1]["driftless.dev/run-id"], release.run_id);
        assert_eq!(read[1]["driftless.dev/git-commit"], release.code_commit);
        assert_eq!(
            read[1]["driftless.dev/model-version"],
            release.model_version.to_string()
        );
    }
}

//! Whole pipelines, the references and those of the Python SDK, as real processes: what ran, and what it left.

use crate::support::{ran, resumed, runner, text, with};
use kfp::Pipeline;
use kfp::kind::Kind;
use kfp_run::{Outputs, Record, RunState};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const RETRAIN: &str = include_str!("../../../kfp/tests/data/vendor/reference-pipeline.yaml");
const SHAPES: &str = include_str!("../../../kfp/tests/data/vendor/reference-shapes.yaml");

/// Digests and metadata.
type Kept = Vec<(String, Map<String, Value>)>;

/// What a run came to, without its times and places.
#[derive(Serialize)]
pub struct Came {
    state: RunState,
    outputs: BTreeMap<String, Value>,
    steps: BTreeMap<String, Left>,
}

#[derive(Serialize)]
struct Left {
    parameters: BTreeMap<String, Value>,
    artifacts: BTreeMap<String, Kept>,
    said: Vec<String>,
}

pub fn came(record: &Record, folder: &Path) -> Came {
    let place = folder.canonicalize().unwrap().display().to_string();
    let plain = |value: &Value| -> Value {
        let text = value
            .to_string()
            .replace(&place, "RUN")
            .replace(&record.run_name, "NAME");
        serde_json::from_str(&text.replace(&created(record), "CREATED")).unwrap()
    };
    let artifacts = |outputs: &Outputs| {
        let one = |(name, all): (&String, &Vec<kfp_run::Saved>)| {
            let all = all
                .iter()
                .map(|saved| (saved.digest.clone(), saved.metadata.clone()));
            (name.clone(), all.collect())
        };
        outputs.artifacts.iter().map(one).collect()
    };
    let parameters = |outputs: &Outputs| {
        let all = outputs.parameters.iter();
        all.map(|(name, value)| (name.clone(), plain(value))).collect()
    };
    let step = |(path, step): (&String, &kfp_run::StepRecord)| {
        // The log is whole; in the record long lines are cut.
        let log = text(folder.join(&step.attempts.last().unwrap().log));
        let said = log.lines().map(|line| {
            let line = plain(&json!(line));
            let line = line.as_str().unwrap_or_default();
            line.split(" {\"inputs\"").next().unwrap_or_default().to_owned()
        });
        let left = Left {
            parameters: parameters(&step.outputs),
            artifacts: artifacts(&step.outputs),
            said: said.collect(),
        };
        (path.clone(), left)
    };
    Came {
        state: record.state,
        outputs: parameters(&record.outputs),
        steps: record.steps.iter().map(step).collect(),
    }
}

fn created(record: &Record) -> String {
    contract::time::utc(record.created_ms)
}

fn given(pipeline: &Pipeline) -> Value {
    let required = pipeline
        .face
        .parameters
        .iter()
        .filter(|(_, input)| !input.optional);
    let value = |kind| match kind {
        Kind::Integer => json!(3),
        Kind::Double => json!(0.25),
        Kind::Boolean => json!(true),
        Kind::List => json!(["x", "y"]),
        Kind::Struct => json!({"k": "v"}),
        Kind::Text | Kind::FinalStatus => json!("go"),
    };
    let all: Map<String, Value> = required
        .map(|(name, input)| (name.clone(), value(input.kind)))
        .collect();
    all.into()
}

fn run(pipeline: Pipeline, parameters: Value) -> Came {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    let runner = with(runner(pipeline, &folder), parameters);
    let record = ran(&runner, RunState::Succeeded);
    let (again, events) = resumed(&runner).unwrap();
    assert_eq!(
        (again, events),
        (record.clone(), vec![]),
        "what is done stays as it is"
    );
    came(&record, &folder)
}

#[test]
fn the_reference_pipeline_runs() {
    let pipeline = || Pipeline::read(RETRAIN).unwrap();
    insta::assert_yaml_snapshot!("retrain", run(pipeline(), json!({"seed": 7})));
    let refused = run(pipeline(), json!({"min_accuracy": 0.99}));
    let paths: Vec<&String> = refused.steps.keys().collect();
    assert_eq!(paths, ["load-data", "train", "validate"]);
}

#[test]
fn the_reference_shapes_run() {
    let place = tempfile::tempdir().unwrap();
    let mut runner = runner(Pipeline::read(SHAPES).unwrap(), &place.path().join("run"));
    let error = runner.start(&mut |_| {}).unwrap_err();
    assert_eq!(error.id(), "object-missing");
    for object in runner.pipeline.components.values() {
        let kfp::model::Body::Container(container) = &object.body else {
            continue;
        };
        let pod = &container.kubernetes;
        let names = pod.claims.iter().map(|claim| &claim.object);
        for name in names.chain(pod.secret_volumes.iter().map(|volume| &volume.object)) {
            let kfp::kubernetes::Named::Constant(name) = name else {
                panic!("{name:?}")
            };
            runner.given.volumes.insert(name.clone(), place.path().to_owned());
        }
    }
    let record = ran(&runner, RunState::Succeeded);
    insta::assert_yaml_snapshot!("shapes", came(&record, &runner.folder));
}

#[test]
fn pipelines_of_the_sdk_run() {
    let Some(python) = python("pipelines_of_the_sdk_run") else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kfp/tests/python/sdk_pipelines.py");
    let output = Command::new(python).arg(script).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut all = BTreeMap::new();
    for (name, text) in said["read"].as_object().unwrap() {
        let pipeline = Pipeline::read(text.as_str().unwrap()).unwrap();
        let parameters = given(&pipeline);
        if name == "on-kubernetes" {
            let place = tempfile::tempdir().unwrap();
            let error = runner(pipeline, &place.path().join("run"))
                .start(&mut |_| {})
                .unwrap_err();
            assert_eq!(error.id(), "object-missing", "{error}");
            continue;
        }
        all.insert(name.clone(), run(pipeline, parameters));
    }
    assert!(all.len() >= 20, "{}", all.len());
    insta::assert_yaml_snapshot!("sdk", all);
}

/// The pinned Python with `kfp`; `None`, with a line saying so, where it is missing and not demanded.
fn python(test: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/kfp/bin/python");
    let python = std::env::var_os("DRIFTLESS_KFP_PYTHON").map_or(default, PathBuf::from);
    if python.exists() {
        return Some(python);
    }
    let strict = std::env::var_os("DRIFTLESS_STRICT").is_some_and(|strict| strict == "1");
    assert!(
        !strict,
        "{test}: no environment with the SDK at {}",
        python.display()
    );
    eprintln!("SKIPPED {test}: no environment with the kfp SDK; run cargo xtask test");
    None
}

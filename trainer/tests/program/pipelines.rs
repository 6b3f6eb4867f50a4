//! The retrain's definition, run on this machine with this program as every step.

use crate::support::registry::Registry;
use crate::support::world::{IRIS, World};
use contract::names::{ALIAS_CHAMPION, exit};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// `pipeline run` with this world's places as parameters.
fn arguments(world: &World, run_dir: &str, more: &[&str]) -> Vec<String> {
    let run_dir = world.path(run_dir).display().to_string();
    let mut all: Vec<String> = ["pipeline", "run", "--run-dir", &run_dir]
        .map(str::to_owned)
        .into();
    for (name, variable) in [
        ("data", "DATA"),
        ("git_url", "GIT_URL"),
        ("image_repository", "IMAGE_REPOSITORY"),
        ("mlflow_uri", "MLFLOW_TRACKING_URI"),
        ("model_name", "MODEL_NAME"),
        ("code_commit", "CODE_COMMIT"),
    ] {
        all.extend([
            "--param".to_owned(),
            format!("{name}={}", world.variable(variable)),
        ]);
    }
    all.extend(["--param".to_owned(), "environment=local".to_owned()]);
    all.extend(more.iter().map(|&word| word.to_owned()));
    all
}

/// The same retrain by the pipeline and by `run`: the same model, promoted by each.
pub fn by_pipeline(world: &World) {
    let registry = Registry::of(world);
    let run = |run_dir: &str, more: &[&str]| {
        let all = arguments(world, run_dir, more);
        world.trainer(&all.iter().map(String::as_str).collect::<Vec<_>>(), &[])
    };
    let result = run("refused", &["--param", "min_accuracy=1.5"])
        .expect(exit::REFUSED)
        .json();
    assert_eq!(
        (&result["status"], &result["passed"]),
        (&"refused".into(), &false.into())
    );
    assert_eq!(world.subjects().len(), 1);

    let result = run("one", &[]).expect(0).json();
    assert_eq!(result["status"], "done");
    assert_eq!(result["steps"].as_object().unwrap().len(), 5, "{result}");
    assert_eq!(result["commit"], world.head());
    assert_eq!(
        (world.subjects().len(), registry.alias(ALIAS_CHAMPION)),
        (2, Some(1))
    );
    let again = run("one", &["--resume"]).expect(0);
    assert_eq!(again.json(), result, "what is done is not done again");
    assert_eq!(world.subjects().len(), 2);

    // The same data has nothing new to say: no step after the first.
    let known = run("two", &[]).expect(exit::NOTHING_NEW).json();
    assert_eq!(known["steps"].as_object().unwrap().len(), 1, "{known}");
    assert_eq!(world.subjects().len(), 2);

    // As the page has it, in another folder; with the same data there is nothing to do.
    let page = include_str!("../../../docs/pipelines.md");
    let commands = page.lines().filter_map(|line| line.strip_prefix("$ trainer "));
    let mut commands = commands.map(|line| line.split(' ').map(|word| word.to_owned()).collect::<Vec<_>>());
    let mut first = commands.next().unwrap();
    for word in &mut first {
        for variable in ["GIT_URL", "IMAGE_REPOSITORY", "MLFLOW_TRACKING_URI", "DATA"] {
            if let Some(flag) = word.strip_suffix(&format!("={variable}")) {
                *word = format!("{flag}={}", world.variable(variable));
            }
        }
    }
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    world.trainer(&first, &[]).expect(exit::NOTHING_NEW);
    let second = commands.next().unwrap();
    let second: Vec<&str> = second.iter().map(String::as_str).collect();
    world.trainer(&second, &[]).expect(exit::NOTHING_NEW);

    let whole = world.trainer(&["run", "--force"], &[]).expect(0).json();
    assert!(result["model_digest"].is_string());
    assert_eq!(result["model_digest"], whole["model_digest"]);
}

/// Without MLflow the steps before `register` run; the model is that of `train` with the same parameters.
#[test]
fn the_model_is_the_same_by_pipeline_and_by_step() {
    // Nobody listens there.
    let world = World::new("http://127.0.0.1:9");
    world.add("batch-0001.csv", IRIS);
    let said = world
        .trainer(&["pipeline", "run", "--run-dir", "none"], &[])
        .expect(2);
    assert!(
        said.stderr
            .contains("parameter git_url: is required; expected STRING"),
        "{}",
        said.stderr
    );
    assert!(!world.path("none").exists());

    let mut pipeline = Command::new(env!("CARGO_BIN_EXE_trainer"));
    pipeline.args(arguments(&world, "run", &["--param", "seed=7"]));
    let mut pipeline = pipeline
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    let record = loop {
        let record = std::fs::read(world.path("run/run.json")).unwrap_or_default();
        let record: Value = serde_json::from_slice(&record).unwrap_or_default();
        if record["steps"]["register"].is_object() {
            break record;
        }
        assert!(Instant::now() < deadline, "{record:#}");
        std::thread::sleep(Duration::from_millis(20));
    };
    pipeline.kill().unwrap();
    pipeline.wait().unwrap();
    assert_eq!(
        record["steps"]["validate"]["outputs"]["parameters"]["passed"],
        true
    );
    let metrics = &record["steps"]["train"]["outputs"]["artifacts"]["metrics"][0]["metadata"];
    assert!(metrics["accuracy"].as_f64().unwrap() > 0.8, "{metrics}");
    let model = record["steps"]["train"]["outputs"]["artifacts"]["model"][0]["path"].as_str();
    let left = world.path("run").join(model.unwrap()).join("train.json");
    let by_pipeline: Value = serde_json::from_slice(&std::fs::read(left).unwrap()).unwrap();

    let by_step = world
        .trainer(&["train", "--out", "out", "--seed", "7"], &[])
        .expect(0)
        .json();
    assert!(by_step["model_digest"].is_string());
    assert_eq!(by_pipeline["model_digest"], by_step["model_digest"]);
}

//! Runs without processes: what starts when, with which command line, and how it ends.

use crate::{generate, python, reference};
use kfp::Pipeline;
use kfp::kind::Kind;
use kfp::run::{Artifact, End, Facts, Launch, Left, Places, Run, State, parse, shown};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn facts() -> Facts {
    Facts {
        run_id: "run-7".to_owned(),
        run_name: "a run".to_owned(),
        created: "2026-11-22T10:00:00Z".to_owned(),
    }
}

fn started(pipeline: Pipeline, given: &Value) -> Run {
    let given = given
        .as_object()
        .expect("an object")
        .clone()
        .into_iter()
        .collect();
    Run::new(pipeline, given, facts()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn places(launch: &Launch) -> Places {
    let files = launch
        .face
        .results
        .keys()
        .map(|name| (name.clone(), format!("/out/{name}")));
    let products = launch.face.products.keys();
    let places = products.map(|name| (name.clone(), (format!("/data/{name}"), format!("s3://b/{name}"))));
    Places {
        files: files.collect(),
        artifacts: places.collect(),
        executor_output: "/out/executor_output.json".to_owned(),
    }
}

/// A step that leaves something of each type.
fn left(launch: &Launch) -> Left {
    let value = |kind| match kind {
        Kind::Integer => json!(7),
        Kind::Double => json!(0.5),
        Kind::Boolean => json!(true),
        Kind::List => json!(["a", "b"]),
        Kind::Struct => json!({"a": 1}),
        Kind::Text | Kind::FinalStatus => json!(format!("of {}", launch.path)),
    };
    let artifact = |name: &str, title: &str| Artifact {
        path: format!("/data/{}/{name}", launch.path),
        uri: format!("s3://b/{}/{name}", launch.path),
        digest: format!("sha256:{name}"),
        title: title.to_owned(),
        ..Artifact::default()
    };
    let products = launch.face.products.iter();
    Left {
        parameters: launch
            .face
            .results
            .iter()
            .map(|(name, one)| (name.clone(), value(one.kind)))
            .collect(),
        artifacts: products
            .map(|(name, one)| (name.clone(), vec![artifact(name, &one.kind.title)]))
            .collect(),
    }
}

/// Ends every step as `end` says until nothing can start; the steps in the order in which they could.
fn driven(run: &mut Run, end: &dyn Fn(&Launch) -> End) -> (Vec<(String, Vec<String>)>, State) {
    let mut seen = Vec::new();
    loop {
        let (launches, state) = run.look();
        let Some(launch) = launches.first() else {
            return (seen, state);
        };
        let words = launch
            .command(&places(launch))
            .unwrap_or_else(|why| panic!("{why}"));
        seen.push((launch.path.clone(), words));
        run.end(&launch.path, end(launch));
        assert!(seen.len() < 20_000, "does not end");
    }
}

fn all_well(launch: &Launch) -> End {
    End::Succeeded(left(launch))
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
    required
        .map(|(name, input)| (name.clone(), value(input.kind)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_and_goes_on_where_it_was_cut_off(
        pipeline in generate::pipelines(),
        cut in any::<prop::sample::Index>(),
        fails in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let parameters = given(&pipeline);
        let mut whole = started(pipeline.clone(), &parameters);
        let (steps, _) = driven(&mut whole.clone(), &all_well);
        // All of them may be skipped.
        let failing = fails.filter(|_| !steps.is_empty()).map(|at| steps[at.index(steps.len())].0.clone());
        let end = |launch: &Launch| match &failing {
            Some(path) if *path == launch.path => End::Failed("as asked".to_owned()),
            _ => all_well(launch),
        };
        let (steps, state) = driven(&mut whole, &end);
        let paths: BTreeSet<&String> = steps.iter().map(|(path, _)| path).collect();
        prop_assert_eq!(paths.len(), steps.len(), "a step ran twice");
        match (&failing, &state) {
            (None, State::Succeeded(_)) => {}
            (Some(path), State::Failed(failures)) => prop_assert!(failures.iter().any(|(at, _)| at == path)),
            other => prop_assert!(false, "{:?}", other),
        }
        // Only the first steps are known when it goes on.
        let cut = cut.index(steps.len() + 1);
        let mut again = started(pipeline, &parameters);
        for (path, _) in &steps[..cut] {
            again.end(path, whole.ended()[path].clone());
        }
        let (rest, same) = driven(&mut again, &end);
        prop_assert_eq!(&steps[cut..], &rest[..]);
        prop_assert_eq!(same, state);
    }
}

fn paths(steps: &[(String, Vec<String>)]) -> Vec<&str> {
    steps.iter().map(|(path, _)| path.as_str()).collect()
}

#[test]
fn the_reference_pipeline_runs() {
    let mut run = started(reference::retrain(), &json!({"seed": 7}));
    let (steps, state) = driven(&mut run, &all_well);
    let order = [
        "load-data",
        "train",
        "validate",
        "validation-passed/register",
        "validation-passed/deploy",
    ];
    assert_eq!(paths(&steps), order);
    let State::Succeeded(all) = state else {
        panic!("{state:?}")
    };
    assert_eq!(all.parameters["Output"], json!("of train"));
    insta::assert_yaml_snapshot!(steps.iter().map(|(_, words)| words).collect::<Vec<_>>());

    let mut refused = started(reference::retrain(), &json!({}));
    let end = |launch: &Launch| {
        let mut left = left(launch);
        left.parameters
            .entry("passed".to_owned())
            .and_modify(|passed| *passed = json!(false));
        End::Succeeded(left)
    };
    let (steps, state) = driven(&mut refused, &end);
    assert_eq!(paths(&steps), ["load-data", "train", "validate"]);
    assert!(matches!(state, State::Succeeded(_)), "{state:?}");
}

#[test]
fn the_reference_shapes_run() {
    let pipeline = || Pipeline::read(include_str!("../data/vendor/reference-shapes.yaml")).expect("is right");
    let mut run = started(pipeline(), &json!({}));
    let (steps, state) = driven(&mut run, &all_well);
    let expected = [
        "exit-handler-1/load-data",
        "exit-handler-1/condition-branches-4/condition-6/notify-3",
        "exit-handler-1/for-loop-3[0]/train",
        "exit-handler-1/for-loop-3[1]/train",
        "notify",
    ];
    assert_eq!(paths(&steps), expected);
    assert_eq!(steps[3].1[7], "{\"max_depth\":3}");
    assert!(matches!(state, State::Succeeded(_)), "{state:?}");

    // One item at a time, and the exit task also after a failure.
    let mut failing = started(pipeline(), &json!({}));
    let end = |launch: &Launch| match launch.path.as_str() {
        "exit-handler-1/for-loop-3[0]/train" => End::Failed("out of memory".to_owned()),
        _ => all_well(launch),
    };
    let (launches, _) = failing.look();
    assert_eq!(launches.len(), 1);
    failing.end("exit-handler-1/load-data", all_well(&launches[0]));
    let (launches, _) = failing.look();
    let now: Vec<&str> = launches.iter().map(|launch| launch.path.as_str()).collect();
    assert_eq!(now, [expected[1], expected[2]]);
    let (steps, state) = driven(&mut failing, &end);
    assert_eq!(paths(&steps).last(), Some(&"notify"));
    let failures = vec![(
        "exit-handler-1/for-loop-3[0]/train".to_owned(),
        "out of memory".to_owned(),
    )];
    assert_eq!(state, State::Failed(failures));
}

#[test]
fn pipelines_of_the_sdk_run() {
    let Some(python) = python::kfp("pipelines_of_the_sdk_run") else {
        return;
    };
    let said = python::run(&python, "sdk_pipelines.py", &Value::Null);
    let mut ran = BTreeMap::new();
    for (name, text) in said["read"].as_object().expect("an object") {
        let pipeline = Pipeline::read(text.as_str().expect("text")).expect(name);
        let parameters = given(&pipeline);
        let mut run = started(pipeline, &parameters);
        let (steps, state) = driven(&mut run, &all_well);
        assert!(matches!(state, State::Succeeded(_)), "{name}: {state:?}");
        let words: Vec<String> = steps
            .iter()
            .map(|(path, words)| format!("{path}: {}", words.join(" ")))
            .collect();
        ran.insert(name.clone(), words);
    }
    insta::assert_yaml_snapshot!(ran);
}

#[test]
fn parameters_of_a_run_are_checked() {
    for (given, expected) in [
        (
            json!({"seed": "7"}),
            "run of iris-retrain: parameter seed: expects NUMBER_INTEGER, is given \"7\"",
        ),
        (
            json!({"seed": 1.5}),
            "parameter seed: expects NUMBER_INTEGER, is given 1.5",
        ),
        (
            json!({"nope": 1}),
            "parameter nope: is unknown; expected one of dataset_ref, experiment_name",
        ),
        (
            json!({"hyper_params": [1]}),
            "parameter hyper_params: expects STRUCT, is given [1]",
        ),
        (
            json!({"git_repo": "{{workflow.name}}"}),
            "has {{, which the workflow engine would replace",
        ),
    ] {
        let given = given
            .as_object()
            .expect("an object")
            .clone()
            .into_iter()
            .collect();
        let problems = kfp::run::parameters(&reference::retrain(), given)
            .expect_err(expected)
            .to_string();
        assert!(problems.contains(expected), "{problems}");
    }
    // As the server takes them: a whole number may be written as a double.
    let given = BTreeMap::from([("seed".to_owned(), json!(7.0))]);
    assert_eq!(
        kfp::run::parameters(&reference::retrain(), given).expect("is right")["seed"],
        json!(7)
    );
}

#[test]
fn values_are_text_as_the_launcher_has_it() {
    for (value, text) in [
        (json!(1e-7), "1e-07"),
        (json!(12_345_678_901_i64), "12345678901"),
        (json!(0.0001), "0.0001"),
        (json!(0.00001), "1e-05"),
        (json!(1e21), "1e+21"),
        (json!(0.5), "0.5"),
        (json!(true), "true"),
        (json!([1, "a", 2.5]), "[1,\"a\",2.5]"),
        (json!({"b": 1, "a": {}}), "{\"a\":{},\"b\":1}"),
        (json!("  sp  "), "  sp  "),
    ] {
        assert_eq!(shown(&value), text);
    }
    for (kind, text, value) in [
        (Kind::Text, "line\n", json!("line\n")),
        (Kind::Boolean, "True\n", json!(true)),
        (Kind::Boolean, "0", json!(false)),
        (Kind::Double, "0.50\n", json!(0.5)),
        (Kind::Integer, " 42\n", json!(42)),
        (Kind::Struct, "{\"a\": 1.0}", json!({"a": 1})),
    ] {
        assert_eq!(parse(kind, text), Ok(value));
    }
    for (kind, text) in [
        (Kind::Integer, "42.5"),
        (Kind::Boolean, "yes"),
        (Kind::Double, "many"),
        (Kind::List, "{}"),
        (Kind::Struct, "a"),
    ] {
        assert!(parse(kind, text).is_err(), "{text}");
    }
}

#[test]
fn results_are_known_again_by_content() {
    let run = started(reference::retrain(), &json!({}));
    let (launches, _) = run.look();
    let load = &launches[0];
    let key = load.cache_key("iris-retrain", "sha256:1").expect("is cached");
    assert_eq!(load.cache_key("iris-retrain", "sha256:1").as_ref(), Some(&key));
    assert_ne!(load.cache_key("iris-retrain", "sha256:2").as_ref(), Some(&key));
    assert_ne!(load.cache_key("other", "sha256:1").as_ref(), Some(&key));
    let mut other = load.clone();
    other.parameters.insert("seed".to_owned(), json!(8));
    assert_ne!(other.cache_key("iris-retrain", "sha256:1").as_ref(), Some(&key));
    other.cache = kfp::model::Cache::Off;
    assert_eq!(other.cache_key("iris-retrain", "sha256:1"), None);
}

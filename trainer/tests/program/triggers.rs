//! `trigger` with an API and an engine that are played: texts, verdicts, the breaker.

use crate::edges::nowhere;
use crate::support::registry::Registry;
use crate::support::world::World;
use contract::names::exit;
use serde_json::{Value, json};

const MODEL: &str = "sha256:7f3a2c1b00000000000000000000000000000000000000000000000000000000";

fn drifting(number: u64, opened_at_ms: u64) -> Value {
    json!({"drift_detected": true, "samples": 100, "threshold": 0.05, "features": {}, "model": MODEL,
        "episode": {"number": number, "opened_at_ms": opened_at_ms, "since_rows": 170, "open": true,
            "movements": ["petal length is 0.9 higher than in training"]}})
}

fn trigger(world: &World, more: &[&str]) -> crate::support::program::Said {
    world.trainer(&[&["trigger"], more].concat(), &[("API_URL", &world.api())])
}

#[test]
fn an_api_that_asks_for_keys_is_shown_one() {
    let world = World::new(&nowhere());
    world.set_drift_status(drifting(1, 1_763_740_800_000));
    world.set_key("ops-key-of-sixteen");
    let said = trigger(&world, &[]).expect(1);
    let expected = "401 Unauthorized: expected --api-key-file (API_KEY_FILE) with one of its keys";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
    let file = std::path::PathBuf::from(world.variable("WORK_DIR")).with_file_name("key");
    std::fs::write(&file, "ops-key-of-sixteen\n").unwrap();
    let said = trigger(&world, &["--api-key-file", file.to_str().unwrap()]).expect(0);
    assert_eq!(said.json()["verdict"], "start");
    assert!(!said.stderr.contains("ops-key"), "{}", said.stderr);
    std::fs::write(&file, "\n").unwrap();
    let said = trigger(&world, &["--api-key-file", file.to_str().unwrap()]).expect(2);
    assert!(
        said.stderr.contains("expected one line of printable ASCII"),
        "{}",
        said.stderr
    );
}

#[test]
fn trigger_says_what_the_source_documents_say() {
    let world = World::new(&nowhere());
    let api = world.api();
    world.set_drift(false);
    let said = trigger(&world, &[]).expect(0);
    insta::assert_snapshot!(said.stderr, @r"
    Checking drift status...
    trainer trigger: No drift detected. Skipping retrain.
    ");
    assert_eq!(said.json()["status"], "skipped");
    assert!(world.started_runs().is_empty());

    world.set_drift_status(drifting(1, 1_763_740_800_000));
    let said = world.trainer(&["trigger", "--api-url", &api], &[]).expect(0);
    insta::assert_snapshot!(said.stderr, @r"
    Checking drift status...
    Drift detected! Triggering retrain pipeline...
    trainer trigger: Pipeline run created: training-7f3a2c1b-e1-t63340
    ");
    let text = "Pipeline run created: training-7f3a2c1b-e1-t63340";
    let expected = json!({"step": "trigger", "status": "done", "drift_detected": true, "reason": "drift",
        "verdict": "start", "run_id": "training-7f3a2c1b-e1-t63340", "template": "training", "model": MODEL,
        "episode": 1, "message": text});
    assert_eq!(said.json(), expected);
    let started = world.started_runs();
    let env = json!({"MODEL_NAME": world.variable("MODEL_NAME"), "MLFLOW_TRACKING_URI": world.mlflow,
        "RUN_NONCE": "training-7f3a2c1b-e1-t63340", "TRIGGER_REASON": "drift", "DRIFT_EPISODE": "1",
        "DRIFT_MODEL": MODEL, "DRIFT_FEATURES": "petal length is 0.9 higher than in training"});
    let name = "training-7f3a2c1b-e1-t63340";
    assert_eq!(
        started,
        [json!({"template": "training", "name": name, "args": [], "env": env})]
    );

    // It is not over: neither drift nor a person starts another one.
    for args in [&[][..], &["--force"]] {
        let said = trigger(&world, args).expect(0);
        assert!(
            said.stderr
                .ends_with("A retrain runs already: training-7f3a2c1b-e1-t63340\n"),
            "{}",
            said.stderr
        );
        assert_eq!(said.json()["status"], "already");
    }
    world.end_run(
        12,
        &json!({"reasons": ["accuracy 0.4 is below 0.9"], "run_id": "r1"}),
    );
    let said = world
        .trainer(&["trigger", "--force", "--api-url", &nowhere()], &[])
        .expect(0);
    let lines: Vec<&str> = said.stderr.lines().collect();
    assert_eq!(lines[0], "Force trigger enabled, skipping drift check");
    assert!(
        lines[1].starts_with("trainer trigger: Pipeline run created: training-forced-"),
        "{lines:?}"
    );
    assert_eq!(world.started_runs()[1]["args"], json!(["--force"]));

    let said = world
        .trainer(&["trigger", "--api-url", &nowhere()], &[])
        .expect(1);
    assert!(
        said.stderr.contains("drift status cannot be read"),
        "{}",
        said.stderr
    );
    let said = world
        .trainer(&["trigger", "--force"], &[("DRIFTLESS_ENGINE_FILE", "/absent")])
        .expect(1);
    assert!(
        said.stderr.contains("no engine has written /absent"),
        "{}",
        said.stderr
    );
}

/// k refused candidates, and then a person.
#[test]
fn the_breaker_names_what_to_look_at() {
    let world = World::new(&nowhere());
    let metrics = world.path("metrics.prom");
    let flags = ["--cooldown", "0s", "--metrics-out", metrics.to_str().unwrap()];
    for number in 1..=3 {
        world.set_drift_status(drifting(number, 1_763_740_800_000 + number * 1000));
        assert_eq!(trigger(&world, &flags).expect(0).json()["verdict"], "start");
        let reasons = format!("accuracy 0.4{number} is below 0.9");
        world.end_run(12, &json!({"reasons": [reasons], "run_id": format!("r{number}")}));
        let said = trigger(&world, &flags).expect(0).json();
        assert_eq!(said["verdict"], "already-handled", "{said}");
    }
    world.set_drift_status(drifting(4, 1_763_740_900_000));
    let said = trigger(&world, &flags).expect(0);
    assert_eq!(said.json()["status"], "skipped");
    for part in [
        "The breaker is open: 3 retrains in a row did not help",
        "accuracy 0.43 is below 0.9 (MLflow run r3)",
        "petal length is 0.9 higher than in training",
        "data place",
        "--reset-breaker",
    ] {
        assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
    }
    let text = std::fs::read_to_string(&metrics).unwrap();
    assert!(text.contains("driftless_breaker_open 1\n"), "{text}");
    assert_eq!(world.started_runs().len(), 3);
    let said = trigger(&world, &["--reset-breaker"]).expect(0);
    insta::assert_snapshot!(said.stderr, @"trainer trigger: The breaker is closed again");
    let said = trigger(&world, &["--cooldown", "0s", "--daily-cap", "3"])
        .expect(0)
        .json();
    assert_eq!(said["verdict"], "daily-cap");
    assert_eq!(trigger(&world, &flags).expect(0).json()["verdict"], "start");
    let verdicts: Vec<_> = world.ledger()["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| decision["verdict"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        verdicts[verdicts.len() - 4..],
        ["breaker-open", "breaker-reset", "daily-cap", "start"]
    );
}

/// An API of before knows no episodes: its model is asked for.
#[test]
fn an_api_of_before_has_one_episode_for_each_model() {
    let world = World::new(&nowhere());
    world.set_drift(true);
    // Nothing is released: there is no model.
    let said = trigger(&world, &[]).expect(1);
    assert!(
        said.stderr.contains("the API's model cannot be read"),
        "{}",
        said.stderr
    );
    world.set_info(json!({"digests": {"model": MODEL}}));
    let run = trigger(&world, &[]).expect(0).json()["run_id"].clone();
    assert_eq!(run, "training-7f3a2c1b-e0-0");
    world.end_run(0, &json!({"model_digest": "sha256:new"}));
    let said = trigger(&world, &["--cooldown", "0s"]).expect(0).json();
    assert_eq!(
        (&said["verdict"], world.started_runs().len()),
        (&"already-handled".into(), 1)
    );
}

#[test]
fn wrong_flags_and_ledgers_are_named() {
    let world = World::new(&nowhere());
    world.set_drift(false);
    for (flag, value, why) in [
        ("--cooldown", "1", "expected a number with s, m, h or d behind it"),
        ("--breaker-after", "0", "0 is not in 1.."),
        ("--daily-cap", "-1", "-1 is not in 0.."),
    ] {
        let said = trigger(&world, &[&format!("{flag}={value}")]).expect(2);
        assert!(said.stderr.contains(why), "{}", said.stderr);
    }
    for (text, why) in [("{", "EOF"), (r#"{"format": 7}"#, "format 7, expected 1")] {
        world.set_ledger(text);
        let said = trigger(&world, &[]).expect(1);
        assert!(
            said.stderr.contains("trigger-ledger-unreadable: drift-ledger") && said.stderr.contains(why),
            "{}",
            said.stderr
        );
    }
}

/// The run tells its end itself, so that nobody has to find it.
#[test]
fn a_run_writes_its_end_into_the_ledger() {
    let world = World::new(&nowhere());
    world.set_drift_status(drifting(1, 1_763_740_800_000));
    trigger(&world, &[]).expect(0);
    world.add("batch-0001.csv", "a,species\nnonsense,b\n");
    let run = [
        ("RUN_NONCE", "training-7f3a2c1b-e1-t63340"),
        ("TRIGGER_REASON", "drift"),
    ];
    world.trainer(&["run"], &run).expect(exit::BAD_DATA);
    let entry = world.ledger()["entries"][0].clone();
    assert_eq!(entry["state"]["is"], "failed");
    let reason = entry["state"]["reason"].as_str().unwrap();
    assert!(reason.contains("nonsense"), "{reason}");
    // What a person runs is no trigger's.
    world.trainer(&["run"], &run[..1]).expect(exit::BAD_DATA);
    assert_eq!(world.ledger()["entries"][0], entry);
}

/// What the page tells people to type works, and the headings that errors name are there.
#[test]
fn commands_of_the_page() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/retrains.md")).unwrap();
    let mut count = 0;
    for command in page.lines().filter_map(|line| line.strip_prefix("$ trainer ")) {
        let world = World::new(&nowhere());
        world.set_drift_status(drifting(1, 1_763_740_800_000));
        let command = command.replace("http://127.0.0.1:30080", &world.api());
        let args: Vec<&str> = command.split(' ').collect();
        world.trainer(&args, &[("API_URL", &world.api())]).expect(0);
        count += 1;
    }
    assert_eq!(count, 4);
    let troubles = std::fs::read_to_string(root.join("docs/troubleshooting.md")).unwrap();
    for id in [
        "breaker-open",
        "ledger-unreadable",
        "ledger-unreachable",
        "contended",
    ] {
        assert!(troubles.contains(&format!("### trigger-{id}\n")), "{id}");
    }
}

/// From drift to the commit, with pods that die: one run in MLflow, tagged with its episode, one commit, and
/// a ledger that knows the new model.
pub fn triggered(world: &World) {
    world.set_drift_status(drifting(1, 1_763_740_800_000));
    trigger(world, &[]).expect(0);
    let told = world.started_runs()[0]["env"].clone();
    let told: Vec<(&str, &str)> = told
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    for point in ["train", "register:run", "promote:act"] {
        let killed = [&told[..], &[("DRIFTLESS_EXIT_AFTER", point)]].concat();
        assert_eq!(world.trainer(&["run"], &killed).code, None, "{point}");
        // Meanwhile the clock and the API's event ask again and again.
        let said = trigger(world, &["--cooldown", "0s"]).expect(0).json();
        assert_eq!(said["verdict"], "still-running", "{point}");
        // As in a cluster: the next pod finds an empty disk.
        std::fs::remove_dir_all(world.path("runs")).unwrap();
    }
    let result = world.trainer(&["run"], &told).expect(0).json();
    assert_eq!((world.started_runs().len(), world.subjects().len()), (1, 2));
    let run = Registry::of(world).run(result["run_id"].as_str().unwrap());
    for (tag, value) in [
        ("trigger.reason", "drift"),
        ("drift.episode", "1"),
        ("drift.model", MODEL),
        ("drift.features", "petal length is 0.9 higher than in training"),
    ] {
        assert_eq!(run.tag(&format!("driftless.dev/{tag}")), Some(value), "{tag}");
    }
    let entry = world.ledger()["entries"][0].clone();
    let promoted = json!({"is": "promoted", "model": result["model_digest"], "settled": "unknown"});
    assert_eq!(entry["state"], promoted);
    world.end_run(0, &result);
    let said = trigger(world, &["--cooldown", "0s"]).expect(0).json();
    assert_eq!(said["verdict"], "already-handled");
    // The new model has no episode: over by itself.
    world.set_drift_status(json!({"drift_detected": false, "samples": 100, "features": {},
        "model": result["model_digest"], "episode": null}));
    trigger(world, &[]).expect(0);
    assert_eq!(world.ledger()["entries"][0]["state"]["settled"], "quiet");
    assert_eq!((world.started_runs().len(), world.subjects().len()), (1, 2));
}

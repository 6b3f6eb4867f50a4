//! `trigger` and `pipeline upload` with a scripted Kubeflow Pipelines (that of kfp-client's own tests).

#[path = "../../../crates/kfp-client/tests/it/support/mod.rs"]
#[expect(dead_code, reason = "what other tests ask of it")]
mod server;

use crate::edges::nowhere;
use crate::support::program::Said;
use crate::support::world::World;
use serde_json::{Value, json};
use server::{Kfp, Reply, runs};

const MODEL: &str = "sha256:7f3a2c1b00000000000000000000000000000000000000000000000000000000";
const RETRAIN: &str = "training-7f3a2c1b-e1-t63340";
const IMAGE: &str =
    "registry.example/trainer@sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn drifting() -> World {
    let world = World::new(&nowhere());
    world.set_drift_status(
        json!({"drift_detected": true, "samples": 100, "threshold": 0.05, "features": {}, "model": MODEL,
        "episode": {"number": 1, "opened_at_ms": 1_763_740_800_000_u64, "since_rows": 170, "open": true,
            "movements": ["petal length is 0.9 higher than in {{training}}"]}}),
    );
    world
}

fn trigger(world: &World, kfp: &Kfp, more: &[&str]) -> Said {
    let env = [("API_URL", world.api()), ("KFP_HOST", kfp.address().to_owned())];
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.trainer(&[&["trigger"], more].concat(), &env)
}

/// The one run that the server has.
fn run(kfp: &Kfp) -> Value {
    let world = kfp.world();
    let [run] = &world.runs[..] else {
        panic!("{:#?}", world.runs)
    };
    run.clone()
}

#[test]
fn an_episode_is_one_run_of_the_pipeline() {
    let (world, kfp) = (drifting(), Kfp::start());
    let said = trigger(&world, &kfp, &[]).expect(0);
    let run = run(&kfp);
    let name = run["display_name"].as_str().unwrap();
    let time = name.strip_prefix("retrain_").unwrap();
    assert!(
        time.len() == 15 && time.chars().all(|c| c.is_ascii_digit() || c == '_'),
        "{name}"
    );
    let (id, address) = (run["run_id"].as_str().unwrap(), kfp.address());
    let page = format!("{address}/#/runs/details/{id}");
    assert_eq!(
        said.stderr,
        format!(
            "Checking drift status...\nDrift detected! Triggering retrain pipeline...\n\
             pipeline retrain is not there yet; uploading it to {address}\n\
             trainer trigger: Pipeline run created: {id} ({name}), {page}\n"
        )
    );
    let result = said.json();
    let told =
        ["run_id", "run_name", "address", "retrain", "pipeline", "verdict"].map(|key| result[key].clone());
    let expected = [id, name, page.as_str(), RETRAIN, "retrain", "start"];
    assert_eq!(told, expected.map(Value::from));
    assert_eq!(
        run["runtime_config"]["parameters"],
        json!({"model_name": world.variable("MODEL_NAME"), "mlflow_uri": world.mlflow, "nonce": RETRAIN,
            "ledger_run": RETRAIN, "trigger_reason": "drift", "drift_episode": "1", "drift_model": MODEL,
            // Argo would replace what is in double braces.
            "drift_features": "petal length is 0.9 higher than in { {training}}"})
    );
    assert_eq!(kfp.world().pipelines[0]["name"], "retrain");
    assert_eq!(kfp.world().experiments[0]["display_name"], "kubeflow-retrain");
    assert!(world.started_runs().is_empty(), "the engine starts nothing");
    assert_eq!(world.ledger()["entries"][0]["state"]["is"], "started");

    // While it runs, neither drift nor a person starts another one.
    for more in [&[][..], &["--force"]] {
        let said = trigger(&world, &kfp, more).expect(0);
        assert_eq!(said.json()["verdict"], "still-running", "{}", said.stderr);
    }
    // It ends, and no step has told the ledger: the trigger finds how.
    kfp.world().runs[0]["state"] = "SUCCEEDED".into();
    let steps = [
        ("load", "SUCCEEDED"),
        ("train", "SUCCEEDED"),
        ("validate", "SUCCEEDED"),
        ("register", "SKIPPED"),
    ];
    let nodes: Vec<Value> = (1..)
        .zip(steps)
        .map(|(second, (name, state))| runs::node(name, state, second, &[]))
        .collect();
    kfp.world().states = vec![runs::ended("SUCCEEDED", nodes.into())];
    let said = trigger(&world, &kfp, &[]).expect(0);
    assert_eq!(said.json()["verdict"], "already-handled", "{}", said.stderr);
    assert_eq!(world.ledger()["entries"][0]["state"]["is"], "refused");
    assert_eq!(kfp.world().runs.len(), 1);

    // A person's order is obeyed, and uploads nothing again.
    kfp.world().states.clear();
    let uploads = kfp.asked("POST", "/upload") + kfp.asked("POST", "/upload_version");
    trigger(&world, &kfp, &["--force"]).expect(0);
    assert_eq!(kfp.world().runs[1]["runtime_config"]["parameters"]["force"], true);
    assert_eq!(
        uploads,
        kfp.asked("POST", "/upload") + kfp.asked("POST", "/upload_version")
    );
}

/// In the cluster the check knows which image trains: a new one is a new version, whether its upload was seen or not.
#[test]
fn an_image_that_is_named_is_the_version_that_runs() {
    let (world, kfp) = (drifting(), Kfp::start());
    let other = IMAGE.replace("1111", "2222");
    for (runs, image) in [IMAGE, IMAGE, &other].into_iter().enumerate() {
        trigger(&world, &kfp, &["--force", "--trainer-image", image]).expect(0);
        kfp.world().runs[runs]["state"] = "SUCCEEDED".into();
    }
    let of = |run: &Value| run["pipeline_version_reference"]["pipeline_version_id"].clone();
    let versions: Vec<Value> = kfp.world().runs.iter().map(of).collect();
    assert_eq!(versions[0], versions[1]);
    assert_ne!(versions[1], versions[2]);
    assert_eq!(kfp.world().pipelines.len(), 1);
}

#[test]
fn no_drift_asks_kubeflow_for_nothing_new() {
    let (world, kfp) = (World::new(&nowhere()), Kfp::start());
    world.set_drift(false);
    let said = trigger(&world, &kfp, &[]).expect(0);
    assert!(
        said.stderr.ends_with("No drift detected. Skipping retrain.\n"),
        "{}",
        said.stderr
    );
    assert!(kfp.world().seen.iter().all(|request| request.method == "GET"));
}

#[test]
fn a_start_whose_answer_was_lost_is_found_and_not_repeated() {
    let (world, kfp) = (drifting(), Kfp::start());
    kfp.fault("POST", "/runs", true, Reply::Close);
    let said = trigger(&world, &kfp, &[]).expect(0);
    assert_eq!(said.json()["run_id"], run(&kfp)["run_id"]);
    assert_eq!(kfp.asked("POST", "/runs"), 1);
}

#[test]
fn a_start_that_nobody_knows_of_is_held_for_a_while() {
    let (world, kfp) = (drifting(), Kfp::start());
    kfp.fault("POST", "/runs", false, Reply::Close);
    let said = trigger(&world, &kfp, &[]).expect(1);
    assert!(said.stderr.contains("[kfp-start-unclear]"), "{}", said.stderr);
    let mut ledger = world.ledger();
    assert_eq!(ledger["lease"]["run"], RETRAIN);
    assert_eq!(ledger["entries"][0]["state"]["is"], "starting");
    assert!(kfp.world().runs.is_empty());
    // When its time is over another one goes on with it.
    let since = ledger["lease"]["at_ms"].as_u64().unwrap();
    ledger["lease"]["at_ms"] = (since - 100_000).into();
    world.set_ledger(&ledger.to_string());
    trigger(&world, &kfp, &[]).expect(0);
    assert_eq!(
        run(&kfp)["description"]
            .as_str()
            .unwrap()
            .split(": ")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next(),
        Some(RETRAIN)
    );
}

#[test]
fn a_server_that_is_down_is_said_before_anything_is_written() {
    let world = drifting();
    let said = world.trainer(
        &["trigger", "--kfp-host", &nowhere()],
        &[("API_URL", &world.api())],
    );
    let said = said.expect(1);
    assert!(said.stderr.contains("[kfp-unreachable]"), "{}", said.stderr);
    assert!(world.started_runs().is_empty());
    let said = world.trainer(
        &["trigger", "--kfp-host", "kfp:8888"],
        &[("API_URL", &world.api())],
    );
    let said = said.expect(1);
    assert!(said.stderr.contains("[kfp-address]"), "{}", said.stderr);
}

#[test]
fn how_a_run_failed_is_shown_by_who_waits_and_kept_in_the_ledger() {
    let (world, kfp) = (drifting(), Kfp::start());
    kfp.world().states = vec![runs::ended(
        "FAILED",
        json!([
            runs::node("load", "SUCCEEDED", 1, &["retrain-x-1"]),
            runs::node("train", "FAILED", 3, &["retrain-x-2"]),
        ]),
    )];
    let log = "I1121 11:58:31.123456      15 launcher_v2.go:171] begins\n\
        trainer train: the data has 3 rows; expected 20 at least\n\
        {\"exit_code\":10,\"reason\":\"the data has 3 rows; expected 20 at least\",\"status\":\"refused-data\",\"step\":\"train\"}\n";
    kfp.world().logs.insert("retrain-x-2".to_owned(), log.into());
    let said = trigger(&world, &kfp, &["--wait"]).expect(1);
    assert!(
        said.stderr.contains("load      SUCCEEDED\ntrain     FAILED\n"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr
            .contains("trainer train: the data has 3 rows; expected 20 at least"),
        "{}",
        said.stderr
    );
    kfp.world().runs[0]["state"] = "FAILED".into();
    trigger(&world, &kfp, &[]).expect(0);
    let state = &world.ledger()["entries"][0]["state"];
    assert_eq!(state["is"], "failed");
    assert_eq!(
        state["reason"],
        "exit code 10: the data has 3 rows; expected 20 at least"
    );
}

#[test]
fn who_waits_is_told_of_each_step() {
    let (world, kfp) = (drifting(), Kfp::start());
    let nodes = json!([
        runs::node("load", "SUCCEEDED", 1, &[]),
        runs::node("train", "SKIPPED", 3, &[]),
    ]);
    kfp.world().states = vec![runs::ended("SUCCEEDED", nodes)];
    let said = trigger(&world, &kfp, &["--wait"]).expect(0);
    assert!(
        said.stderr
            .contains("load      SUCCEEDED\ntrain     SKIPPED\nretrain_"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains(" ended SUCCEEDED after "), "{}", said.stderr);
    // Only the trigger's own result goes to stdout.
    assert_eq!(said.json()["verdict"], "start");
}

#[test]
fn the_pipeline_is_uploaded_once_for_each_place() {
    let (world, kfp) = (World::new(&nowhere()), Kfp::start());
    let upload = |more: &[(&str, &str)]| {
        let env = [&[("KFP_HOST", kfp.address()), ("TRAINER_IMAGE", IMAGE)], more].concat();
        world.trainer(&["pipeline", "upload"], &env).expect(0).json()
    };
    let first = upload(&[]);
    assert_eq!(
        (&first["pipeline"], &first["image"]),
        (&"retrain".into(), &IMAGE.into())
    );
    assert_eq!(upload(&[]), first, "the second time changes nothing");
    assert_eq!(
        kfp.asked("POST", "/upload") + kfp.asked("POST", "/upload_version"),
        2
    );
    let other = upload(&[("BASE_IMAGE", "inference-api:other")]);
    assert_eq!(other["pipeline_id"], first["pipeline_id"]);
    assert_ne!(
        other["version"], first["version"],
        "another default is another version"
    );

    let said = world.trainer(
        &["pipeline", "upload"],
        &[("KFP_HOST", kfp.address()), ("TRAINER_IMAGE", "Trainer Image")],
    );
    let said = said.expect(2);
    assert!(said.stderr.contains("is no reference"), "{}", said.stderr);
}

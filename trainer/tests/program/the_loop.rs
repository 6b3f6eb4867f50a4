//! The whole trainer against a real MLflow server, real Git and a real image layout.
//! One test, so that one server serves all of it.

use crate::support::mlflow;
use crate::support::redact::redact;
use crate::support::registry::Registry;
use crate::support::world::{IRIS, World};
use crate::{kills, pipelines, races, triggers};
use contract::names::{ALIAS_CHALLENGER, ALIAS_CHAMPION, REFERENCE_FILE, exit, release_file};
use mlflow_client::RunStatus;

type Part = (&'static str, fn(&World));

#[test]
fn the_loop() {
    let Some(server) = mlflow::start("the_loop") else {
        return;
    };
    let parts: [Part; 15] = [
        ("promoted", promoted),
        ("python", python),
        ("refused", refused),
        ("step by step", step_by_step),
        ("outrun", races::outrun),
        ("racing", races::racing),
        ("degraded", races::degraded),
        ("replaced", races::replaced_before_live),
        ("broken layout", broken_layout),
        ("adopted", adopted),
        ("git comes back", races::git_comes_back),
        ("smoke", races::smoke),
        ("outrun and wiped", kills::outrun_and_wiped),
        ("triggered", triggers::triggered),
        ("by pipeline", pipelines::by_pipeline),
    ];
    for (name, part) in parts {
        eprintln!("--- {name}");
        let world = World::new(&server.address);
        world.add("batch-0001.csv", IRIS);
        part(&world);
    }
    for point in kills::POINTS {
        eprintln!("--- killed at {point}");
        let world = World::new(&server.address);
        world.add("batch-0001.csv", IRIS);
        kills::killed(&world, point);
        let world = World::new(&server.address);
        world.add("batch-0001.csv", IRIS);
        kills::killed_and_wiped(&world, point);
    }
    for point in ["withdraw:act", "withdraw"] {
        eprintln!("--- killed at {point}");
        let world = World::new(&server.address);
        world.add("batch-0001.csv", IRIS);
        kills::killed_while_withdrawing(&world, point);
    }
}

/// The iris rows with every measurement larger by `shift`: the world of another instrument.
fn shifted(shift: f64) -> String {
    let mut lines = IRIS.lines();
    let mut text = lines.next().unwrap().to_owned() + "\n";
    for line in lines {
        let (numbers, species) = line.rsplit_once(',').unwrap();
        for number in numbers.split(',') {
            text.push_str(&format!("{:.3},", number.parse::<f64>().unwrap() + shift));
        }
        text.push_str(species);
        text.push('\n');
    }
    text
}

fn promoted(world: &World) {
    let registry = Registry::of(world);
    let said = world.trainer(&["run"], &[]).expect(0);
    let result = said.json();
    let mut shown = result.clone();
    redact(&mut shown, &world.path("").display().to_string());
    insta::assert_json_snapshot!("run_promoted", shown);
    assert_eq!(
        world.subjects(),
        ["promote(local): inference-api m1-0123456", "Begin"]
    );
    assert_eq!(result["commit"], world.head());
    assert_eq!(
        world.git(&["diff", "--name-only", "main~1", "main"]),
        release_file("local")
    );
    let [version] = &registry.versions()[..] else {
        panic!("not one version")
    };
    assert_eq!(version.run_id, result["run_id"].as_str().unwrap());
    assert_eq!(
        (registry.alias(ALIAS_CHAMPION), registry.alias(ALIAS_CHALLENGER)),
        (Some(1), None)
    );
    let run = registry.run(&version.run_id);
    assert_eq!(run.info.status, RunStatus::Finished);
    assert!(run.info.run_name.starts_with("kfp_2"), "{}", run.info.run_name);
    assert_eq!(run.data.metrics.len(), 2);
    assert_eq!(
        (run.inputs.dataset_inputs.len(), run.outputs.model_outputs.len()),
        (1, 1)
    );

    // The same data again: nothing is done.
    let said = world.trainer(&["run"], &[]).expect(exit::NOTHING_NEW);
    assert_eq!(said.json()["status"], "nothing-new");
    assert!(
        said.stderr.contains("nothing new to learn from"),
        "{}",
        said.stderr
    );
    assert_eq!((world.subjects().len(), registry.versions().len()), (2, 1));

    // New rows: a second version, compared with the first on the same rows.
    world.add("batch-0002.csv", &shifted(2.0));
    let result = world.trainer(&["run"], &[]).expect(0).json();
    assert_eq!(result["model_version"], 2);
    assert!(result["live_metrics"]["accuracy"].is_f64(), "{result}");
    assert_eq!(registry.alias(ALIAS_CHAMPION), Some(2));

    // Taken back by a person: it stays so, and the alias follows what is live.
    world.revert();
    let said = world.trainer(&["run"], &[]).expect(exit::NOTHING_NEW);
    assert!(said.stderr.contains("taken back since"), "{}", said.stderr);
    assert_eq!((world.subjects().len(), registry.versions().len()), (4, 2));
    assert_eq!(registry.alias(ALIAS_CHAMPION), Some(1));

    // Forced: a version of its own.
    let result = world.trainer(&["run", "--force"], &[]).expect(0).json();
    assert_eq!(
        (result["model_version"].as_u64(), registry.versions().len()),
        (Some(3), 3)
    );
}

/// `mlflow.pyfunc.load_model("models:/<name>@champion")` in plain Python answers as our evaluator does.
fn python(world: &World) {
    let tools = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/oracle/bin/python");
    let python = std::env::var_os("DRIFTLESS_ORACLE_PYTHON").map_or(tools, Into::into);
    if !python.is_file() {
        assert!(
            std::env::var_os("DRIFTLESS_STRICT").is_none(),
            "no oracle environment"
        );
        eprintln!("SKIPPED the_loop, python: no oracle environment; run cargo xtask test");
        return;
    }
    world.trainer(&["run"], &[]).expect(0);
    let folder = std::fs::read_dir(world.path("runs"))
        .unwrap()
        .flatten()
        .find(|e| e.path().join("model").is_dir());
    let model = folder.unwrap().path().join("model");
    let manifest: contract::Manifest =
        serde_json::from_slice(&std::fs::read(model.join("manifest.json")).unwrap()).unwrap();
    let ours = onnx::Model::read(&std::fs::read(model.join("model.onnx")).unwrap()).unwrap();
    let output = std::process::Command::new(python)
        .args(["-c", include_str!("support/load_model.py")])
        .arg(&manifest.name)
        .arg(world.path("data/batch-0001.csv"))
        .arg(manifest.run_id.as_ref().unwrap())
        .env("MLFLOW_TRACKING_URI", &world.mlflow)
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let theirs: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for (index, line) in IRIS.lines().skip(1).enumerate() {
        let row: Vec<f32> = line
            .split(',')
            .take(4)
            .map(|text| text.parse().unwrap())
            .collect();
        let mut scores = vec![0.0; 3];
        let label = ours.predict_row(&row, &mut scores);
        assert_eq!(theirs["label"][index], label, "row {index}");
        for (class, score) in scores.iter().enumerate() {
            let other = theirs["probabilities"][index][class].as_f64().unwrap();
            assert!(
                (other - f64::from(*score)).abs() < 1e-6,
                "row {index}: {other} and {score}"
            );
        }
    }
    let reference = drift::npy::read(&std::fs::read(model.join(REFERENCE_FILE)).unwrap()).unwrap();
    let shape = serde_json::json!([reference.rows, reference.columns]);
    assert_eq!(
        (&theirs["reference_shape"], &theirs["example_rows"]),
        (&shape, &1.into())
    );
    assert_eq!(
        theirs["features"],
        serde_json::json!(["sepal_length", "sepal_width", "petal_length", "petal_width"])
    );
}

fn refused(world: &World) {
    let registry = Registry::of(world);
    let weak = ["run", "--trees", "1", "--max-depth", "1"];
    let result = world.trainer(&weak, &[]).expect(exit::REFUSED).json();
    let mut shown = result.clone();
    redact(&mut shown, &world.path("").display().to_string());
    insta::assert_json_snapshot!("run_refused", shown);
    assert_eq!((world.subjects().len(), registry.versions().len()), (1, 0));
    let run = registry.run(result["run_id"].as_str().unwrap());
    assert_eq!(
        (run.info.status, run.tag("driftless.dev/gate")),
        (RunStatus::Failed, Some("refused"))
    );
    let reasons = run.tag("driftless.dev/gate-reasons").unwrap();
    assert!(reasons.starts_with("accuracy 0."), "{reasons}");
    // The same question has the same answer, and is asked of nobody twice.
    let key = run.tag("driftless.dev/run-key").unwrap();
    let said = world.trainer(&weak, &[]).expect(exit::REFUSED);
    assert!(said.stderr.contains("refused before"), "{}", said.stderr);
    assert_eq!(
        registry
            .runs(&format!("tags.`driftless.dev/run-key` = '{key}'"))
            .len(),
        1
    );
    // A good candidate is not held up by it.
    world.trainer(&["run"], &[]).expect(0);
}

fn step_by_step(world: &World) {
    let folder = world.path("one").display().to_string();
    let step = |name: &str| {
        let mut shown = world.trainer(&[name], &[("RUN_DIR", &folder)]).expect(0).json();
        redact(&mut shown, &world.path("").display().to_string());
        shown
    };
    for name in [
        "load", "train", "validate", "register", "package", "promote", "confirm",
    ] {
        insta::assert_json_snapshot!(format!("step_{name}"), step(name));
    }
    assert_eq!(world.subjects().len(), 2);
    // Each of them again finds its work done.
    for (name, status) in [
        ("register", "already"),
        ("package", "already"),
        ("promote", "already"),
        ("confirm", "done"),
    ] {
        assert_eq!(step(name)["status"], status, "{name}");
    }
    assert_eq!(
        (world.subjects().len(), Registry::of(world).versions().len()),
        (2, 1)
    );
}

fn broken_layout(world: &World) {
    let wall = world.path("wall");
    std::fs::write(&wall, "").unwrap();
    let place = format!("oci-layout:{}/images", wall.display());
    let said = world
        .trainer(&["run"], &[("IMAGE_REPOSITORY", &place)])
        .expect(exit::IMAGE);
    assert!(
        said.stderr.contains(&wall.display().to_string()),
        "{}",
        said.stderr
    );
    assert_eq!(
        (world.subjects().len(), Registry::of(world).versions().len()),
        (1, 0)
    );
    world
        .trainer(&["run"], &[("BASE_IMAGE", "inference-api:absent")])
        .expect(exit::IMAGE);
    world.trainer(&["run"], &[]).expect(0);
    assert_eq!(
        (world.subjects().len(), Registry::of(world).versions().len()),
        (2, 1)
    );
}

/// A run that a pipeline engine has opened is used, not a second one.
fn adopted(world: &World) {
    let registry = Registry::of(world);
    let opened = registry.open_run();
    let result = world
        .trainer(&["run"], &[("MLFLOW_RUN_ID", &opened)])
        .expect(0)
        .json();
    assert_eq!(result["run_id"], opened.as_str());
    let run = registry.run(&opened);
    assert_eq!(
        (run.info.status, run.info.run_name.as_str()),
        (RunStatus::Finished, "opened elsewhere")
    );
    assert_eq!(registry.versions()[0].run_id, opened);
}

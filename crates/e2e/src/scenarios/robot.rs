//! What the robot takes back by itself, and who may talk to whom.

use crate::world::{World, expect_exit};
use anyhow::{Context, Result, ensure};
use contract::names::{self, exit};
use engine::Health;
use std::time::{Duration, Instant};

const NAMED: Duration = Duration::from_secs(15);
const REVERTED: Duration = Duration::from_secs(90);

pub fn robot_reverts(world: &World) -> Result<Option<String>> {
    let (head, before) = (world.person.head()?, world.info()?);
    let champion = world.alias(names::ALIAS_CHAMPION)?;
    world.add_batch(&world.first_batch()?.moved(0.1, 4, 700), "cannot-start")?;
    let load = world.load(200.0, 4, world.bodies(&world.first_batch()?)?)?;
    // The trainer's image as a base: with a model in it it is packed and promoted, and is no server.
    let id = world.start_training(&[], &[("BASE_IMAGE", "trainer:dev")])?;
    let bad = world.wait_for("the promotion", world.patience.run, || {
        let now = world.person.head()?;
        ensure!(now != head, "no commit yet");
        Ok(now)
    })?;
    let start = Instant::now();
    let why = world.wait_for("the failure's name", NAMED, || {
        let status = world.engine.status()?;
        let app = status.app(names::INFERENCE_API).context("gone")?;
        ensure!(app.health == Health::Degraded, "{}", app.summary());
        let words: Vec<_> = app.conditions.iter().map(|c| c.message.clone()).collect();
        Ok(format!("{} {}", app.message, words.join("\n")))
    })?;
    let named = start.elapsed();
    ensure!(why.contains(names::INFERENCE_API), "the pod is not named: {why}");
    let subjects = world.wait_for("the robot's revert", REVERTED, || {
        let subjects = world.person.subjects_since(&head)?;
        ensure!(subjects.len() == 2, "{subjects:?}");
        Ok(subjects)
    })?;
    let reverted = start.elapsed();
    ensure!(
        subjects[0].starts_with(&format!("revert({}): inference-api", world.engine.environment())),
        "{subjects:?}"
    );
    let mended = world.person.head()?;
    ensure!(
        world.person.files_of(&mended)? == [world.release_file()],
        "the revert touches more than its file"
    );
    let message = world.person.message_of(&mended)?;
    ensure!(
        message.contains(&format!("Reverts: {bad}")) && message.contains("Reason: "),
        "{message}"
    );
    let run = world.wait_run(&id)?;
    expect_exit(&run, exit::NOT_LIVE)?;
    world.wait_live(&mended)?;
    let report = load.stop();
    ensure!(
        report.failed == 0,
        "{} of {} requests failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );
    ensure!(world.info()? == before, "another model is live");
    ensure!(
        world.alias(names::ALIAS_CHAMPION)? == champion,
        "the champion moved"
    );
    ensure!(
        world.person.subjects_since(&head)?.len() == 2,
        "more than one revert: {:?}",
        world.person.subjects_since(&head)?
    );
    world.note(format!(
        "named after {:.1} s, reverted after {:.1} s",
        named.as_secs_f64(),
        reverted.as_secs_f64()
    ));
    Ok(None)
}

/// Two pushes so close that Argo CD may swallow the second refresh: what is called live must be live.
pub fn pushes_in_a_row(world: &World) -> Result<Option<String>> {
    let kube = world.kubernetes()?;
    let promotion = world.person.last_promotion()?;
    let mut wrong = Vec::new();
    const ROUNDS: usize = 10;
    for round in 0..ROUNDS {
        let first = world.person.revert(&promotion)?;
        world.engine.refresh()?;
        std::thread::sleep(Duration::from_millis(20)); // the race itself
        let second = world.person.revert(&first)?;
        world.wait_live(&second)?;
        let image = kube.image_of("serving", names::INFERENCE_API)?;
        let digest = image.rsplit_once('@').context("no digest")?.1.to_owned();
        if !world.person.read(&world.release_file())?.contains(&digest) {
            wrong.push(format!("round {round}: {second} called live with {image}"));
        }
        if world.info()?.digests.image.as_deref() != Some(&digest) {
            wrong.push(format!(
                "round {round}: {second} called live, answered by another image"
            ));
        }
    }
    world.note(format!("{} of {ROUNDS} wrong", wrong.len()));
    ensure!(wrong.is_empty(), "{} of {ROUNDS} wrong: {wrong:?}", wrong.len());
    world.champion_is_live()?;
    Ok(None)
}

pub fn policy_blocks(world: &World) -> Result<Option<String>> {
    let kube = world.kubernetes()?;
    let trainer = world
        .engine
        .status()?
        .app(names::TRAINING)
        .and_then(|app| app.images.first().cloned())
        .context("no trainer image")?;
    let fenced = "driftless-e2e-fenced";
    let _ = kube.run(&["delete", "namespace", fenced, "--ignore-not-found"]);
    kube.run(&["create", "namespace", fenced])?;
    kube.run(&["label", "namespace", fenced, "driftless.dev/e2e=true"])?;
    // From an ordinary place: says whether the Service can be reached by somebody with no business there.
    let stranger = reaches_mlflow(world, fenced, "stranger", &trainer);
    let deny = r#"{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"deny"},"spec":{"podSelector":{},"policyTypes":["Egress"]}}"#;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), deny)?;
    kube.run(&[
        "--namespace",
        fenced,
        "apply",
        "--filename",
        &file.path().display().to_string(),
    ])?;
    // The control: with all egress forbidden, an answer proves that this network enforces nothing.
    let control = reaches_mlflow(world, fenced, "control", &trainer);
    kube.run(&["delete", "namespace", fenced, "--wait=false"])?;
    if control? {
        return Ok(Some(
            "unproven here: this cluster's network enforces no NetworkPolicy (a pod whose egress is all forbidden reached MLflow)"
                .to_owned(),
        ));
    }
    ensure!(!stranger?, "a pod of another namespace reached MLflow");
    Ok(None)
}

/// Whether a pod of `namespace` gets an answer from MLflow.
fn reaches_mlflow(world: &World, namespace: &str, name: &str, image: &str) -> Result<bool> {
    let kube = world.kubernetes()?;
    let url = "http://mlflow.training.svc.cluster.local:5000/health";
    let args = ["load", "--data", url, "--run-dir", "/tmp/run"];
    let pod = serde_json::json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "trainer", "image": image, "args": args,
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), pod.to_string())?;
    kube.run(&[
        "--namespace",
        namespace,
        "apply",
        "--filename",
        &file.path().display().to_string(),
    ])?;
    world.wait_for(&format!("the end of pod {name}"), world.patience.notice, || {
        let found = kube.json(&["--namespace", namespace, "get", "pod", name])?;
        let phase = found["status"]["phase"].as_str().unwrap_or_default().to_owned();
        ensure!(phase == "Succeeded" || phase == "Failed", "it is {phase}");
        Ok(())
    })?;
    let log = kube.run(&["--namespace", namespace, "logs", name])?;
    // MLflow's answer is no table, so an answer is refused as data; no answer is named as such.
    Ok(!["cannot be fetched", "timed out", "error sending", "connect"]
        .iter()
        .any(|words| log.contains(words)))
}

//! What a retrain does, and what it refuses to do.

use crate::world::{World, expect_exit, result_of};
use anyhow::{Context, Result, ensure};
use contract::names::{self, exit};
use serde_json::Value;

pub fn nothing_new(world: &World) -> Result<Option<String>> {
    let (head, versions) = (world.person.head()?, world.versions()?.len());
    let run = world.train(&[], &[])?;
    expect_exit(&run, exit::NOTHING_NEW)?;
    ensure!(
        run.attempts == 1,
        "{} attempts for a run that had nothing to do",
        run.attempts
    );
    ensure!(result_of(&run)?["status"] == "nothing-new", "{}", run.stdout);
    ensure!(world.person.head()? == head, "a commit was made");
    ensure!(world.versions()?.len() == versions, "a version was made");
    Ok(None)
}

pub fn worse_refused(world: &World) -> Result<Option<String>> {
    let (head, versions, before) = (world.person.head()?, world.versions()?.len(), world.info()?);
    let run = world.train(&["--force", "--trees", "1", "--max-depth", "1"], &[])?;
    expect_exit(&run, exit::REFUSED)?;
    let result = result_of(&run)?;
    ensure!(result["status"] == "refused", "{result}");
    let reasons = result["reasons"].as_array().context("no reasons")?;
    ensure!(
        reasons.iter().any(|r| r.to_string().contains("accuracy")),
        "the reasons do not name the accuracy: {result}"
    );
    ensure!(world.person.head()? == head, "Git was touched");
    ensure!(
        world.versions()?.len() == versions,
        "a refused candidate became a version"
    );
    ensure!(world.info()? == before, "something else is live");
    let refused = world.mlflow_runs("tags.`driftless.dev/gate` = 'refused'")?;
    ensure!(
        !refused.is_empty(),
        "MLflow does not know of the refused candidate"
    );
    ensure!(
        refused[0].to_string().contains("driftless.dev/gate-reasons"),
        "MLflow has no reasons: {}",
        refused[0]
    );
    Ok(None)
}

pub fn drift_retrain_rollout(world: &World) -> Result<Option<String>> {
    let (head, before) = (world.person.head()?, world.info()?);
    world.lives.borrow_mut().push(world.life()?);
    let normal = world.first_batch()?;
    let shifted = normal.shifted(4, 1);
    world.send(&world.bodies(&normal)?)?;
    let status = world.drift()?;
    ensure!(
        status["drift_detected"] == false,
        "normal traffic is called drift: {status}"
    );

    let check = wait_monitor(world)?;
    ensure!(
        check.contains("No drift detected. Skipping retrain."),
        "the monitor said: {check}"
    );

    // Before the drift: an engine that is told of it retrains at once.
    world.add_batch(&shifted, "shifted")?;
    let earlier: Vec<String> = world
        .engine
        .status()?
        .runs
        .into_iter()
        .map(|run| run.id)
        .collect();
    let before_drift: Vec<Value> = retrains(world)?
        .iter()
        .map(|entry| entry["run"].clone())
        .collect();
    world.send(&world.bodies(&shifted)?[..150])?;
    let status = world.drift()?;
    ensure!(
        status["drift_detected"] == true,
        "shifted traffic is not called drift: {status}"
    );

    let load = world.load(1000.0, 8, world.bodies(&shifted)?)?;
    let mut said = wait_monitor(world)?;
    for run in world.engine.status()?.runs {
        if run.template == names::DRIFT_MONITOR && !earlier.contains(&run.id) {
            let check = engine::wait_run(world.engine.as_ref(), &run.id, world.patience.notice, |_| {})?;
            said.push_str(&check.log_tail.join("\n"));
        }
    }
    ensure!(
        said.contains("Drift detected! Triggering retrain pipeline..."),
        "no check started a retrain; they said: {said}"
    );
    let id = world.wait_for("the retrain", world.patience.notice, || {
        let new = retrains(world)?;
        let new = new.iter().find(|entry| !before_drift.contains(&entry["run"]));
        let run = new.and_then(|entry| entry["run"].as_str());
        Ok(run.context("the monitor started no retrain")?.to_owned())
    })?;
    // A Job, or a process of the engine; where neither is, the pipeline's own steps tell the ledger.
    if world.engine.status()?.runs.iter().any(|run| run.id == id) {
        expect_exit(&world.wait_run(&id)?, 0)?;
    }
    world.wait_for("the end in the ledger", world.patience.run, || {
        let entries = retrains(world)?;
        let state = entries.iter().find(|entry| entry["run"] == id.as_str());
        let state = state.map(|entry| entry["state"].clone()).unwrap_or_default();
        ensure!(state["is"] == "promoted", "{state}");
        Ok(())
    })?;
    // However often it is asked: one drift, one retrain.
    wait_monitor(world)?;
    let all = retrains(world)?;
    let new: Vec<&Value> = all.iter().map(|entry| &entry["run"]).collect();
    let new: Vec<&Value> = new
        .into_iter()
        .filter(|run| !before_drift.contains(run))
        .collect();
    ensure!(new == [&Value::from(id.as_str())], "not one retrain but {new:?}");
    let commit = world.person.head()?;
    world.wait_live(&commit)?;
    let so_far = load.report().sent;
    world.wait_for("a second of load on the new model", world.patience.notice, || {
        ensure!(load.report().sent >= so_far + 1000, "the load has stopped");
        Ok(())
    })?;
    let report = load.stop();
    ensure!(
        report.failed == 0,
        "{} of {} requests failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );
    ensure!(report.sent > 1000, "only {} requests were sent", report.sent);

    let subjects = world.person.subjects_since(&head)?;
    ensure!(subjects.len() == 1, "not one commit but {subjects:?}");
    let after = world.info()?;
    let tag = after.image_tag.clone().unwrap_or_default();
    ensure!(
        subjects[0] == format!("promote({}): inference-api {tag}", world.engine.environment()),
        "{subjects:?}"
    );
    ensure!(
        world.person.files_of(&commit)? == [world.release_file()],
        "the promotion touches more than its file"
    );
    ensure!(
        after.digests.model != before.digests.model,
        "the same model is live"
    );

    world.send(&world.bodies(&shifted)?[..150])?;
    let status = world.drift()?;
    ensure!(
        status["drift_detected"] == false,
        "the shifted world is still called drift: {status}"
    );
    world.wait_for("the champion alias", world.patience.rollout, || {
        ensure!(
            world.alias(names::ALIAS_CHAMPION)? == after.model_version,
            "the champion is another"
        );
        Ok(())
    })?;
    Ok(None)
}

/// What the ledger of retrains has, oldest first.
fn retrains(world: &World) -> Result<Vec<Value>> {
    let text = world.engine.record(engine::DRIFT_LEDGER)?.text;
    let ledger: Value = text.map_or(Ok(Value::Null), |text| serde_json::from_str(&text))?;
    Ok(ledger["entries"].as_array().cloned().unwrap_or_default())
}

/// Runs the drift monitor once, as its schedule would, and returns what it said.
fn wait_monitor(world: &World) -> Result<String> {
    // Scenarios are played again and again: their bounds are the ledger's keys alone.
    let env = [
        ("RETRAIN_COOLDOWN", "0s"),
        ("RETRAIN_DAILY_CAP", "1000"),
        ("RETRAIN_BREAKER_AFTER", "1000"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let id = world.engine.start_run(names::DRIFT_MONITOR, &[], &env)?;
    let run = engine::wait_run(world.engine.as_ref(), &id, world.patience.notice, |_| {})?;
    expect_exit(&run, 0)?;
    Ok(format!("{}\n{}", run.log_tail.join("\n"), run.stdout))
}

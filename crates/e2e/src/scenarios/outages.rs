//! Parts of a cluster that are down, or killed in the middle of something.

use super::under_load;
use crate::world::{World, expect_exit, result_of};
use anyhow::{Context, Result, ensure};
use contract::names::{self, exit};
use engine::RunPhase;
use std::time::{Duration, Instant};

const GIT_SERVER: &str = "git-server";

pub fn git_down(world: &World) -> Result<Option<String>> {
    if world.engine.status()?.app(GIT_SERVER).is_none() {
        return Ok(Some(
            "Git is hosted outside of this cluster, so it is not ours to stop".to_owned(),
        ));
    }
    let (head, before) = (world.person.head()?, world.info()?);
    world.add_batch(&world.first_batch()?.moved(0.06, 4, 601), "git-down")?;
    world.engine.suspend(GIT_SERVER, true)?;
    let waited = (|| -> Result<String> {
        world.wait_for("Git to be gone", world.patience.notice, || {
            ensure!(world.person.head().is_err(), "it still answers");
            Ok(())
        })?;
        let id = world.start_training(&[], &[])?;
        let report = under_load(world, 200.0, 4, || {
            // Long enough for a run that does not wait to have failed: it takes some 5 s when all is well.
            let start = Instant::now();
            world.wait_for("fifteen seconds of a waiting run", world.patience.run, || {
                let run = world.engine.run(&id)?;
                ensure!(
                    matches!(run.phase, RunPhase::Pending | RunPhase::Running),
                    "it ended {:?}: {}",
                    run.phase,
                    run.log_tail.join("\n")
                );
                ensure!(start.elapsed() >= Duration::from_secs(15), "not yet");
                Ok(())
            })
        })?;
        ensure!(
            report.failed == 0,
            "serving failed without Git: {:?}",
            report.failures
        );
        ensure!(world.info()? == before, "something else is live");
        Ok(id)
    })();
    world.engine.suspend(GIT_SERVER, false)?;
    let run = world.wait_run(&waited?)?;
    expect_exit(&run, 0)?;
    let subjects = world.wait_for("Git", world.patience.notice, || {
        world.person.subjects_since(&head)
    })?;
    ensure!(subjects.len() == 1, "not one commit but {subjects:?}");
    world.wait_live(&world.person.head()?)?;
    Ok(None)
}

pub fn registry_down(world: &World) -> Result<Option<String>> {
    let (head, before) = (world.person.head()?, world.info()?);
    world.add_batch(&world.first_batch()?.moved(0.07, 4, 602), "registry-down")?;
    let versions = world.versions()?.len();
    {
        let kube = world.kubernetes()?;
        let _cut = kube.cut_off("kube-system", "registry")?;
        let run = world.train(&[], &[])?;
        expect_exit(&run, exit::IMAGE)?;
        world.send(&world.bodies(&world.first_batch()?)?[..20])?;
    }
    ensure!(
        world.person.head()? == head && world.info()? == before,
        "something was released"
    );
    let run = world.train(&[], &[])?;
    expect_exit(&run, 0)?;
    ensure!(world.versions()?.len() == versions + 1, "not one new version");
    ensure!(world.person.subjects_since(&head)?.len() == 1, "not one commit");
    Ok(None)
}

pub fn mlflow_killed(world: &World) -> Result<Option<String>> {
    let kube = world.kubernetes()?;
    // The kill must fall between the run's first call to MLflow and its last; three rounds make sure.
    for round in 0..3 {
        let (head, versions) = (world.person.head()?, world.versions()?.len());
        world.add_batch(&world.first_batch()?.moved(0.08, 4, 610 + round), "mlflow-killed")?;
        let id = world.start_training(&[], &[])?;
        let start = Instant::now();
        while world
            .mlflow_runs("attributes.status = 'RUNNING'")
            .is_ok_and(|runs| runs.is_empty())
        {
            ensure!(
                start.elapsed() < world.patience.run,
                "the run never reached MLflow"
            );
            std::thread::sleep(Duration::from_millis(5)); // the window is some 100 ms
        }
        kube.kill_pods("training", &["--selector=app.kubernetes.io/name=mlflow"])?;
        let run = world.wait_run(&id)?;
        world.wait_for("MLflow", world.patience.notice, || {
            world.http.get_text(&format!("{}/health", world.mlflow))
        })?;
        let hit = run.attempts > 1 || run.phase == RunPhase::Failed;
        if run.phase == RunPhase::Failed {
            expect_exit(&run, exit::MLFLOW)?;
            expect_exit(&world.train(&[], &[])?, 0)?;
        }
        let (commits, made) = (
            world.person.subjects_since(&head)?,
            world.versions()?.len() - versions,
        );
        ensure!(
            commits.len() == 1 && made == 1,
            "{made} versions, commits {commits:?}"
        );
        let running = world.mlflow_runs("attributes.status = 'RUNNING'")?;
        ensure!(running.is_empty(), "{} orphaned runs in MLflow", running.len());
        world.wait_live(&world.person.head()?)?;
        if hit {
            return Ok(None);
        }
    }
    Ok(Some(
        "in three rounds the kill never fell into a registration".to_owned(),
    ))
}

pub fn controller_killed(world: &World) -> Result<Option<String>> {
    let kube = world.kubernetes()?;
    let before = world.info()?;
    let promotion = world.person.last_promotion()?;
    let previous = world.life()?;
    // Two syncs, each with the controller killed as it begins.
    let mut commit = world.person.revert(&promotion)?;
    for _ in 0..2 {
        world.engine.refresh()?;
        kube.kill_pods(
            "argocd",
            &["--selector=app.kubernetes.io/name=argocd-application-controller"],
        )?;
        world.wait_live(&commit)?;
        let image = kube.image_of("serving", names::INFERENCE_API)?;
        let digest = image.rsplit_once('@').context("no digest")?.1.to_owned();
        ensure!(
            world.person.read(&world.release_file())?.contains(&digest),
            "{commit} is called live, and yet {image} runs"
        );
        ensure!(
            world.info()?.digests.image.as_deref() == Some(&digest),
            "the API is another one"
        );
        if world.info()?.digests == before.digests {
            break;
        }
        commit = world.person.revert(&commit)?;
    }
    ensure!(world.life()? == previous, "the model is not back as it was");
    Ok(None)
}

pub fn wrong_token(world: &World) -> Result<Option<String>> {
    let (head, before) = (world.person.head()?, world.info()?);
    world.add_batch(&world.first_batch()?.moved(0.09, 4, 620), "wrong-token")?;
    let secret = "driftless-e2e-wrong-token";
    let run = world.train(&[], &[("GIT_TOKEN", secret)])?;
    expect_exit(&run, exit::GIT)?;
    let said = format!("{}\n{}", run.log_tail.join("\n"), run.stdout);
    ensure!(
        ["401", "403", "denied", "refused"]
            .iter()
            .any(|word| said.contains(word)),
        "the reason is not named: {said}"
    );
    ensure!(!said.contains(secret), "the token is in the log: {said}");
    ensure!(
        world.person.head()? == head && world.info()? == before,
        "something was released"
    );
    let run = world.train(&[], &[])?;
    expect_exit(&run, 0)?;
    ensure!(result_of(&run)?["promoted"] == true, "{}", run.stdout);
    Ok(None)
}

//! Trainers that are killed, and trainers that race.

use crate::world::{World, expect_exit};
use anyhow::{Result, ensure};
use contract::names::{self, exit};
use engine::RunPhase;

/// Chances to see a race.
const ROUNDS: u64 = 5;
const STEPS: [&str; 7] = [
    "load", "train", "validate", "register", "package", "promote", "confirm",
];

pub fn killed_after_each_step(world: &World) -> Result<Option<String>> {
    for (index, step) in STEPS.iter().enumerate() {
        let (head, versions) = (world.person.head()?, world.versions()?.len());
        let salt = 100 + index as u64;
        world.add_batch(
            &world.first_batch()?.moved(0.03, 4, salt),
            &format!("killed-{step}"),
        )?;
        // In a cluster the work folder goes with the pod, and a Job's next pod has only its name in common.
        let nonce = format!("e2e-{step}");
        let same = ("RUN_NONCE", nonce.as_str());
        let again = match &world.kubernetes {
            None => vec![],
            Some(_) => vec![same],
        };
        let hook = [&[("DRIFTLESS_EXIT_AFTER", *step)], again.as_slice()].concat();
        die(world, step, &hook)?;

        let run = world.train(&[], &again)?;
        expect_exit(&run, 0)?;
        let (commits, made) = (
            world.person.subjects_since(&head)?,
            world.versions()?.len() - versions,
        );
        ensure!(
            commits.len() == 1 && made == 1,
            "killed after {step}: {made} versions, commits {commits:?}"
        );
        let live = world.info()?.model_version;
        ensure!(
            world.alias(names::ALIAS_CHAMPION)? == live,
            "killed after {step}: the champion is not live"
        );
        let running = world.mlflow_runs("attributes.status = 'RUNNING'")?;
        ensure!(
            running.is_empty(),
            "killed after {step}: {} orphaned runs in MLflow",
            running.len()
        );
    }
    Ok(None)
}

/// A run that ends in the hook's SIGKILL.
fn die(world: &World, step: &str, env: &[(&str, &str)]) -> Result<()> {
    let Some(kube) = &world.kubernetes else {
        let run = world.train(&[], env)?;
        ensure!(
            run.phase == RunPhase::Failed,
            "killed after {step}, and yet it ended {:?}",
            run.phase
        );
        return Ok(());
    };
    let id = world.start_training(&[], env)?;
    world.wait_for("the kill", world.patience.run, || {
        let run = world.engine.run(&id)?;
        ensure!(run.exit_code.is_some(), "it is {:?}", run.phase);
        ensure!(
            run.exit_code == Some(137),
            "killed after {step}, and yet it ended with {:?}",
            run.exit_code
        );
        Ok(())
    })?;
    // Its own next pods would run into the same hook.
    kube.run(&["--namespace", "training", "delete", "job", &id])?;
    Ok(())
}

/// The retrain's pipeline run by the engine (a Job, where there are pods) and on this machine: one model.
pub fn the_same_model_everywhere(world: &World) -> Result<Option<String>> {
    let seed = ["--force", "--seed", "11"];
    let by_engine = world.train(&seed, &[])?;
    expect_exit(&by_engine, 0)?;
    let by_engine: serde_json::Value = serde_json::from_str(&by_engine.stdout)?;
    // No candidate reaches this bar, so that nothing is promoted a second time.
    let folder = tempfile::tempdir()?;
    let here = world.persons_trainer(folder.path(), &[&seed[..], &["--min-accuracy", "1.5"]].concat())?;
    let said = String::from_utf8_lossy(&here.stderr);
    ensure!(
        here.status.code() == Some(exit::REFUSED.into()),
        "the run on this machine ended {}: {said}",
        here.status
    );
    let here: serde_json::Value = serde_json::from_slice(&here.stdout)?;
    ensure!(
        here["model_digest"].is_string() && here["model_digest"] == by_engine["model_digest"],
        "by the engine {}, on this machine {}",
        by_engine["model_digest"],
        here["model_digest"]
    );
    let record = folder.path().read_dir()?.flatten().map(|entry| entry.path());
    let record = record.map(|folder| folder.join("pipeline/run.json"));
    ensure!(
        record.into_iter().any(|file| file.is_file()),
        "no record of the pipeline: {said}"
    );
    Ok(None)
}

/// A trainer in the engine, and one that a person starts in a second clone at the same moment.
pub fn two_racing(world: &World) -> Result<Option<String>> {
    let mut outrun = false;
    // They overlap by all but some milliseconds; the rounds make sure that one was a real race.
    for round in 0..ROUNDS {
        let head = world.person.head()?;
        world.add_batch(&world.first_batch()?.moved(0.04, 4, 300 + round), "race")?;
        let folder = tempfile::tempdir()?;
        let id = world.start_training(&["--seed", "1"], &[])?;
        if world.kubernetes.is_some() {
            // A pod takes seconds to start; without this the person would always be first.
            world.wait_for("the run's first line", world.patience.run, || {
                ensure!(!world.engine.run(&id)?.log_tail.is_empty(), "nothing said yet");
                Ok(())
            })?;
        }
        let theirs = world.persons_trainer(folder.path(), &["--seed", "2"])?;
        let ours = world.wait_run(&id)?;
        let ended = [
            (ours.exit_code, ours.stdout.clone()),
            (
                theirs.status.code(),
                String::from_utf8_lossy(&theirs.stdout).into_owned(),
            ),
        ];
        let winners = ended.iter().filter(|(code, _)| *code == Some(0)).count();
        ensure!(
            winners == 1,
            "{winners} of two racing trainers promoted: {ended:?}"
        );
        for (code, stdout) in ended.iter().filter(|(code, _)| *code != Some(0)) {
            let why_not = [exit::OUTRUN, exit::NOTHING_NEW].map(|code| Some(i32::from(code)));
            ensure!(why_not.contains(code), "the loser ended with {code:?}: {stdout}");
            let said: serde_json::Value = serde_json::from_str(stdout)?;
            ensure!(said["reason"].is_string(), "the loser does not say why: {stdout}");
            outrun |= *code == Some(i32::from(exit::OUTRUN));
        }
        let commits = world.person.subjects_since(&head)?;
        ensure!(commits.len() == 1, "not one commit but {commits:?}");
        world.wait_live(&world.person.head()?)?;
        if outrun {
            return Ok(None);
        }
    }
    anyhow::bail!("in {ROUNDS} rounds no trainer was outrun: they never raced")
}

//! Trainers that are killed, and trainers that race.

use crate::world::{RUN, World, expect_exit};
use anyhow::{Result, ensure};
use contract::names::{self, exit};
use engine::RunPhase;

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
        let run = world.train(&[], &[("DRIFTLESS_EXIT_AFTER", step)])?;
        ensure!(
            run.phase == RunPhase::Failed,
            "killed after {step}, and yet it ended {:?}",
            run.phase
        );

        let run = world.train(&[], &[])?;
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

/// A trainer in the engine, and one that a person starts in a second clone at the same moment.
pub fn two_racing(world: &World) -> Result<Option<String>> {
    let mut outrun = false;
    // They overlap by all but some milliseconds; three rounds make sure that one was a real race.
    for round in 0..3 {
        let head = world.person.head()?;
        world.add_batch(&world.first_batch()?.moved(0.04, 4, 300 + round), "race")?;
        let folder = tempfile::tempdir()?;
        let id = world.start_training(&["--seed", "1"], &[])?;
        let theirs = world.persons_trainer(folder.path(), &["--seed", "2"])?;
        let ours = engine::wait_run(world.engine.as_ref(), &id, RUN, |_| {})?;
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
    anyhow::bail!("in three rounds no trainer was outrun: they never raced")
}

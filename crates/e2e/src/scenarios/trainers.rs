//! Trainers that are killed, and trainers that race.

use crate::world::{RUN, World, expect_exit, result_of};
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
            &world.first_batch()?.shifted([0.03; 4], 4, salt),
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

pub fn two_racing(world: &World) -> Result<Option<String>> {
    let head = world.person.head()?;
    world.add_batch(&world.first_batch()?.shifted([0.04; 4], 4, 300), "race")?;
    let (one, two) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let start = |folder: &std::path::Path, seed: &str| {
        world.start_training(&["--seed", seed], &[("WORK_DIR", &folder.display().to_string())])
    };
    let ids = [start(one.path(), "1")?, start(two.path(), "2")?];
    let mut ended = Vec::new();
    for id in &ids {
        ended.push(engine::wait_run(world.engine.as_ref(), id, RUN, |_| {})?);
    }
    let winners = ended
        .iter()
        .filter(|run| run.phase == RunPhase::Succeeded)
        .count();
    ensure!(
        winners == 1,
        "{winners} of two racing trainers promoted: {ended:?}"
    );
    for run in ended.iter().filter(|run| run.phase == RunPhase::Failed) {
        let outrun = [exit::OUTRUN, exit::NOTHING_NEW].map(|code| Some(i32::from(code)));
        ensure!(
            outrun.contains(&run.exit_code),
            "the loser ended with {:?}: {}",
            run.exit_code,
            run.log_tail.join("\n")
        );
        ensure!(
            result_of(run)?["reason"].is_string(),
            "the loser does not say why: {}",
            run.stdout
        );
    }
    ensure!(world.person.subjects_since(&head)?.len() == 1, "not one commit");
    Ok(None)
}

//! Releases that are taken back, and one that cannot start.

use crate::world::World;
use anyhow::{Context, Result, bail, ensure};
use contract::names;
use engine::{Health, Sync, Waited};
use std::time::Duration;

pub fn revert(world: &World) -> Result<Option<String>> {
    let Some(first_life) = world.lives.borrow().first().cloned() else {
        return Ok(Some(
            "needs the scenario `drift_retrain_rollout` before it".to_owned(),
        ));
    };
    let promotion = world.person.head()?;
    world.lives.borrow_mut().push(world.life()?);
    let reverted = world.person.revert(&promotion)?;
    world.wait_live(&reverted)?;
    let second_life = world.life()?;
    ensure!(
        second_life.answers == first_life.answers,
        "150 predictions are not byte-identical to the first life"
    );
    ensure!(
        second_life.info == first_life.info,
        "/model/info differs: {second_life:?} and {first_life:?}"
    );

    for _ in 0..20 {
        world.engine.refresh()?;
        let status = world.engine.status()?;
        let app = status
            .app(names::INFERENCE_API)
            .context("the application is gone")?;
        ensure!(
            app.is_live_at(&reverted),
            "left the reverted state: {}",
            app.summary()
        );
        std::thread::sleep(Duration::from_millis(120)); // longer than one reconcile
    }
    ensure!(
        world.person.head()? == reverted,
        "somebody committed after the revert"
    );
    Ok(None)
}

pub fn revert_of_revert(world: &World) -> Result<Option<String>> {
    let Some(first_life) = world.lives.borrow().get(1).cloned() else {
        return Ok(Some("needs the scenario `revert` before it".to_owned()));
    };
    let commit = world.person.revert(&world.person.head()?)?;
    world.wait_live(&commit)?;
    ensure!(world.life()? == first_life, "the new model is not back as it was");
    if world.kubernetes.is_some() {
        // Pushed while the sync before still ran its smoke test, and followed by one all the same.
        world.champion_is_live()?;
    }
    Ok(None)
}

pub fn cannot_start(world: &World) -> Result<Option<String>> {
    let before = world.info()?;
    let image = before.digests.image.clone().context("no image digest")?;
    let status = world.engine.status()?;
    let trainer = status
        .app(names::TRAINING)
        .and_then(|a| a.images.first().cloned())
        .context("no trainer image")?;
    let other = trainer
        .rsplit_once('@')
        .context("the trainer's image has no digest")?
        .1
        .to_owned();

    let load = world.load(200.0, 4, world.bodies(&world.first_batch()?)?)?;
    // The trainer's image is a real image that is no server: started like the API, it ends at once.
    let bad = world.person.edit(
        &world.release_file(),
        "Release an image that cannot serve",
        |text| text.replace(&image, &other),
    )?;
    let why = match engine::wait_live(
        world.engine.as_ref(),
        names::INFERENCE_API,
        &bad,
        world.patience.rollout,
    )? {
        Waited::Degraded(why) => why,
        Waited::Live(_) => bail!("an image that cannot serve is called live"),
    };
    let status = world.engine.status()?;
    let app = status
        .app(names::INFERENCE_API)
        .context("the application is gone")?;
    ensure!(
        app.health == Health::Degraded && app.sync == Sync::OutOfSync,
        "{}",
        app.summary()
    );
    ensure!(
        why.lines().count() > 1,
        "no log lines of the failed release: {why}"
    );
    ensure!(
        world.info()?.digests == before.digests,
        "the old model does not serve any more"
    );

    let mended = world.person.revert(&bad)?;
    world.wait_live(&mended)?;
    let report = load.stop();
    ensure!(
        report.failed == 0,
        "{} of {} requests failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );
    world.wait_for("health", world.patience.notice, || {
        let status = world.engine.status()?;
        let app = status.app(names::INFERENCE_API).context("gone")?;
        ensure!(
            app.is_live_at(&mended) && app.conditions.is_empty(),
            "{}",
            app.summary()
        );
        Ok(())
    })?;
    Ok(None)
}

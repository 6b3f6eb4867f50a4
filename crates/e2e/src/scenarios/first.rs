//! The world as `up` leaves it.

use crate::world::World;
use anyhow::{Result, ensure};
use contract::names;
use engine::{Health, Sync};
use serde_json::json;

pub fn first_rollout(world: &World) -> Result<Option<String>> {
    let status = world.engine.status()?;
    let head = world.person.head()?;
    for app in &status.apps {
        ensure!(
            app.sync == Sync::Synced && app.health == Health::Healthy,
            "{}",
            app.summary()
        );
        ensure!(
            app.revision == head,
            "{} is at {}, main at {head}",
            app.name,
            app.revision
        );
    }
    for name in [
        names::INFERENCE_API,
        names::MLFLOW,
        names::TRAINING,
        names::DRIFT_MONITOR,
    ] {
        ensure!(status.app(name).is_some(), "no application {name}");
    }

    let answer = world.http.post(
        &format!("{}/predict", world.api),
        &json!({"features": [5.1, 3.5, 1.4, 0.2]}),
    )?;
    ensure!(
        answer["prediction"] == 0 && answer["class_name"] == "setosa",
        "{answer}"
    );
    let sum: f64 = answer["probabilities"]
        .as_array()
        .map(|p| p.iter().filter_map(|v| v.as_f64()).sum())
        .unwrap_or(0.0);
    ensure!(
        (sum - 1.0).abs() < 1e-5,
        "probabilities add up to {sum}: {answer}"
    );

    let info = world.info()?;
    ensure!(
        answer["model_version"] == info.model_version.as_str(),
        "{answer} does not come from {}",
        info.model_version
    );
    let image = info.digests.image.clone().unwrap_or_default();
    ensure!(
        contract::digest::is_digest(&image),
        "no image digest in /model/info"
    );
    let app = status.app(names::INFERENCE_API).expect("checked above");
    ensure!(
        app.images.iter().any(|i| i.contains(&image)),
        "/model/info says {image}, the engine runs {:?}",
        app.images
    );
    ensure!(
        world.person.read(&world.release_file())?.contains(&image),
        "Git does not name {image}"
    );
    ensure!(
        world.alias(names::ALIAS_CHAMPION)? == info.model_version,
        "the champion is not what is live"
    );

    let accurate = world
        .first_batch()?
        .rows
        .iter()
        .zip(world.answers()?)
        .filter(|((_, label), answer)| answer.contains(&format!("\"{label}\"")))
        .count();
    ensure!(accurate >= 135, "only {accurate} of 150 flowers named rightly");
    Ok(None)
}

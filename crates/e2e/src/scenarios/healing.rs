//! What people and nodes do to a cluster behind Git's back, and scaling, which goes through Git.

use super::under_load;
use crate::world::World;
use anyhow::{Context, Result, ensure};
use contract::names;
use std::time::{Duration, Instant};

const NAMESPACE: &str = "serving";

pub fn manual_change_healed(world: &World) -> Result<Option<String>> {
    let kube = world.kubernetes()?;
    // Argo CD heals nothing while it is at work.
    world.at_rest()?;
    let (head, before) = (world.person.head()?, world.info()?);
    let image = kube.image_of(NAMESPACE, names::INFERENCE_API)?;
    let wanted = kube.replicas_of(NAMESPACE, names::INFERENCE_API)?;
    let deployment = format!("deployment/{}", names::INFERENCE_API);
    let mut took = Vec::new();
    let mut heal = |what: &str, meddle: &[&str], healed: &dyn Fn() -> Result<bool>| -> Result<()> {
        kube.run(&[&["--namespace", NAMESPACE], meddle].concat())?;
        let start = Instant::now();
        world.wait_for(what, world.patience.notice, || {
            ensure!(healed()?, "not healed yet");
            Ok(())
        })?;
        took.push((what.to_owned(), start.elapsed()));
        Ok(())
    };
    heal(
        "another image, by kubectl set image",
        &[
            "set",
            "image",
            &deployment,
            &format!("{}=example.invalid/other:1", names::INFERENCE_API),
        ],
        &|| Ok(kube.image_of(NAMESPACE, names::INFERENCE_API)? == image),
    )?;
    heal(
        "five replicas, by kubectl scale",
        &["scale", &deployment, "--replicas=5"],
        &|| Ok(kube.replicas_of(NAMESPACE, names::INFERENCE_API)? == wanted),
    )?;
    heal(
        "the Service deleted",
        &["delete", "service", names::INFERENCE_API],
        &|| {
            Ok(kube
                .run(&["--namespace", NAMESPACE, "get", "service", names::INFERENCE_API])
                .is_ok())
        },
    )?;
    for (what, time) in &took {
        world.note(format!("healed after {:.1} s: {what}", time.as_secs_f64()));
    }
    world.wait_for("everything live again", world.patience.rollout, || {
        let status = world.engine.status()?;
        let app = status.app(names::INFERENCE_API).context("gone")?;
        ensure!(app.is_live_at(&head), "{}", app.summary());
        Ok(())
    })?;
    // A Service that is made anew reaches the nodes' tables a second or two later.
    world.wait_for("the API behind the new Service", world.patience.notice, || {
        ensure!(world.info()? == before, "another model is live");
        Ok(())
    })?;
    // Argo CD waits longer after each further attempt at one revision; the promise is for the first.
    ensure!(
        took[0].1 <= Duration::from_secs(5),
        "the first took {:.1} s",
        took[0].1.as_secs_f64()
    );
    Ok(None)
}

pub fn pods_restarted(world: &World) -> Result<Option<String>> {
    let kube = world.kubernetes()?;
    let (head, before) = (world.person.head()?, world.info()?);
    for namespace in ["serving", "training", "gitops", "argocd"] {
        kube.kill_pods(namespace, &["--all"])?;
    }
    world.wait_for(
        "every application after all pods were killed",
        world.patience.rollout * 2,
        || {
            world.engine.refresh()?;
            let status = world.engine.status()?;
            ensure!(!status.apps.is_empty(), "no application");
            for app in &status.apps {
                ensure!(app.is_live_at(&head), "{}", app.summary());
            }
            world.http.get_text(&format!("{}/health", world.mlflow))?;
            Ok(())
        },
    )?;
    ensure!(world.info()? == before, "another model is live");
    ensure!(world.person.head()? == head, "somebody committed");
    ensure!(
        world.alias(names::ALIAS_CHAMPION)? == before.model_version,
        "MLflow forgot the champion"
    );
    Ok(None)
}

pub fn scaled_under_load(world: &World) -> Result<Option<String>> {
    let kube = world.kubernetes()?;
    let wanted = kube.replicas_of(NAMESPACE, names::INFERENCE_API)?;
    let file = format!(
        "kustomize/overlays/{}/inference-api/size/kustomization.yaml",
        world.engine.environment()
    );
    let scale = |count: u64| -> Result<()> {
        let commit = world
            .person
            .edit(&file, &format!("Serve with {count} replicas"), |text| {
                let lines = text.lines().map(|line| match line.split_once("count:") {
                    Some((before, _)) => format!("{before}count: {count}"),
                    None => line.to_owned(),
                });
                lines.collect::<Vec<_>>().join("\n") + "\n"
            })?;
        world.wait_live(&commit)?;
        world.wait_for(&format!("{count} replicas"), world.patience.notice, || {
            let status = world.engine.status()?;
            let app = status.app(names::INFERENCE_API).context("gone")?;
            let ready = app.replicas.iter().filter(|replica| replica.ready).count();
            ensure!(
                ready as u64 == count && app.replicas.len() as u64 == count,
                "{}",
                app.summary()
            );
            Ok(())
        })
    };
    let steps: Vec<u64> = [2, 3, 2, wanted]
        .into_iter()
        .skip_while(|count| *count == wanted)
        .collect();
    let report = under_load(world, 500.0, 8, || {
        let mut now = wanted;
        for count in &steps {
            if *count != now {
                scale(*count)?;
                now = *count;
            }
        }
        Ok(())
    })?;
    ensure!(
        report.failed == 0,
        "{} of {} requests failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );
    Ok(None)
}

pub fn rollout_under_load(world: &World) -> Result<Option<String>> {
    let before = world.info()?;
    let report = under_load(world, 500.0, 8, || {
        for round in 0..2u64 {
            world.add_batch(&world.first_batch()?.moved(0.05, 4, 500 + round), "load")?;
            let run = world.train(&[], &[])?;
            crate::world::expect_exit(&run, 0)?;
        }
        Ok(())
    })?;
    ensure!(
        world.info()?.digests.model != before.digests.model,
        "nothing was rolled out"
    );
    ensure!(
        report.failed == 0,
        "{} of {} requests failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );
    Ok(None)
}

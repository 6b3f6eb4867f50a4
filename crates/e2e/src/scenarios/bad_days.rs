//! Things that break while nobody looks.

use crate::world::{World, expect_exit};
use anyhow::{Context, Result, ensure};
use contract::names::{self, exit};
use std::{path::Path, process::Command};
use traffic::FailureKind;

pub fn api_killed(world: &World) -> Result<Option<String>> {
    let before = world.info()?;
    let load = world.load(200.0, 4, world.bodies(&world.first_batch()?)?)?;
    // A process comes back with one restart more, a deleted pod as another pod.
    let replicas = |world: &World| -> Result<Vec<(String, u32)>> {
        let status = world.engine.status()?;
        let app = status.app(names::INFERENCE_API).context("gone")?.clone();
        ensure!(
            app.replicas.len() == app.replicas_wanted as usize && !app.replicas.is_empty(),
            "{}",
            app.summary()
        );
        ensure!(app.replicas.iter().all(|r| r.ready), "{}", app.summary());
        Ok(app.replicas.into_iter().map(|r| (r.name, r.restarts)).collect())
    };
    let had = world.wait_for("one set of replicas", world.patience.notice, || replicas(world))?;
    world.engine.kill(names::INFERENCE_API)?;
    world.wait_for("the restart", world.patience.notice, || {
        ensure!(replicas(world)? != had, "no restart counted yet");
        Ok(())
    })?;
    // A new pod is ready a moment before the nodes' tables lead to it.
    world.wait_for("the model of before", world.patience.notice, || {
        ensure!(world.info()?.digests == before.digests, "another model came back");
        Ok(())
    })?;
    world.send(&world.bodies(&world.first_batch()?)?[..20])?;
    let report = load.stop();
    match world.kubernetes {
        None => no_connection_refused(&report)?,
        // The sockets die with the pod, and it takes a moment until nothing is sent there any more.
        Some(_) => over_soon(world, &report)?,
    }
    Ok(None)
}

fn no_connection_refused(report: &traffic::Report) -> Result<()> {
    let refused: Vec<_> = report
        .failures
        .iter()
        .filter(|f| f.kind == FailureKind::Refused)
        .collect();
    ensure!(refused.is_empty(), "connections were refused: {refused:?}");
    // What was in the killed process's hands is lost and cannot be otherwise: one answer a connection.
    ensure!(
        report.failed <= 4,
        "{} of {} requests failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );
    Ok(())
}

fn over_soon(world: &World, report: &traffic::Report) -> Result<()> {
    let (first, last) = (report.failures.first(), report.failures.last());
    let seconds = last.map_or(0.0, |f| f.at_s) - first.map_or(0.0, |f| f.at_s);
    world.note(format!(
        "{} of {} requests failed, within {seconds:.1} s",
        report.failed, report.sent
    ));
    ensure!(
        seconds <= 10.0 && report.failed < report.sent / 2,
        "{} of {} requests failed over {seconds:.1} s",
        report.failed,
        report.sent
    );
    Ok(())
}

pub fn mlflow_stopped(world: &World) -> Result<Option<String>> {
    let (head, before) = (world.person.head()?, world.info()?);
    world.engine.suspend(names::MLFLOW, true)?;
    let ended = (|| {
        world.send(&world.bodies(&world.first_batch()?)?[..20])?;
        world.engine.kill(names::INFERENCE_API)?;
        world.wait_for("the API without MLflow", world.patience.notice, || world.info())?;
        world.add_batch(&world.first_batch()?.moved(0.01, 4, 77), "mlflow-stopped")?;
        world.train(&[], &[])
    })();
    world.engine.suspend(names::MLFLOW, false)?;
    let run = ended?;
    expect_exit(&run, exit::MLFLOW)?;
    ensure!(
        run.log_tail.iter().any(|line| line.contains("MLflow")),
        "the reason is not named: {:?}",
        run.log_tail
    );
    ensure!(
        world.person.head()? == head && world.info()?.digests == before.digests,
        "something was released"
    );

    world.wait_for("MLflow", world.patience.notice * 2, || {
        world.http.get_text(&format!("{}/health", world.mlflow))
    })?;
    let versions = world.versions()?.len();
    let run = world.train(&[], &[])?;
    expect_exit(&run, 0)?;
    ensure!(world.versions()?.len() == versions + 1, "not one new version");
    ensure!(
        world.person.subjects_since(&head)?.len() == 1,
        "not one new commit"
    );
    Ok(None)
}

pub fn full_disk(world: &World) -> Result<Option<String>> {
    let head = world.person.head()?;
    world.add_batch(&world.first_batch()?.moved(0.02, 4, 78), "full-disk")?;

    // A place where nothing can be written: a file stands where the folder should be.
    let wall = tempfile::NamedTempFile::new()?;
    let read_only = format!("oci-layout:{}/images", wall.path().display());
    let run = world.train(&[], &[("IMAGE_REPOSITORY", &read_only)])?;
    expect_exit(&run, exit::IMAGE)?;
    let said = run.log_tail.join("\n");
    ensure!(
        said.contains(&wall.path().display().to_string()),
        "the folder is not named: {said}"
    );
    ensure!(world.person.head()? == head, "Git was touched");

    let folder = tempfile::tempdir()?;
    let images = world.state.join("images");
    let bytes: u64 = listing(&images)?.iter().map(|(_, bytes)| bytes).sum();
    let mounted = Command::new("mount")
        .args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={}k", bytes / 1024 + 1024),
            "driftless-e2e",
        ])
        .arg(folder.path())
        .output()
        .is_ok_and(|out| out.status.success());
    if !mounted {
        let run = world.train(&[], &[])?;
        expect_exit(&run, 0)?;
        return Ok(Some(
            "the full disk: this user may not mount a small file system (the unwritable folder was tried)"
                .to_owned(),
        ));
    }
    let ended = fill_and_train(world, folder.path());
    Command::new("umount")
        .arg(folder.path())
        .status()
        .context("umount")?;
    ended?;
    ensure!(
        world.person.head()? == head,
        "Git was touched by a run on a full disk"
    );

    let run = world.train(&[], &[])?;
    expect_exit(&run, 0)?;
    ensure!(
        world.person.subjects_since(&head)?.len() == 1,
        "not one commit after the disk was free again"
    );
    Ok(None)
}

/// Copies the image layout to a disk, fills it, and lets a run fail there.
fn fill_and_train(world: &World, disk: &Path) -> Result<()> {
    let layout = disk.join("images");
    copy(&world.state.join("images"), &layout)?;
    let _ = std::fs::write(disk.join("ballast"), vec![0u8; 4 << 20]);
    let before = listing(&layout)?;
    let run = world.train(
        &[],
        &[("IMAGE_REPOSITORY", &format!("oci-layout:{}", layout.display()))],
    )?;
    expect_exit(&run, exit::IMAGE)?;
    let said = run.log_tail.join("\n");
    ensure!(
        said.contains("No space left"),
        "the full disk is not named: {said}"
    );
    ensure!(
        listing(&layout)? == before,
        "something half-written was left in the layout"
    );
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}

fn listing(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut all = Vec::new();
    let mut todo = vec![folder.to_path_buf()];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                todo.push(entry.path());
            } else if !entry.file_name().to_string_lossy().contains("lock") {
                all.push((entry.path().display().to_string(), entry.metadata()?.len()));
            }
        }
    }
    all.sort();
    Ok(all)
}

//! Golden plans of `up` and `down` for clusters: the specification of both.

mod support;

use std::sync::Arc;
use support::cluster::{FLAGS, World};
use xtask::{
    cmd,
    exec::Recording,
    flags::{self, Task},
};

fn plan(world: &World, flags: &[&str], task: &[&str]) -> String {
    let recording = Arc::new(Recording::new(world.fake(), &world.clone.root()));
    let ctx = world.ctx(recording.clone(), flags);
    let task: Task = flags::parse(["cargo xtask"].iter().chain(task))
        .unwrap()
        .task
        .unwrap();
    cmd::dispatch(&ctx, &task).unwrap_or_else(|failure| panic!("{failure}"));
    let head = world.clone.git(&["rev-parse", "HEAD"]);
    recording
        .take()
        .join("\n")
        .replace(&head, "<HEAD>")
        .replace(&xtask::tools::release_triple(), "<TRIPLE>")
        .replace(&std::process::id().to_string(), "<PID>")
}

fn up(world: &World, flags: &[&str]) {
    let ctx = world.ctx(Arc::new(world.fake()), flags);
    cmd::up::command(&ctx, &flags::UpFlags::default())
        .unwrap_or_else(|failure| panic!("{failure}\n{:?}", failure.detail));
}

#[test]
fn up_on_an_empty_cluster() {
    let world = World::new();
    insta::assert_snapshot!(plan(&world, &FLAGS, &["up"]));
    assert!(!world.state().exists(), "a dry run changed something");
    assert!(world.holds.lock().unwrap().applied.is_empty());
}

#[test]
fn up_with_a_hosted_repository() {
    let world = World::new();
    let flags = [&FLAGS[..], &["--git-url", "https://git.invalid/me/driftless.git"]].concat();
    insta::assert_snapshot!(plan(&world, &flags, &["up"]));
}

#[test]
fn up_on_minikube() {
    let world = World::new();
    insta::assert_snapshot!(plan(&world, &["--engine", "minikube"], &["up"]));
}

#[test]
fn commands_on_a_running_cluster() {
    let world = World::new();
    up(&world, &FLAGS);
    for (name, task) in [
        ("up", &["up"][..]),
        ("rollback", &["rollback"]),
        ("images", &["images", "--archive", "images.tar"]),
        ("e2e", &["e2e", "--", "--only", "release"]),
        ("down", &["down", "--purge", "--yes"]),
    ] {
        insta::assert_snapshot!(format!("running-cluster-{name}"), plan(&world, &FLAGS, task));
    }
    assert!(world.state().exists(), "a dry run purged");
}

#[test]
fn down_on_minikube() {
    let world = World::new();
    up(&world, &["--engine", "minikube"]);
    for (name, task) in [("stop", &["down"][..]), ("purge", &["down", "--purge"])] {
        let plan = plan(&world, &["--engine", "minikube"], task);
        insta::assert_snapshot!(format!("running-minikube-{name}"), plan);
    }
}

#[test]
fn a_dry_run_needs_no_program_that_an_earlier_step_brings() {
    let world = World::new();
    let fake = world
        .fake()
        .says("kubectl", &["version"], 0, "Client Version: v1.30.0\n", "");
    let recording = Arc::new(Recording::new(fake, &world.clone.root()));
    let ctx = world.ctx(recording.clone(), &FLAGS);
    cmd::up::command(&ctx, &flags::UpFlags::default()).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(
        recording
            .take()
            .iter()
            .any(|line| line.contains("bin/kubectl --context lab apply"))
    );
}

//! Golden plans: what each command would run and change.

mod support;

use std::sync::Arc;
use support::Clone;
use xtask::{
    cmd,
    exec::{Fake, Recording},
    flags::{self, Task},
};

fn task(args: &[&str]) -> Task {
    flags::parse(["cargo xtask"].iter().chain(args))
        .unwrap()
        .task
        .unwrap()
}

fn plan(clone: &Clone, world: Fake, args: &[&str]) -> String {
    let recording = Arc::new(Recording::new(world, &clone.root()));
    let ctx = clone.ctx(recording.clone());
    cmd::dispatch(&ctx, &task(args)).unwrap();
    let head = clone.git(&["rev-parse", "HEAD"]);
    recording
        .take()
        .join("\n")
        .replace(&head, "<HEAD>")
        .replace(&xtask::tools::release_triple(), "<TRIPLE>")
        .replace(&std::process::id().to_string(), "<PID>")
}

#[test]
fn up_on_a_fresh_clone() {
    let clone = Clone::new();
    insta::assert_snapshot!(plan(&clone, clone.world(), &["up"]));
    assert!(!clone.state().exists(), "a dry run changed something");
}

#[test]
fn up_from_a_step() {
    let clone = Clone::new();
    insta::assert_snapshot!(plan(&clone, clone.world(), &["up", "--from", "engine"]));
}

#[test]
fn commands_on_a_running_world() {
    let clone = Clone::new();
    let world = Arc::new(clone.world());
    cmd::dispatch(&clone.ctx(world.clone()), &task(&["up"])).unwrap();
    // The folder of the running world, seen by another executor of the same script.
    let again = || {
        let fake = clone.world();
        fake.engine_handle().world().running = true;
        fake
    };
    for (name, args) in [
        ("up", &["up"][..]),
        ("train", &["train", "--force", "--", "--trees", "50"]),
        ("rollback", &["rollback"]),
        ("down", &["down", "--purge"]),
        ("images", &["images"]),
        ("bench", &["bench", "serve", "--seconds", "1"]),
    ] {
        insta::assert_snapshot!(format!("running-{name}"), plan(&clone, again(), args));
    }
    assert!(clone.state().exists(), "a dry run purged");
}

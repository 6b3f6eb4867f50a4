//! Twice on a fake world: the second time changes nothing.

mod support;

use std::sync::Arc;
use support::{Clone, DIGEST, git};
use xtask::{
    cmd::{self, up},
    exec::Fake,
    flags::{Task, UpFlags},
    report::Ending,
};

fn up(clone: &Clone, world: &Arc<Fake>) -> Vec<(String, Ending)> {
    let ctx = clone.ctx(world.clone());
    up::command(&ctx, &UpFlags::default())
        .unwrap_or_else(|failure| panic!("{failure}\n{:?}", failure.detail));
    ctx.report
        .lines()
        .into_iter()
        .map(|line| (line.name, line.ending))
        .collect()
}

#[test]
fn the_second_up_changes_nothing() {
    let clone = Clone::new();
    let world = Arc::new(clone.world());
    let first = up(&clone, &world);
    let done = first.iter().filter(|(_, ending)| *ending == Ending::Done).count();
    assert!(done >= 6, "{first:?}");
    assert!(!world.take_changes().is_empty());

    let second = up(&clone, &world);
    assert_eq!(
        second
            .iter()
            .filter(|(_, ending)| *ending != Ending::Already)
            .collect::<Vec<_>>(),
        [] as [&_; 0]
    );
    // Cargo decides what to compile, so it is asked each time; nothing else runs.
    let changes = world.take_changes();
    assert!(
        changes
            .iter()
            .all(|change| change.contains("cargo build") || change.contains(" build --locked")),
        "{changes:?}"
    );
}

#[test]
fn main_holds_the_clone_the_trainer_image_and_the_promotion() {
    let clone = Clone::new();
    up(&clone, &Arc::new(clone.world()));
    let subjects = git(&clone.bare(), &["log", "--format=%s", "main"]);
    let expected = "promote(local): inference-api m1-0a1b2c3\nbootstrap(local): trainer 111111111111\nfirst";
    assert_eq!(subjects, expected);
    let touched = git(&clone.bare(), &["show", "--format=", "--name-only", "main~1"]);
    let component = "kustomize/overlays/local/training/release/image/kustomization.yaml";
    assert_eq!(touched, component);
    assert!(git(&clone.bare(), &["show", &format!("main:{component}")]).contains(DIGEST));
}

#[test]
fn a_new_commit_is_fast_forwarded_or_merged() {
    let clone = Clone::new();
    let world = Arc::new(clone.world());
    up(&clone, &world);
    // The robot has committed meanwhile, so the clone's next commit is merged in.
    clone.put("docs/a.md", "a");
    let head = clone.commit("second");
    up(&clone, &world);
    assert!(git(&clone.bare(), &["log", "--format=%H", "main"]).contains(&head));
    assert!(
        git(&clone.bare(), &["log", "--format=%s", "main"]).contains("promote(local)"),
        "the promotion was lost"
    );
    // Whoever pulls may go on; then it is a fast-forward.
    clone.git(&[
        "pull",
        "--quiet",
        "--no-rebase",
        "--no-edit",
        ".driftless/gitops.git",
        "main",
    ]);
    let head = clone.commit("third");
    up(&clone, &world);
    // One more commit names the trainer's image only where it changed, and here it did not.
    assert_eq!(git(&clone.bare(), &["rev-parse", "main"]), head);
}

#[test]
fn an_interrupted_up_goes_on_where_it_was() {
    let clone = Clone::new();
    let world = clone.world().says("trainer", &["image"], 41, "", "cannot write");
    let broken = Arc::new(world);
    let ctx = clone.ctx(broken.clone());
    let failure = up::command(&ctx, &UpFlags::default()).unwrap_err();
    assert_eq!(
        (failure.id.text(), failure.step.as_str()),
        ("image-store", "images")
    );

    let mended = clone.world();
    mended.engine_handle().world().running = true;
    let lines = up(&clone, &Arc::new(mended));
    let ending = |name: &str| lines.iter().find(|(step, _)| step == name).unwrap().1;
    assert_eq!(
        ["tools", "git", "data", "engine"].map(ending),
        [Ending::Already; 4]
    );
    assert_eq!(["images", "train"].map(ending), [Ending::Done; 2]);
}

#[test]
fn down_stops_and_purge_removes_only_what_is_ours() {
    let clone = Clone::new();
    let world = Arc::new(clone.world());
    up(&clone, &world);
    let down = |purge| {
        let flags = xtask::flags::DownFlags { purge, yes: false };
        cmd::dispatch(&clone.ctx(world.clone()), &Task::Down(flags)).unwrap();
    };
    down(false);
    assert!(!world.engine_handle().world().running);
    assert!(clone.bare().exists());
    down(true);
    assert!(!clone.state().exists());
    assert!(clone.root().join("trainer/data/iris.csv").exists());
    down(true);
}

//! Somebody else is faster, or what was promoted does not come up.

use crate::support::program::Said;
use crate::support::registry::Registry;
use crate::support::world::World;
use contract::names::{ALIAS_CHALLENGER, ALIAS_CHAMPION, exit};

pub fn outrun(world: &World) {
    let killed = world.trainer(&["run"], &[("DRIFTLESS_EXIT_AFTER", "package")]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let other = world.path("other").display().to_string();
    world
        .trainer(&["run", "--seed", "7"], &[("WORK_DIR", &other)])
        .expect(0);
    let folder = std::fs::read_dir(world.path("runs"))
        .unwrap()
        .flatten()
        .find(|e| e.path().join("model").is_dir());
    let folder = folder.unwrap().path().display().to_string();
    let said = world
        .trainer(&["promote"], &[("RUN_DIR", &folder)])
        .expect(exit::OUTRUN);
    assert_eq!(said.json()["status"], "outrun");
    assert!(
        said.json()["reason"].as_str().unwrap().contains("outrun"),
        "{}",
        said.stdout
    );
    // The run that was cut off cannot be taken up again: the other one has learnt the same.
    world.trainer(&["run"], &[]).expect(exit::NOTHING_NEW);
    assert_eq!(world.subjects().len(), 2);
}

pub fn racing(world: &World) {
    let (one, two) = (
        world.path("one").display().to_string(),
        world.path("two").display().to_string(),
    );
    let start = |folder: &str, seed: &str| world.trainer(&["run", "--seed", seed], &[("WORK_DIR", folder)]);
    let ended: Vec<Said> = std::thread::scope(|scope| {
        let racers = [scope.spawn(|| start(&one, "1")), scope.spawn(|| start(&two, "2"))];
        racers.map(|racer| racer.join().unwrap()).into()
    });
    let codes: Vec<Option<i32>> = ended.iter().map(|said| said.code).collect();
    let lost = [exit::OUTRUN, exit::NOTHING_NEW].map(|code| Some(i32::from(code)));
    assert!(
        codes.contains(&Some(0)) && codes.iter().any(|code| lost.contains(code)),
        "{ended:?}"
    );
    let loser = ended.iter().find(|said| said.code != Some(0)).unwrap();
    assert!(loser.json()["reason"].is_string(), "{loser:?}");
    assert_eq!(world.subjects().len(), 2);
    let champion = Registry::of(world).alias(ALIAS_CHAMPION).unwrap();
    assert!(
        world.subjects()[0].contains(&format!("m{champion}-")),
        "{:?}",
        world.subjects()
    );
}

/// A release that does not come up: the old alias stays, and a second run finishes what is left.
pub fn degraded(world: &World) {
    world.set_degraded(true);
    let said = world.trainer(&["run"], &[]).expect(exit::NOT_LIVE);
    assert!(
        said.stderr.contains("m1-0123456 is not live") && said.stderr.contains("last words"),
        "{}",
        said.stderr
    );
    let registry = Registry::of(world);
    assert_eq!(
        (registry.alias(ALIAS_CHAMPION), registry.alias(ALIAS_CHALLENGER)),
        (None, Some(1))
    );
    assert_eq!(
        registry.versions()[0].tag("driftless.dev/outcome"),
        Some("not-live")
    );
    world.set_degraded(false);
    world.trainer(&["run"], &[]).expect(0);
    assert_eq!(
        (registry.alias(ALIAS_CHAMPION), world.subjects().len()),
        (Some(1), 2)
    );
}

/// Somebody reverts between the promotion and the look at what is live.
pub fn replaced_before_live(world: &World) {
    let killed = world.trainer(&["run"], &[("DRIFTLESS_EXIT_AFTER", "promote")]);
    assert_eq!(killed.code, None);
    let folder = std::fs::read_dir(world.path("runs"))
        .unwrap()
        .flatten()
        .find(|e| e.path().join("model").is_dir());
    let folder = folder.unwrap().path().display().to_string();
    world.revert();
    let said = world
        .trainer(
            &["confirm"],
            &[("RUN_DIR", &folder), ("LIVE_DEADLINE_SECONDS", "1")],
        )
        .expect(exit::OUTRUN);
    assert!(
        said.stderr
            .contains("was replaced by unreleased before it was live"),
        "{}",
        said.stderr
    );
    let version = &Registry::of(world).versions()[0];
    assert_eq!(version.tag("driftless.dev/outcome"), Some("outrun"));
    assert_eq!(Registry::of(world).alias(ALIAS_CHAMPION), None);
}

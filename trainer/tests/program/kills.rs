//! Killed at every point and started again: the same end as an undisturbed run.

use crate::support::registry::Registry;
use crate::support::world::World;
use contract::names::{ALIAS_CHAMPION, exit};
use mlflow_client::RunStatus;

/// Every point at which the program can be made to die.
pub const POINTS: [&str; 18] = [
    "load:act",
    "load",
    "train:act",
    "train",
    "validate:act",
    "validate",
    "register:run",
    "register:model",
    "register:files",
    "register:version",
    "register:act",
    "register",
    "package:act",
    "package",
    "promote:act",
    "promote",
    "confirm:act",
    "confirm",
];

pub fn killed(world: &World, point: &str) {
    // After a whole step twice, as an engine's retries would.
    let starts = if point.contains(':') { 1 } else { 2 };
    for _ in 0..starts {
        let said = world.trainer(&["run"], &[("DRIFTLESS_EXIT_AFTER", point)]);
        assert_eq!(said.code, None, "{point}: {said:?}");
    }
    let registry = Registry::of(world);
    world.trainer(&["run"], &[]).expect(0);
    assert_eq!(
        (world.subjects().len(), registry.versions().len()),
        (2, 1),
        "{point}"
    );
    let [version] = &registry.versions()[..] else {
        panic!("not one version")
    };
    assert_eq!(registry.alias(ALIAS_CHAMPION), Some(1), "{point}");
    let key = version.tag("driftless.dev/run-key").unwrap();
    let runs = registry.runs(&format!("tags.`driftless.dev/run-key` = '{key}'"));
    assert_eq!(runs.len(), 1, "{point}");
    assert_eq!(runs[0].info.status, RunStatus::Finished, "{point}");
    world.trainer(&["run"], &[]).expect(exit::NOTHING_NEW);
    assert_eq!(registry.versions().len(), 1, "{point}");
}

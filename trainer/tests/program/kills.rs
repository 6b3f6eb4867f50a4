//! Killed at every point and started again: the same end as an undisturbed run.

use crate::support::program::Said;
use crate::support::registry::Registry;
use crate::support::world::{IRIS, World};
use contract::names::{ALIAS_CHALLENGER, ALIAS_CHAMPION, exit};
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
    world.trainer(&["run"], &[]).expect(0);
    one_of_each(world, point);
    world.trainer(&["run"], &[]).expect(exit::NOTHING_NEW);
    assert_eq!(Registry::of(world).versions().len(), 1, "{point}");
}

/// As in a cluster: each pod of a Job has an empty disk, and knows its run by the Job's name alone.
pub fn killed_and_wiped(world: &World, point: &str) {
    let (job, next) = (Job::new(world, "a1b2c3"), Job::new(world, "d4e5f6"));
    // Half of them forced: a forced run must not become a second one by being started again.
    let args: &[&str] = match point.len() % 2 {
        0 => &["run"],
        _ => &["run", "--force"],
    };
    for _ in 0..2 {
        let said = job.pod(args, &[("DRIFTLESS_EXIT_AFTER", point)]);
        assert_eq!(said.code, None, "{point}: {said:?}");
    }
    let said = job.pod(args, &[]).expect(0).json();
    let ends = (&said["promoted"], &said["live"], said["commit"].as_str());
    assert_eq!(
        ends,
        (&true.into(), &true.into(), Some(world.head().as_str())),
        "{point}"
    );
    one_of_each(world, point);
    assert_eq!(job.runs(), [RunStatus::Finished], "{point}");
    // The next Job is another run.
    next.pod(&["run"], &[]).expect(exit::NOTHING_NEW);
    assert_eq!(Registry::of(world).versions().len(), 1, "{point}");
}

/// A Job: pods that share a name and nothing else.
struct Job<'a> {
    world: &'a World,
    name: String,
}

impl<'a> Job<'a> {
    fn new(world: &'a World, name: &str) -> Self {
        // Worlds share one MLflow.
        let name = format!("{}-{name}", world.variable("MODEL_NAME"));
        Job { world, name }
    }

    fn pod(&self, args: &[&str], more: &[(&str, &str)]) -> Said {
        let env = [&[("RUN_NONCE", self.name.as_str())], more].concat();
        let said = self.world.trainer(args, &env);
        std::fs::remove_dir_all(self.world.path("runs")).unwrap();
        said
    }

    /// Its runs in MLflow.
    fn runs(&self) -> Vec<RunStatus> {
        let runs =
            Registry::of(self.world).runs(&format!("tags.`driftless.dev/run-nonce` = '{}'", self.name));
        runs.iter().map(|run| run.info.status).collect()
    }
}

/// One commit, one version, one finished run in MLflow, nothing left open.
fn one_of_each(world: &World, point: &str) {
    let registry = Registry::of(world);
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
}

/// Killed between the commit that takes a release back and the word about it; first with the folder
/// kept, then without.
pub fn killed_while_withdrawing(world: &World, point: &str) {
    let job = Job::new(world, "wiped");
    let kept: &[(&str, &str)] = &[];
    let killed = [("DRIFTLESS_EXIT_AFTER", point)];
    world.set_degraded(true);
    for is_wiped in [false, true] {
        let start = |more: &[(&str, &str)]| match is_wiped {
            true => job.pod(&["run"], more),
            false => world.trainer(&["run"], more),
        };
        if is_wiped {
            world.add("batch-0002.csv", &IRIS.replacen("5.1", "5.2", 1));
        }
        let said = start(&killed);
        assert_eq!(said.code, None, "{point}: {said:?}");
        let subjects = world.subjects();
        let said = start(kept).expect(exit::NOT_LIVE).json();
        let withdrawn = serde_json::json!({"commit": world.head(), "already": true});
        assert_eq!(said["withdrawn"], withdrawn, "{point}: {said}");
        assert_eq!(world.subjects(), subjects, "{point}");
        let registry = Registry::of(world);
        let version = &registry.versions()[0];
        assert_eq!(version.tag("driftless.dev/outcome"), Some("withdrawn"), "{point}");
        assert_eq!(
            version.tag("driftless.dev/withdrawn-by"),
            Some(world.head().as_str())
        );
        assert_eq!(
            (registry.alias(ALIAS_CHAMPION), registry.alias(ALIAS_CHALLENGER)),
            (None, None)
        );
    }
    assert_eq!(
        (world.subjects().len(), Registry::of(world).versions().len()),
        (5, 2)
    );
    world.trainer(&["run"], &[]).expect(exit::NOTHING_NEW);
}

/// The live model changes between two pods of one Job: what the first one began is ended in MLflow.
pub fn outrun_and_wiped(world: &World) {
    let (one, two) = (Job::new(world, "one"), Job::new(world, "two"));
    let forced = ["run", "--force"];
    assert_eq!(
        one.pod(&forced, &[("DRIFTLESS_EXIT_AFTER", "register:run")]).code,
        None
    );
    assert_eq!(one.runs(), [RunStatus::Running]);
    two.pod(&["run"], &[]).expect(0);
    one.pod(&forced, &[]).expect(0);
    assert_eq!(one.runs(), [RunStatus::Finished, RunStatus::Killed]);
    assert_eq!(
        (world.subjects().len(), Registry::of(world).versions().len()),
        (3, 2)
    );

    // Promoted, taken back by a person, started again: the person's word stands, forced or not.
    let three = Job::new(world, "three");
    assert_eq!(
        three.pod(&forced, &[("DRIFTLESS_EXIT_AFTER", "promote")]).code,
        None
    );
    world.revert();
    let said = three.pod(&forced, &[]).expect(exit::OUTRUN);
    assert!(
        said.stderr
            .contains("was promoted by this run and replaced by m2-"),
        "{}",
        said.stderr
    );
    let version = &Registry::of(world).versions()[0];
    assert_eq!(version.tag("driftless.dev/outcome"), Some("outrun"));
    assert_eq!(world.subjects().len(), 5);
}

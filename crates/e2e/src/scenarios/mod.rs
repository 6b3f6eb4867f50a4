//! The promises, each a function of the world. Order matters: each leaves the loop healthy.

mod bad_days;
mod first;
mod release;
mod retrain;
mod trainers;

use crate::world::World;

/// A promise and the code that tries to break it. `Ok(Some(reason))` means it could not be tried here.
pub struct Scenario {
    pub name: &'static str,
    pub promise: &'static str,
    pub run: fn(&World) -> anyhow::Result<Option<String>>,
}

macro_rules! scenario {
    ($function:path, $promise:literal) => {
        Scenario {
            name: {
                const PATH: &str = stringify!($function);
                // `module :: name` -> `name`; stringify is const, so is this.
                match PATH.rsplit_once("::") {
                    Some((_, name)) => name.trim_ascii(),
                    None => PATH,
                }
            },
            promise: $promise,
            run: $function,
        }
    };
}

/// All scenarios in the order in which they must run.
pub fn all() -> Vec<Scenario> {
    vec![
        scenario!(
            first::first_rollout,
            "the first model is live, promoted by one commit, champion in MLflow"
        ),
        scenario!(
            retrain::nothing_new,
            "the same data again: its own exit code, no second version, no commit"
        ),
        scenario!(
            retrain::worse_refused,
            "a worse candidate is refused with reasons and Git is untouched"
        ),
        scenario!(
            retrain::drift_retrain_rollout,
            "drift, retrain, rollout under 1,000 requests/s with 0 failed; no drift after"
        ),
        scenario!(
            release::revert,
            "revert: the old model byte for byte, and no robot commit in 20 reconciles"
        ),
        scenario!(
            release::revert_of_revert,
            "revert of the revert: the new model byte for byte"
        ),
        scenario!(
            release::cannot_start,
            "an image that cannot start: Degraded, named, the old one serving"
        ),
        scenario!(
            bad_days::api_killed,
            "the API killed: back by itself, no connection refused"
        ),
        scenario!(
            bad_days::mlflow_stopped,
            "MLflow stopped: serving goes on, training says so, then succeeds"
        ),
        scenario!(
            bad_days::full_disk,
            "a full disk or a read-only layout: clear error, nothing half-written"
        ),
        scenario!(
            trainers::killed_after_each_step,
            "the trainer killed after each step and run again: one version, one commit"
        ),
        scenario!(
            trainers::two_racing,
            "two trainers racing: one promotes, the other says why not"
        ),
    ]
}

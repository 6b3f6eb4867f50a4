//! The promises, each a function of the world. Order matters: each leaves the loop healthy.

mod bad_days;
mod first;
mod healing;
mod measured;
mod outages;
mod release;
mod retrain;
mod robot;
mod trainers;

use crate::world::World;

/// A promise and the code that tries to break it. `Ok(Some(reason))` means it could not be tried here.
pub struct Scenario {
    pub name: &'static str,
    pub promise: &'static str,
    pub run: fn(&World) -> anyhow::Result<Option<String>>,
    pub on: On,
}

/// Which worlds can have the bad day at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Any,
    /// Engines that run processes of this machine.
    Processes,
    /// Kubernetes.
    Clusters,
}

impl std::fmt::Display for On {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            On::Any => "any engine",
            On::Processes => "processes",
            On::Clusters => "clusters",
        })
    }
}

impl Scenario {
    /// Whether this world can have it.
    pub fn fits(&self, world: &World) -> bool {
        match self.on {
            On::Any => true,
            On::Processes => world.kubernetes.is_none(),
            On::Clusters => world.kubernetes.is_some(),
        }
    }
}

/// Does something while `/predict` is asked at a fixed rate, and a second longer; what came of the requests.
fn under_load(
    world: &World,
    rate_per_s: f64,
    connections: usize,
    what: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<traffic::Report> {
    let load = world.load(rate_per_s, connections, world.bodies(&world.first_batch()?)?)?;
    what()?;
    let so_far = load.report().sent;
    world.wait_for("another second of load", world.patience.notice, || {
        anyhow::ensure!(
            load.report().sent >= so_far + rate_per_s as u64,
            "the load has stopped"
        );
        Ok(())
    })?;
    Ok(load.stop())
}

macro_rules! scenario {
    ($function:path, $promise:literal) => {
        scenario!($function, $promise, On::Any)
    };
    ($function:path, $promise:literal, $on:expr) => {
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
            on: $on,
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
            measured::push_to_live,
            "a push is live in 6 s and a revert too (medians of five)",
            On::Clusters
        ),
        scenario!(
            measured::small,
            "the API's pod uses 20 MiB at most, and all pods together ask for 1.6 GiB at most",
            On::Clusters
        ),
        scenario!(
            healing::manual_change_healed,
            "what a person changes by hand is as in Git again, the first time within 5 s",
            On::Clusters
        ),
        scenario!(
            healing::scaled_under_load,
            "2, 3, 2 replicas by commits under 500 requests/s with 0 failed",
            On::Clusters
        ),
        scenario!(
            healing::rollout_under_load,
            "two rollouts under 500 requests/s with 0 failed",
            On::Clusters
        ),
        scenario!(
            robot::pushes_in_a_row,
            "two pushes 20 ms apart, ten times: what is called live is what runs",
            On::Clusters
        ),
        scenario!(
            outages::controller_killed,
            "Argo CD's controller killed as a sync begins: live in the end, and never called so before",
            On::Clusters
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
            "a full disk or a read-only layout: clear error, nothing half-written",
            On::Processes
        ),
        scenario!(
            outages::git_down,
            "the Git server down: serving goes on, the promotion waits and then succeeds",
            On::Clusters
        ),
        scenario!(
            outages::registry_down,
            "the registry down: a clear error and nothing released; later it succeeds",
            On::Clusters
        ),
        scenario!(
            outages::mlflow_killed,
            "MLflow killed in the middle of a registration: one version, one commit",
            On::Clusters
        ),
        scenario!(
            outages::wrong_token,
            "a wrong Git token: named, never shown, nothing released",
            On::Clusters
        ),
        scenario!(
            trainers::killed_after_each_step,
            "the trainer killed after each step and run again: one version, one commit"
        ),
        scenario!(
            trainers::the_same_model_everywhere,
            "the retrain's pipeline by the engine and on this machine: the same model"
        ),
        scenario!(
            trainers::two_racing,
            "two trainers racing: one promotes, the other says why not"
        ),
        scenario!(
            healing::pods_restarted,
            "all pods killed at once, Argo CD's and Git's too: everything live again as it was",
            On::Clusters
        ),
        scenario!(
            robot::policy_blocks,
            "a pod that no policy lets through cannot reach MLflow",
            On::Clusters
        ),
        scenario!(
            robot::robot_reverts,
            "a promoted image that cannot start: named in 15 s, taken back by the robot in 90 s, once",
            On::Clusters
        ),
    ]
}

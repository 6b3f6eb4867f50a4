//! Where runs are started and the ledger is kept: the engine beside us, or the cluster around us.

use super::end;
use crate::cli::PlaceFlags;
use crate::confirm;
use crate::failure::{Failure, Result};
use cluster::in_cluster::{Begun, InCluster};
use contract::names::TRAINING;
use drift::episodes::{Answer, Entry, Ledger, RunLook, Runs};
use engine::{DRIFT_LEDGER, Engine, EngineClient, RunPhase};
use std::collections::BTreeMap;

/// See the module.
pub enum Place {
    /// A local one, or a bridge.
    Engine(EngineClient),
    /// As a pod's service account.
    Cluster(Box<InCluster>),
}

impl Place {
    /// The one that is there.
    ///
    /// # Errors
    /// Usage where there is none.
    pub fn of(flags: &PlaceFlags) -> Result<Self> {
        if let Some(file) = &flags.engine_file {
            return Ok(Place::Engine(confirm::engine(file)?));
        }
        // What every pod is told.
        if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            let cluster = InCluster::open(&flags.training_namespace).map_err(refused)?;
            return Ok(Place::Cluster(Box::new(cluster)));
        }
        Err(Failure::new(
            2,
            "no engine: give --engine-file (the engine sets DRIFTLESS_ENGINE_FILE for its own runs), or run in a pod",
        ))
    }

    /// For people.
    pub fn name(&self) -> &str {
        match self {
            Place::Engine(engine) => engine.name(),
            Place::Cluster(_) => "cluster",
        }
    }

    /// The ledger and its version.
    ///
    /// # Errors
    /// It cannot be read, or was written by another version of the trainer.
    pub fn read(&self) -> Result<(Ledger, String)> {
        let (version, text) = match self {
            Place::Engine(engine) => {
                let record = engine.record(DRIFT_LEDGER).map_err(unkept)?;
                (record.version, record.text)
            }
            Place::Cluster(cluster) => cluster.record(DRIFT_LEDGER).map_err(unkept)?,
        };
        let Some(text) = text else {
            return Ok((Ledger::default(), version));
        };
        let unreadable = |cause: String| {
            Failure::new(
                1,
                format!(
                    "trigger-ledger-unreadable: {DRIFT_LEDGER} of the {} engine: {cause}",
                    self.name()
                ),
            )
        };
        let ledger: Ledger = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        let ledger = ledger.checked().map_err(|error| unreadable(error.to_string()))?;
        Ok((ledger, version))
    }

    /// Writes the ledger if it still has that version; whether it did.
    ///
    /// # Errors
    /// What the engine said.
    pub fn write(&self, ledger: &Ledger, expected: &str) -> Result<bool> {
        let text = serde_json::to_string(ledger).map_err(anyhow::Error::new)?;
        match self {
            Place::Engine(engine) => engine.put_record(DRIFT_LEDGER, expected, &text).map_err(unkept),
            Place::Cluster(cluster) => cluster.put_record(DRIFT_LEDGER, expected, &text).map_err(unkept),
        }
    }

    /// What is known of these runs, and of any that is not over.
    ///
    /// # Errors
    /// What the engine said.
    pub fn runs(&self, names: &[String]) -> Result<Runs> {
        let mut known = BTreeMap::new();
        let unfinished = match self {
            Place::Engine(engine) => {
                let over = |phase: RunPhase| matches!(phase, RunPhase::Succeeded | RunPhase::Failed);
                let all = engine.status().map_err(refused)?.runs;
                let mut mine = all.into_iter().filter(|run| run.template == TRAINING);
                let mut unfinished = None;
                for run in mine.by_ref() {
                    if !over(run.phase) {
                        unfinished.get_or_insert_with(|| run.id.clone());
                    }
                    if names.contains(&run.id) {
                        let look = match over(run.phase) {
                            false => RunLook::Unfinished,
                            // Only so its output is told, too.
                            true => end::of_run(&engine.run(&run.id).map_err(refused)?),
                        };
                        known.insert(run.id, look);
                    }
                }
                unfinished
            }
            Place::Cluster(cluster) => {
                let all = cluster.runs(TRAINING).map_err(refused)?;
                let open = all.iter().find(|(_, end)| end.is_none());
                let open = open.map(|(name, _)| name.clone());
                for (name, end) in all.into_iter().filter(|(name, _)| names.contains(name)) {
                    let look = match end {
                        None => RunLook::Unfinished,
                        Some(end) => end::of_job(&end),
                    };
                    known.insert(name, look);
                }
                open
            }
        };
        Ok(Runs { known, unfinished })
    }

    /// Makes the run of this entry, unless it is there.
    ///
    /// # Errors
    /// What the engine said.
    pub fn start(&self, entry: &Entry, args: &[String], env: &[(String, String)]) -> Result<Answer> {
        match self {
            // A run of a person that is not over is waited for by the engine.
            Place::Engine(engine) => engine
                .start_run_named(TRAINING, &entry.run, args, env)
                .map(|_| Answer::Started)
                .map_err(refused),
            Place::Cluster(cluster) => {
                let begun = cluster.start_run_named(TRAINING, &entry.run, args, env);
                Ok(match begun.map_err(refused)? {
                    Begun::There => Answer::Started,
                    Begun::Busy(run) => Answer::Busy(run),
                })
            }
        }
    }
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::new(1, format!("the retrain cannot be started: {error}"))
}

fn unkept(error: impl std::fmt::Display) -> Failure {
    Failure::new(1, format!("trigger-ledger-unreachable: {error}"))
}

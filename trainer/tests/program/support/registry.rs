//! What MLflow holds about a world's model, asked by the client of ours.

use super::world::World;
use mlflow_client::{Client, ModelVersion, NewRun, Run, now_ms};

/// MLflow, seen from a test.
pub struct Registry {
    client: Client,
    runtime: tokio::runtime::Runtime,
    name: String,
}

impl Registry {
    pub fn of(world: &World) -> Self {
        Registry {
            client: Client::new(&world.mlflow).unwrap(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
            name: world.variable("MODEL_NAME"),
        }
    }

    /// Versions, newest first.
    pub fn versions(&self) -> Vec<ModelVersion> {
        self.runtime
            .block_on(self.client.versions(&self.name, None))
            .unwrap()
    }

    /// Version behind an alias.
    pub fn alias(&self, alias: &str) -> Option<u64> {
        self.runtime
            .block_on(self.client.alias(&self.name, alias))
            .unwrap()
            .map(|version| version.version)
    }

    /// Opens a run, as a pipeline engine's plugin does; its id.
    pub fn open_run(&self) -> String {
        self.runtime.block_on(async {
            let experiment_id = self.client.experiment_or_create("pipelines").await.unwrap();
            let run_name = "opened elsewhere".to_owned();
            let new = NewRun {
                experiment_id,
                run_name,
                start_time: now_ms(),
                tags: Vec::new(),
            };
            self.client.create_run(&new).await.unwrap().info.run_id
        })
    }

    /// A run by id.
    pub fn run(&self, id: &str) -> Run {
        self.runtime.block_on(self.client.run(id)).unwrap()
    }

    /// Runs of the experiment that `filter` selects.
    pub fn runs(&self, filter: &str) -> Vec<Run> {
        self.runtime.block_on(async {
            let experiment = self.client.experiment(contract::names::EXPERIMENT).await.unwrap();
            match experiment {
                Some(experiment) => self.client.search_runs(&experiment, filter, 100).await.unwrap(),
                None => Vec::new(),
            }
        })
    }
}

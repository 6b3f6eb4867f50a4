//! Runs: create, find, log, finish.

use crate::types::{Metric, Param, Tag, find};
use crate::{Client, Error};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// State of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunStatus {
    /// On its way.
    Running,
    /// Asked for, not begun.
    Scheduled,
    /// Over, well.
    Finished,
    /// Over, not well.
    Failed,
    /// Stopped.
    Killed,
}

/// A run to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewRun {
    /// Id, not name.
    pub experiment_id: String,
    /// Shown in lists.
    pub run_name: String,
    /// Milliseconds since 1970.
    pub start_time: i64,
    /// `mlflow.user`, `mlflow.source.name`, ... are shown by the web page.
    pub tags: Vec<Tag>,
}

/// A run as the server holds it.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    /// Id, state, place.
    pub info: RunInfo,
    /// What was logged.
    #[serde(default)]
    pub data: RunData,
    /// Datasets.
    #[serde(default)]
    pub inputs: RunInputs,
    /// Logged models.
    #[serde(default)]
    pub outputs: RunOutputs,
}

/// Id, state and place of a run.
#[derive(Clone, Debug, Deserialize)]
pub struct RunInfo {
    /// 32 hex digits.
    pub run_id: String,
    /// Id of its experiment.
    pub experiment_id: String,
    /// Shown in lists.
    #[serde(default)]
    pub run_name: String,
    /// State.
    pub status: RunStatus,
    /// Milliseconds since 1970.
    #[serde(default)]
    pub start_time: i64,
    /// `mlflow-artifacts:/<experiment>/<run>/artifacts`.
    pub artifact_uri: String,
}

/// What was logged in a run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RunData {
    /// Last value of each metric.
    pub metrics: Vec<Metric>,
    /// Parameters.
    pub params: Vec<Param>,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// Datasets of a run, as the server words them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RunInputs {
    /// Each with `dataset` and `tags`.
    pub dataset_inputs: Vec<Value>,
}

/// Logged models of a run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RunOutputs {
    /// Each with `model_id` and `step`.
    pub model_outputs: Vec<Value>,
}

impl Run {
    /// Value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        find(&self.data.tags, key)
    }
}

/// Things logged together: at most 1000 metrics, 100 params, 100 tags.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Batch {
    /// Values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// Parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// Tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// A dataset used by a run. `source`, `schema` and `profile` are texts that hold JSON.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetInput {
    /// Shown name.
    pub name: String,
    /// At most 36 characters are stored.
    pub digest: String,
    /// `local`, `http`, ...
    pub source_type: String,
    /// JSON.
    pub source: String,
    /// JSON: `{"mlflow_colspec": [...]}`.
    pub schema: String,
    /// JSON: `{"num_rows": 150}`.
    pub profile: String,
}

#[derive(Deserialize)]
struct One {
    run: Run,
}

#[derive(Deserialize)]
struct Many {
    #[serde(default)]
    runs: Vec<Run>,
}

impl Client {
    /// Makes a run. Not repeated after an ambiguous failure: look for it by tag first.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn create_run(&self, new: &NewRun) -> Result<Run, Error> {
        let one: One = self.call(Method::POST, "runs/create", false, new).await?;
        Ok(one.run)
    }

    /// A run by id.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn run(&self, run_id: &str) -> Result<Run, Error> {
        let one: One = self.get("runs/get", &[("run_id", run_id)]).await?;
        Ok(one.run)
    }

    /// Runs of an experiment that match `filter`, newest first, at most `limit`.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn search_runs(
        &self,
        experiment_id: &str,
        filter: &str,
        limit: u32,
    ) -> Result<Vec<Run>, Error> {
        let body = json!({
            "experiment_ids": [experiment_id], "filter": filter, "max_results": limit,
            "order_by": ["attributes.start_time DESC"],
        });
        let many: Many = self.call(Method::POST, "runs/search", true, &body).await?;
        Ok(many.runs)
    }

    /// Logs metrics, parameters and tags.
    ///
    /// # Errors
    /// Any [`Error`]; `INVALID_PARAMETER_VALUE` when a parameter was logged with another value.
    pub async fn log_batch(&self, run_id: &str, batch: &Batch) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            run_id: &'a str,
            #[serde(flatten)]
            batch: &'a Batch,
        }
        let body = Body { run_id, batch };
        let _: Value = self.call(Method::POST, "runs/log-batch", true, &body).await?;
        Ok(())
    }

    /// Sets one tag.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn set_run_tag(&self, run_id: &str, tag: &Tag) -> Result<(), Error> {
        let body = json!({"run_id": run_id, "key": tag.key, "value": tag.value});
        let _: Value = self.call(Method::POST, "runs/set-tag", true, &body).await?;
        Ok(())
    }

    /// Names the dataset that the run read, in the context `training`.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn log_input(&self, run_id: &str, dataset: &DatasetInput) -> Result<(), Error> {
        let body = json!({"run_id": run_id, "datasets": [
            {"dataset": dataset, "tags": [Tag::new("mlflow.data.context", "training")]}]});
        let _: Value = self.call(Method::POST, "runs/log-inputs", true, &body).await?;
        Ok(())
    }

    /// Links a logged model to the run that made it.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn log_output(&self, run_id: &str, model_id: &str) -> Result<(), Error> {
        let body = json!({"run_id": run_id, "models": [{"model_id": model_id, "step": 0}]});
        let _: Value = self.call(Method::POST, "runs/outputs", true, &body).await?;
        Ok(())
    }

    /// Sets state and end time (milliseconds since 1970).
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn finish_run(&self, run_id: &str, status: RunStatus, end_time: i64) -> Result<(), Error> {
        let body = json!({"run_id": run_id, "status": status, "end_time": end_time});
        let _: Value = self.call(Method::POST, "runs/update", true, &body).await?;
        Ok(())
    }
}

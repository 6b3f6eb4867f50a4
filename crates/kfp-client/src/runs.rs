//! Runs: start, look, terminate, retry, archive, delete.

use crate::pages::Query;
use crate::pipelines::gone;
use crate::{Client, Error, Run, RunParameters, VersionReference, names};
use reqwest::Method;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};

/// A run to be started.
#[derive(Clone, Debug, Default)]
pub struct NewRun {
    /// Shown in lists; need not be unique.
    pub display_name: String,
    /// Free text. A word of ours is added, by which a start whose answer was lost is found.
    pub description: String,
    /// Id of the experiment; `None` takes the default one.
    pub experiment_id: Option<String>,
    /// What to run.
    pub version: VersionReference,
    /// Checked by [`crate::check_parameters`].
    pub parameters: RunParameters,
    /// Name of the service account of its pods; `None` takes the usual one.
    pub service_account: Option<String>,
}

impl Client {
    /// Starts a run.
    ///
    /// A start whose answer was lost is looked for and never sent again: it could run twice.
    ///
    /// # Errors
    /// `Name`, any of the transport's, or `StartUnclear`.
    pub async fn start_run(&self, new: &NewRun) -> Result<Run, Error> {
        names::check("display_name of the run", &new.display_name)?;
        let mark = mark();
        let mut body = Map::new();
        body.insert("display_name".to_owned(), json!(new.display_name));
        body.insert("description".to_owned(), json!(marked(&new.description, &mark)));
        body.insert("pipeline_version_reference".to_owned(), json!(new.version));
        if let Some(id) = &new.experiment_id {
            body.insert("experiment_id".to_owned(), json!(id));
        }
        if let Some(account) = &new.service_account {
            body.insert("service_account".to_owned(), json!(account));
        }
        runtime_config(&mut body, &new.parameters);
        match self.post_once(&["runs"], self.start_deadline, &body).await {
            Err(e) if e.is_ambiguous() => {
                let look = async || self.marked_run(new.experiment_id.as_deref(), &mark).await;
                let what = format!("run {:?}", new.display_name);
                self.settle_start(what, e, look).await
            }
            decided => decided,
        }
    }

    async fn marked_run(&self, experiment_id: Option<&str>, mark: &str) -> Result<Option<Run>, Error> {
        let found = self.newest_runs(experiment_id).await?;
        Ok(found.into_iter().find(|run| run.description.contains(mark)))
    }

    /// What a look finds is the answer that was lost; where it finds nothing nobody knows.
    pub(crate) async fn settle_start<T>(
        &self,
        what: String,
        cause: Error,
        look: impl AsyncFn() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        match self.look_until_settled(&look).await {
            Ok(Some(found)) => Ok(found),
            // That looking failed as well is no reason to forget why it was looked for.
            Ok(None) | Err(_) => Err(Error::StartUnclear {
                what,
                cause: Box::new(cause),
            }),
        }
    }

    /// A run with its tasks.
    ///
    /// # Errors
    /// `NotFound`, or any of the transport's.
    pub async fn run(&self, run_id: &str) -> Result<Run, Error> {
        self.get(&["runs", run_id], &[]).await
    }

    /// All runs, of an experiment where one is named, newest first.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn runs(&self, experiment_id: Option<&str>) -> Result<Vec<Run>, Error> {
        self.list_runs(experiment_id, None).await
    }

    /// The newest 100 runs, of an experiment where one is named.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn newest_runs(&self, experiment_id: Option<&str>) -> Result<Vec<Run>, Error> {
        self.list_runs(experiment_id, Some(1)).await
    }

    async fn list_runs(
        &self,
        experiment_id: Option<&str>,
        pages_max: Option<usize>,
    ) -> Result<Vec<Run>, Error> {
        let query = Query {
            newest_first: true,
            pages_max,
            more: experiment_id
                .map(|id| ("experiment_id", id.to_owned()))
                .into_iter()
                .collect(),
            ..Query::default()
        };
        self.list(&["runs"], &["runs"], query).await
    }

    /// Stops a run. It ends FAILED, some seconds later; an exit handler still runs.
    ///
    /// # Errors
    /// `NotRunning` for one that has ended, or any of the transport's.
    pub async fn terminate_run(&self, run_id: &str) -> Result<(), Error> {
        let path = format!("{run_id}:terminate");
        match self.order(Method::POST, &["runs", &path], &[], true).await {
            Err(Error::Refused {
                status: 400, message, ..
            }) if message.contains("Row not found") => Err(Error::NotRunning {
                run_id: run_id.to_owned(),
                message,
            }),
            other => other,
        }
    }

    /// Takes a failed run up again where it failed: the same id, the steps that are done stay so.
    ///
    /// # Errors
    /// `NotRetryable` for one that did not fail, or any of the transport's.
    pub async fn retry_run(&self, run_id: &str) -> Result<(), Error> {
        let path = format!("{run_id}:retry");
        match self.order(Method::POST, &["runs", &path], &[], false).await {
            Err(Error::Refused {
                status: 409, message, ..
            }) => Err(Error::NotRetryable {
                run_id: run_id.to_owned(),
                message,
            }),
            // The answer was lost. A run that is on its way again was taken up.
            Err(e) if e.is_ambiguous() => match self.run(run_id).await {
                Ok(run) if !run.state.is_final() => Ok(()),
                _ => Err(e),
            },
            other => other,
        }
    }

    /// Puts a run out of the lists.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn archive_run(&self, run_id: &str) -> Result<(), Error> {
        let path = format!("{run_id}:archive");
        self.order(Method::POST, &["runs", &path], &[], true).await
    }

    /// Removes a run with its workflow. One that is gone already is no error.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn delete_run(&self, run_id: &str) -> Result<(), Error> {
        gone(self.order(Method::DELETE, &["runs", run_id], &[], true).await)
    }
}

/// Left out when there are no parameters, as the server was seen to take it.
pub(crate) fn runtime_config(body: &mut Map<String, Value>, parameters: &RunParameters) {
    if !parameters.is_empty() {
        let config = json!({"parameters": parameters.as_map()});
        body.insert("runtime_config".to_owned(), config);
    }
}

/// A word that no other start has. It need not be secret.
pub(crate) fn mark() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now();
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let seed = format!("{now:?} {} {count} {host}", std::process::id());
    let digest = Sha256::digest(seed.as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("[start {hex}]")
}

pub(crate) fn marked(description: &str, mark: &str) -> String {
    format!("{description} {mark}").trim_start().to_owned()
}

//! Experiments: find, or create.

use crate::pages::Query;
use crate::{Client, Error, answer, names};
use serde::Deserialize;
use serde_json::json;

/// An experiment: a folder of runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Experiment {
    /// Id.
    pub experiment_id: String,
    /// Its name.
    #[serde(default, deserialize_with = "answer::text")]
    pub display_name: String,
    /// `AVAILABLE` or `ARCHIVED`; empty where it is not said.
    #[serde(default, deserialize_with = "answer::text")]
    pub storage_state: String,
}

impl Client {
    /// The experiment of that name, `None` when there is none.
    ///
    /// # Errors
    /// `Name`, or any of the transport's.
    pub async fn experiment(&self, name: &str) -> Result<Option<Experiment>, Error> {
        names::check("display_name of the experiment", name)?;
        let query = Query {
            name: Some(name),
            ..Query::default()
        };
        let found: Vec<Experiment> = self.list(&["experiments"], &["experiments"], query).await?;
        Ok(found.into_iter().find(|e| e.display_name == name))
    }

    /// The experiment of that name; made when there is none.
    ///
    /// # Errors
    /// `Name`, or any of the transport's.
    pub async fn ensure_experiment(&self, name: &str) -> Result<Experiment, Error> {
        if let Some(found) = self.experiment(name).await? {
            return Ok(found);
        }
        let body = json!({"display_name": name});
        match self.post_once(&["experiments"], self.start_deadline, &body).await {
            // Somebody else was faster, or ours was made and its answer lost.
            Err(e) if e.is_ambiguous() || matches!(e, Error::Refused { status: 409, .. }) => {
                let look = async || self.experiment(name).await;
                self.look_until_settled(&look).await?.ok_or(e)
            }
            decided => decided,
        }
    }
}

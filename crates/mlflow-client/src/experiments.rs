//! Experiments: only get-or-create.

use crate::{Client, Error, code};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Found {
    experiment: Experiment,
}

#[derive(Deserialize)]
struct Experiment {
    experiment_id: String,
    #[serde(default)]
    lifecycle_stage: String,
}

#[derive(Deserialize)]
struct Created {
    experiment_id: String,
}

impl Client {
    /// Id of the experiment of that name, `None` when there is none.
    ///
    /// # Errors
    /// Any [`Error`]; `Refused` with code `DELETED` when somebody deleted the experiment, since
    /// nothing can be logged into it and its name stays taken.
    pub async fn experiment(&self, name: &str) -> Result<Option<String>, Error> {
        let path = "experiments/get-by-name";
        match self.get::<Found>(path, &[("experiment_name", name)]).await {
            Ok(found) if found.experiment.lifecycle_stage == "deleted" => Err(Error::Refused {
                request: format!("GET {path}"),
                status: 200,
                code: "DELETED".to_owned(),
                message: format!("experiment {name:?} is deleted: restore it or use another name"),
            }),
            Ok(found) => Ok(Some(found.experiment.experiment_id)),
            Err(e) if e.is(code::DOES_NOT_EXIST) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Id of the experiment of that name, made when there is none.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn experiment_or_create(&self, name: &str) -> Result<String, Error> {
        if let Some(id) = self.experiment(name).await? {
            return Ok(id);
        }
        // A second create is refused by name, so repeating it has no second effect.
        let body = json!({"name": name});
        match self
            .call::<Created>(Method::POST, "experiments/create", true, &body)
            .await
        {
            Ok(created) => Ok(created.experiment_id),
            // Somebody else, or our own unanswered first try, was faster.
            Err(e) if e.is(code::ALREADY_EXISTS) => self.experiment(name).await?.ok_or(e),
            Err(e) => Err(e),
        }
    }
}

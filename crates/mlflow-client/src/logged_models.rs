//! Logged models (MLflow 3): the model as a thing of its own beside the run.

use crate::types::{Param, Tag, find};
use crate::{Client, Error};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A logged model to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewLoggedModel {
    /// Id of its experiment.
    pub experiment_id: String,
    /// Shown name.
    pub name: String,
    /// E.g. `random-forest`.
    pub model_type: String,
    /// The run that made it.
    pub source_run_id: String,
    /// Parameters.
    pub params: Vec<Param>,
    /// Tags; `mlflow.source.name`, `mlflow.source.type` and `mlflow.user` are shown by the web page.
    pub tags: Vec<Tag>,
}

/// A logged model as the server holds it.
#[derive(Clone, Debug, Deserialize)]
pub struct LoggedModel {
    /// `m-<32 hex digits>`.
    pub model_id: String,
    /// `mlflow-artifacts:/<experiment>/models/<id>/artifacts`.
    pub artifact_uri: String,
    /// `LOGGED_MODEL_PENDING`, `LOGGED_MODEL_READY`, `LOGGED_MODEL_UPLOAD_FAILED`.
    pub status: String,
    /// The run that made it.
    #[serde(default)]
    pub source_run_id: Option<String>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

impl LoggedModel {
    /// Whether all files are there.
    pub fn is_ready(&self) -> bool {
        self.status == "LOGGED_MODEL_READY"
    }

    /// Value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        find(&self.tags, key)
    }
}

#[derive(Deserialize)]
struct Outer {
    info: LoggedModel,
}

#[derive(Deserialize)]
struct One {
    model: Outer,
}

#[derive(Deserialize)]
struct Many {
    #[serde(default)]
    models: Vec<Outer>,
}

impl Client {
    /// Makes a logged model, pending. Not repeated after an ambiguous failure.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn create_logged_model(&self, new: &NewLoggedModel) -> Result<LoggedModel, Error> {
        let one: One = self.call(Method::POST, "logged-models", false, new).await?;
        Ok(one.model.info)
    }

    /// A logged model by id.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn logged_model(&self, model_id: &str) -> Result<LoggedModel, Error> {
        let one: One = self.get(&format!("logged-models/{model_id}"), &[]).await?;
        Ok(one.model.info)
    }

    /// Says that all files are there.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn finalize_logged_model(&self, model_id: &str) -> Result<LoggedModel, Error> {
        // The id must stand in the body as well as in the path.
        let body = json!({"model_id": model_id, "status": "LOGGED_MODEL_READY"});
        let path = format!("logged-models/{model_id}");
        let one: One = self.call(Method::PATCH, &path, true, &body).await?;
        Ok(one.model.info)
    }

    /// Sets tags.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn tag_logged_model(&self, model_id: &str, tags: &[Tag]) -> Result<(), Error> {
        let path = format!("logged-models/{model_id}/tags");
        let body = json!({"model_id": model_id, "tags": tags});
        let _: Value = self.call(Method::PATCH, &path, true, &body).await?;
        Ok(())
    }

    /// Logged models of an experiment that match `filter`, newest first, at most `limit`.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn search_logged_models(
        &self,
        experiment_id: &str,
        filter: &str,
        limit: u32,
    ) -> Result<Vec<LoggedModel>, Error> {
        let body = json!({
            "experiment_ids": [experiment_id], "filter": filter, "max_results": limit,
            "order_by": [{"field_name": "creation_time", "ascending": false}],
        });
        let many: Many = self
            .call(Method::POST, "logged-models/search", true, &body)
            .await?;
        Ok(many.models.into_iter().map(|outer| outer.info).collect())
    }
}

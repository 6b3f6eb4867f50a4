//! Health, pipelines and their versions.

use crate::pages::Query;
use crate::{Client, Error, PipelineDocument, VersionReference, answer, names};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde::Deserialize;
use std::time::Instant;

/// What a healthy server says of itself. The web page's own answer lacks some of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Health {
    /// Version, e.g. `2.17.0`; empty where it is not said.
    #[serde(default, alias = "apiServerTagName", deserialize_with = "answer::text")]
    pub tag_name: String,
    /// Commit it was built from; empty where it is not said.
    #[serde(default, alias = "apiServerCommitHash", deserialize_with = "answer::text")]
    pub commit_sha: String,
    /// Whether users are told apart.
    #[serde(default, alias = "apiServerMultiUser")]
    pub multi_user: bool,
    /// `database` or `kubernetes`; empty where it is not said.
    #[serde(default, deserialize_with = "answer::text")]
    pub pipeline_store: String,
    /// The web page's word on the server behind it.
    #[serde(default, rename = "apiServerReady")]
    behind_ready: Option<bool>,
}

/// A pipeline: a name under which versions are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pipeline {
    /// Id.
    pub pipeline_id: String,
    /// The name it was uploaded under; unique.
    #[serde(default, deserialize_with = "answer::text")]
    pub name: String,
    /// Shown in lists.
    #[serde(default, deserialize_with = "answer::text")]
    pub display_name: String,
    /// RFC 3339.
    #[serde(default, deserialize_with = "answer::time")]
    pub created_at: Option<String>,
}

/// A version of a pipeline: one document.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PipelineVersion {
    /// Id of its pipeline.
    pub pipeline_id: String,
    /// Id.
    pub pipeline_version_id: String,
    /// The name it was uploaded under; unique within the pipeline.
    #[serde(default, deserialize_with = "answer::text")]
    pub name: String,
    /// Shown in lists.
    #[serde(default, deserialize_with = "answer::text")]
    pub display_name: String,
    /// RFC 3339.
    #[serde(default, deserialize_with = "answer::time")]
    pub created_at: Option<String>,
    /// What was uploaded, as JSON: the pipeline itself, or `pipeline_spec` beside `platform_spec`.
    #[serde(default)]
    pub pipeline_spec: Option<serde_json::Value>,
}

impl PipelineVersion {
    /// What was uploaded; `None` where the server does not show it, or shows something else.
    pub fn document(&self) -> Option<PipelineDocument> {
        let spec = self.pipeline_spec.as_ref()?;
        let pipeline = spec.get("pipeline_spec").unwrap_or(spec);
        PipelineDocument::parse(&pipeline.to_string()).ok()
    }
}

impl Client {
    /// Asks whether the server is there and well.
    ///
    /// # Errors
    /// Any of the transport's; `Answer` where it is another server, or the web page says that the
    /// server behind it is not ready.
    pub async fn health(&self) -> Result<Health, Error> {
        let health: Health = self.get(&["healthz"], &[]).await?;
        let refuse = |cause: &str| Error::Answer {
            request: "GET healthz".to_owned(),
            cause: cause.to_owned(),
        };
        if health.behind_ready == Some(false) {
            return Err(refuse(
                "the web page answers, the API server behind it is not ready",
            ));
        }
        let said = [&health.tag_name, &health.commit_sha, &health.pipeline_store];
        if said.iter().all(|text| text.is_empty()) {
            return Err(refuse("it names no version: is this Kubeflow Pipelines?"));
        }
        Ok(health)
    }

    /// The pipeline of that name, `None` when there is none.
    ///
    /// # Errors
    /// `Name`, or any of the transport's.
    pub async fn pipeline(&self, name: &str) -> Result<Option<Pipeline>, Error> {
        names::check_in_path("name of the pipeline", name)?;
        match self.get(&["pipelines", "names", name], &[]).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Versions of a pipeline, newest first.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn versions(&self, pipeline_id: &str) -> Result<Vec<PipelineVersion>, Error> {
        let query = Query {
            newest_first: true,
            ..Query::default()
        };
        let path = ["pipelines", pipeline_id, "versions"];
        self.list(&path, &["pipeline_versions"], query).await
    }

    /// The newest version of a pipeline, `None` when it has none.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn newest_version(&self, pipeline_id: &str) -> Result<Option<PipelineVersion>, Error> {
        let query = Query {
            newest_first: true,
            pages_max: Some(1),
            ..Query::default()
        };
        let path = ["pipelines", pipeline_id, "versions"];
        let found: Vec<PipelineVersion> = self.list(&path, &["pipeline_versions"], query).await?;
        Ok(found.into_iter().next())
    }

    /// The version of that name, `None` when there is none.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn version(&self, pipeline_id: &str, name: &str) -> Result<Option<PipelineVersion>, Error> {
        let query = Query {
            name: Some(name),
            ..Query::default()
        };
        let path = ["pipelines", pipeline_id, "versions"];
        let found: Vec<PipelineVersion> = self.list(&path, &["pipeline_versions"], query).await?;
        // Newer servers keep both names, older ones the shown one alone.
        let named = |v: &PipelineVersion| v.name == name || (v.name.is_empty() && v.display_name == name);
        Ok(found.into_iter().find(named))
    }

    /// The pipeline of that name; uploaded when there is none.
    ///
    /// The server names the first version as the pipeline, so that [`Client::ensure_version`] is to
    /// follow. Uploading twice has no second effect: names are unique.
    ///
    /// # Errors
    /// `Name`, any of the transport's, or `UploadUnclear`.
    pub async fn ensure_pipeline(&self, name: &str, document: &PipelineDocument) -> Result<Pipeline, Error> {
        if let Some(found) = self.pipeline(name).await? {
            return Ok(found);
        }
        let query = [("name", name)];
        let upload = async || self.upload("upload", &query, document).await;
        let look = async || self.pipeline(name).await;
        self.settle_upload(&format!("pipeline {name:?}"), upload, look)
            .await
    }

    /// The version that holds this document, named by its hash; uploaded when there is none.
    ///
    /// # Errors
    /// Any of the transport's, or `UploadUnclear`.
    pub async fn ensure_version(
        &self,
        pipeline_id: &str,
        document: &PipelineDocument,
    ) -> Result<PipelineVersion, Error> {
        let name = document.version_name();
        if let Some(found) = self.version(pipeline_id, &name).await? {
            return Ok(found);
        }
        // Without the underscore: the other calls write pipeline_id.
        let query = [("pipelineid", pipeline_id), ("name", name.as_str())];
        let upload = async || self.upload("upload_version", &query, document).await;
        let look = async || self.version(pipeline_id, &name).await;
        self.settle_upload(&format!("version {name:?}"), upload, look)
            .await
    }

    /// What to run for this document: the pipeline of that name and the version of its hash, each
    /// uploaded when it is missing.
    ///
    /// # Errors
    /// As [`Client::ensure_pipeline`] and [`Client::ensure_version`].
    pub async fn ensure_uploaded(
        &self,
        name: &str,
        document: &PipelineDocument,
    ) -> Result<VersionReference, Error> {
        let pipeline = self.ensure_pipeline(name, document).await?;
        let version = self.ensure_version(&pipeline.pipeline_id, document).await?;
        Ok(VersionReference {
            pipeline_id: pipeline.pipeline_id,
            pipeline_version_id: Some(version.pipeline_version_id),
        })
    }

    /// Removes a pipeline with its versions. One that is gone already is no error.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn delete_pipeline(&self, pipeline_id: &str) -> Result<(), Error> {
        // Without it a pipeline that has versions, and so every one, is refused.
        let query = [("cascade", "true")];
        gone(
            self.order(Method::DELETE, &["pipelines", pipeline_id], &query, true)
                .await,
        )
    }

    async fn upload<T: serde::de::DeserializeOwned>(
        &self,
        route: &str,
        query: &[(&str, &str)],
        document: &PipelineDocument,
    ) -> Result<T, Error> {
        let request = format!("POST pipelines/{route}");
        let make = || {
            // The field's name and the file's ending are what the server looks for.
            let part = Part::text(document.text().to_owned()).file_name("pipeline.yaml");
            self.request(Method::POST, "v2beta1", &["pipelines", route])
                .query(query)
                .multipart(Form::new().part("uploadfile", part))
        };
        let bytes = self.send(&request, false, make).await?;
        answer::read(&request, &bytes)
    }

    /// Uploads; 409 is "already there"; where the answer was lost, looks, and only then repeats.
    async fn settle_upload<T>(
        &self,
        what: &str,
        upload: impl AsyncFn() -> Result<T, Error>,
        look: impl AsyncFn() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            let cause = match upload().await {
                Err(e) if e.is_ambiguous() || matches!(e, Error::Refused { status: 409, .. }) => e,
                decided => return decided,
            };
            if let Some(found) = self.look_until_settled(&look).await? {
                return Ok(found);
            }
            // A server that is slow is not helped by a second upload.
            if attempt >= self.attempts || !matches!(cause, Error::Broken { .. }) {
                return Err(match cause {
                    Error::Refused { status: 409, .. } => cause,
                    cause => Error::UploadUnclear {
                        what: what.to_owned(),
                        cause: Box::new(cause),
                    },
                });
            }
            attempt += 1;
        }
    }

    /// Looks until it is there or the time for settling is over.
    pub(crate) async fn look_until_settled<T>(
        &self,
        look: &impl AsyncFn() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let start = Instant::now();
        loop {
            if let Some(found) = look().await? {
                return Ok(Some(found));
            }
            if start.elapsed() >= self.settle {
                return Ok(None);
            }
            tokio::time::sleep((self.settle / 10).max(std::time::Duration::from_millis(10))).await;
        }
    }
}

/// What a deletion may find missing: its own first try may have done it.
pub(crate) fn gone(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::NotFound { .. }) => Ok(()),
        other => other,
    }
}

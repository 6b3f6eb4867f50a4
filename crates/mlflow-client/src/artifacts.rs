//! Files, through the server's artifact proxy (`--serve-artifacts`).

use crate::{Client, Error};
use reqwest::Method;
use serde::Deserialize;

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ArtifactFile {
    /// Relative to what was listed.
    pub path: String,
    /// Folders have no size.
    #[serde(default)]
    pub is_dir: bool,
    /// Bytes.
    #[serde(default)]
    pub file_size: u64,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    files: Vec<ArtifactFile>,
}

/// Path segments behind the proxy for `path` under `artifact_uri` (`mlflow-artifacts:/1/...`).
fn segments<'a>(artifact_uri: &'a str, path: &'a str) -> Result<Vec<&'a str>, Error> {
    let refuse = |reason: &str| Error::Address {
        address: format!("{artifact_uri} {path}"),
        reason: reason.to_owned(),
    };
    let rest = artifact_uri.strip_prefix("mlflow-artifacts:").ok_or_else(|| {
        refuse("artifacts are not served by the MLflow server; start it with --serve-artifacts")
    })?;
    let mut parts = vec!["api", "2.0", "mlflow-artifacts", "artifacts"];
    parts.extend(
        rest.split('/')
            .chain(path.split('/'))
            .filter(|part| !part.is_empty()),
    );
    if parts.iter().any(|part| matches!(*part, "." | "..")) {
        return Err(refuse("`.` and `..` are not allowed in an artifact path"));
    }
    Ok(parts)
}

impl Client {
    /// Writes a file; a second time replaces it.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn put_artifact(&self, artifact_uri: &str, path: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let parts = segments(artifact_uri, path)?;
        self.send(&format!("PUT artifact {path}"), true, || {
            self.request(Method::PUT, &parts)
                .header("content-type", "application/octet-stream")
                .body(bytes.clone())
        })
        .await?;
        Ok(())
    }

    /// Reads a file (at most 32 MiB).
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn artifact(&self, artifact_uri: &str, path: &str) -> Result<Vec<u8>, Error> {
        let parts = segments(artifact_uri, path)?;
        self.send(&format!("GET artifact {path}"), true, || {
            self.request(Method::GET, &parts)
        })
        .await
    }

    /// Files and folders of a run under `path` (empty: the top).
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn run_artifacts(&self, run_id: &str, path: &str) -> Result<Vec<ArtifactFile>, Error> {
        let listing: Listing = self
            .get("artifacts/list", &[("run_id", run_id), ("path", path)])
            .await?;
        Ok(listing.files)
    }

    /// Files of a logged model.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn model_artifacts(&self, model_id: &str) -> Result<Vec<ArtifactFile>, Error> {
        let path = format!("logged-models/{model_id}/artifacts/directories");
        let listing: Listing = self.get(&path, &[]).await?;
        Ok(listing.files)
    }
}

//! The release: what the machine-written kustomize component says.

use crate::ReleaseError;
use contract::Tag;

/// Which image an environment serves, and where its model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Environment, a folder under `kustomize/overlays/`.
    pub environment: String,
    /// Image (and Deployment and container) name in the base: `inference-api`.
    pub image: String,
    /// Name that the image is pulled by (`ImageStore::image_name`).
    pub new_name: String,
    /// Tag, for people; what runs is the digest.
    pub tag: Tag,
    /// `sha256:<hex>` of the image's manifest.
    pub digest: String,
    /// MLflow run.
    pub run_id: String,
    /// Registered version in MLflow; equals the tag's.
    pub model_version: u64,
    /// `sha256:<hex>` of `model.onnx`.
    pub model_digest: String,
    /// `sha256:<hex>` of the dataset.
    pub dataset_digest: String,
    /// Commit of the code that trained it, or `unknown`.
    pub code_commit: String,
}

impl Release {
    /// The whole file.
    ///
    /// # Errors
    /// `Field` for a value that no release can have.
    pub fn to_yaml(&self) -> Result<String, ReleaseError> {
        todo!()
    }

    /// The file of an environment before its first promotion: no replicas.
    pub fn unreleased_yaml(_environment: &str) -> String {
        todo!()
    }

    /// Reads the file back, strictly; `None` is the unreleased form.
    ///
    /// # Errors
    /// `Malformed` or `Field`.
    pub fn from_yaml(_environment: &str, _text: &str) -> Result<Option<Self>, ReleaseError> {
        todo!()
    }
}

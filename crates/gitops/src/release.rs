//! The release: what the machine-written kustomize component says.

use crate::{
    ReleaseError,
    yaml::{self, Content},
};
use contract::{Tag, digest::is_digest, names::INFERENCE_API};
use std::collections::BTreeMap;

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

const TAG: &str = "image-tag";
const IMAGE: &str = "image-digest";
const VERSION: &str = "model-version";
const RUN: &str = "run-id";
const MODEL: &str = "model-digest";
const DATASET: &str = "dataset-digest";
const COMMIT: &str = "git-commit";

impl Release {
    /// The whole file.
    ///
    /// # Errors
    /// `Field` for a value that no release can have.
    pub fn to_yaml(&self) -> Result<String, ReleaseError> {
        self.check()?;
        let annotations = [
            (TAG, self.tag.to_string()),
            (IMAGE, self.digest.clone()),
            (VERSION, self.model_version.to_string()),
            (RUN, self.run_id.clone()),
            (MODEL, self.model_digest.clone()),
            (DATASET, self.dataset_digest.clone()),
            (COMMIT, self.code_commit.clone()),
        ];
        let content = Content::Released {
            new_name: self.new_name.clone(),
            digest: self.digest.clone(),
            annotations: annotations.map(|(key, value)| (key.to_owned(), value)).into(),
        };
        Ok(yaml::write(&self.environment, &content))
    }

    /// The file of an environment before its first promotion: no replicas.
    pub fn unreleased_yaml(environment: &str) -> String {
        yaml::write(environment, &Content::Unreleased)
    }

    /// Reads the file back, strictly; `None` is the unreleased form.
    ///
    /// # Errors
    /// `Malformed` or `Field`.
    pub fn from_yaml(environment: &str, text: &str) -> Result<Option<Self>, ReleaseError> {
        let malformed = |reason| ReleaseError::Malformed {
            environment: environment.to_owned(),
            reason,
        };
        let Content::Released {
            new_name,
            digest,
            mut annotations,
        } = yaml::read(text).map_err(malformed)?
        else {
            return Ok(None);
        };
        let release = Self {
            environment: environment.to_owned(),
            image: INFERENCE_API.to_owned(),
            new_name,
            tag: take(&mut annotations, TAG)
                .and_then(|text| {
                    text.parse()
                        .map_err(|error: contract::tag::TagError| error.to_string())
                })
                .map_err(malformed)?,
            digest,
            run_id: take(&mut annotations, RUN).map_err(malformed)?,
            model_version: take(&mut annotations, VERSION)
                .and_then(|text| {
                    text.parse()
                        .map_err(|_| format!("annotation {VERSION} is {text:?}, no version"))
                })
                .map_err(malformed)?,
            model_digest: take(&mut annotations, MODEL).map_err(malformed)?,
            dataset_digest: take(&mut annotations, DATASET).map_err(malformed)?,
            code_commit: take(&mut annotations, COMMIT).map_err(malformed)?,
        };
        let annotated = take(&mut annotations, IMAGE).map_err(malformed)?;
        if annotated != release.digest {
            return Err(malformed(format!(
                "annotation {IMAGE} is {annotated}, images[0].digest {}",
                release.digest
            )));
        }
        if let Some(extra) = annotations.keys().next() {
            return Err(malformed(format!("annotation {extra:?} is unknown")));
        }
        release.check()?;
        Ok(Some(release))
    }

    /// The subject of the commit that promotes it.
    pub fn subject(&self) -> String {
        format!("promote({}): {} {}", self.environment, self.image, self.tag)
    }

    fn check(&self) -> Result<(), ReleaseError> {
        check_environment(&self.environment)?;
        let refuse = |field, value: &str, expected| {
            Err(ReleaseError::Field {
                field,
                value: value.to_owned(),
                expected,
            })
        };
        if self.image != INFERENCE_API {
            return refuse("image", &self.image, INFERENCE_API);
        }
        if self.model_version != self.tag.model_version {
            return refuse(
                "model_version",
                &self.model_version.to_string(),
                "the version in the tag",
            );
        }
        for (field, digest) in [
            ("digest", &self.digest),
            ("model_digest", &self.model_digest),
            ("dataset_digest", &self.dataset_digest),
        ] {
            if !is_digest(digest) {
                return refuse(field, digest, "sha256:<64 hex digits>");
            }
        }
        for (field, text) in [
            ("new_name", &self.new_name),
            ("run_id", &self.run_id),
            ("code_commit", &self.code_commit),
        ] {
            // One line each: they also go into the commit's trailers.
            let one_line = text.len() <= 512
                && !text
                    .chars()
                    .any(|c| c.is_control() || "\u{2028}\u{2029}".contains(c));
            if text.trim() != text || text.is_empty() || !one_line {
                return refuse(field, text, "1 to 512 bytes of one line, without spaces around");
            }
        }
        Ok(())
    }
}

/// An environment is one folder name: nothing in it may lead to another path.
pub(crate) fn check_environment(environment: &str) -> Result<(), ReleaseError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !environment.is_empty() && environment.len() <= 63 && environment.bytes().all(plain) {
        return Ok(());
    }
    Err(ReleaseError::Field {
        field: "environment",
        value: environment.to_owned(),
        expected: "a folder name of a-z, 0-9 and -",
    })
}

fn take(annotations: &mut BTreeMap<String, String>, key: &str) -> Result<String, String> {
    annotations
        .remove(key)
        .ok_or_else(|| format!("annotation {key} is missing"))
}

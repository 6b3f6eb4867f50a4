//! A model directory or file to something that serves, or a refusal by name.
//!
//! What was promoted is what answers: every digest of the manifest is recomputed, its schema is
//! held against the graph, and its golden rows are asked again. A plain ONNX file has no manifest;
//! it must then at least answer made-up rows.

mod checks;
mod files;
mod plain;

use crate::{
    config::Config,
    monitor::Monitor,
    served::{Engine, Served},
};
use contract::{Manifest, info::Digests, manifest::Task, names, sha256_hex};
use onnx::{Bytes, Model};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why a model is not served.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum LoadError {
    #[error("cannot read {path}: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{path} has {bytes} bytes, expected at most {most}")]
    TooLarge { path: PathBuf, bytes: u64, most: u64 },
    #[error(
        "{directory} has no manifest.json: not a model directory (to serve a plain ONNX file, name the file itself)"
    )]
    NoManifest { directory: PathBuf },
    #[error("{path} is not a manifest: {cause}")]
    Manifest { path: PathBuf, cause: serde_json::Error },
    #[error("{path} has format {found}, this version reads format {expected}")]
    Format {
        path: PathBuf,
        found: u32,
        expected: u32,
    },
    #[error(
        "digest of {path} is {found}, the manifest says {expected}: the file is not the one that was trained"
    )]
    Digest {
        path: PathBuf,
        found: String,
        expected: String,
    },
    #[error("{path} is not a model that can be served: {cause}")]
    Onnx { path: PathBuf, cause: onnx::ReadError },
    #[error("{path} is not a model that can be served: {cause}")]
    Plan {
        path: PathBuf,
        cause: Box<onnx::PlanError>,
    },
    #[error("the model takes {model} features, the manifest names {manifest}")]
    FeatureCount { model: usize, manifest: usize },
    #[error("the model answers with {model} classes, the manifest names {manifest}")]
    ClassCount { model: usize, manifest: usize },
    #[error("the manifest's task is {manifest:?}, the model's graph is for {model:?}")]
    Task { manifest: Task, model: Task },
    #[error("manifest field {field}: {problem}")]
    Field { field: String, problem: String },
    #[error("the drift reference {path}: {problem}")]
    Reference { path: PathBuf, problem: String },
    #[error("golden row {row}: {what} is {found}, was {expected} when the model was made")]
    Golden {
        row: usize,
        what: String,
        found: f64,
        expected: f64,
    },
    #[error("the model answers {row:?} with {score}, which is not a finite number")]
    NotFinite { row: Vec<f32>, score: f32 },
}

/// Loads what the configuration names and lets it answer once.
///
/// # Errors
/// A [`LoadError`] for whatever does not fit; nothing is served in part.
pub fn load(config: &Config) -> Result<Served, LoadError> {
    let path = &config.model;
    let metadata = std::fs::metadata(path).map_err(|cause| LoadError::Read {
        path: path.clone(),
        cause,
    })?;
    let (directory, model_path) = if metadata.is_dir() {
        (path.clone(), path.join(names::MODEL_FILE))
    } else {
        (path.parent().unwrap_or(Path::new("")).to_owned(), path.clone())
    };
    let manifest_path = directory.join(names::MANIFEST_FILE);
    let manifest_bytes = files::read_if_present(&manifest_path, files::MANIFEST_MOST)?;
    if manifest_bytes.is_none() && metadata.is_dir() {
        return Err(LoadError::NoManifest { directory });
    }
    let model_bytes = Bytes::from(files::read(&model_path, onnx::MAX_BYTES as u64)?);
    let Some(manifest_bytes) = manifest_bytes else {
        let digest = || sha256_hex(&model_bytes);
        let (digest, parts) = beside(digest, || plain::parts(&model_path, &model_bytes));
        return Ok(plain::served(config, &model_path, digest, parts?));
    };
    let manifest = files::manifest(&manifest_path, &manifest_bytes)?;
    // A start is waited for, and a large model takes longest: what does not need it is done beside it.
    let rest = || {
        let training = files::training(&directory, &manifest);
        let watch = |training| Arc::new(Monitor::new(training, &config.drift));
        (
            sha256_hex(&model_bytes),
            training.map(|training| training.map(watch)),
        )
    };
    let ((model_digest, drift), model) = beside(rest, || Model::read_shared(&model_bytes));
    if manifest.model_digest != model_digest {
        return Err(LoadError::Digest {
            path: model_path,
            found: model_digest,
            expected: manifest.model_digest,
        });
    }
    let model = model.map_err(|cause| LoadError::Onnx {
        path: model_path,
        cause,
    })?;
    checks::schema(&manifest, &model)?;
    checks::golden_rows(&manifest, &model)?;
    checks::answers(&model, &checks::middle_row(&manifest.features))?;
    let drift = drift?;
    let info = from_manifest(config, &manifest, sha256_hex(&manifest_bytes));
    let named = manifest.class_names().is_some();
    Ok(Served::new(Engine::Forest(model), info, named, drift))
}

/// Does one thing on a thread of its own and the other on this one.
fn beside<A: Send, B>(other: impl FnOnce() -> A + Send, this: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let this = this();
        let other = other.join();
        (
            other.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            this,
        )
    })
}

fn from_manifest(config: &Config, manifest: &Manifest, manifest_digest: String) -> contract::ModelInfo {
    let version = manifest.model_version.map(|version| version.to_string());
    contract::ModelInfo {
        name: config.name.clone().unwrap_or_else(|| manifest.name.clone()),
        model_version: version.unwrap_or_else(|| plain::short(&manifest.model_digest)),
        run_id: manifest.run_id.clone(),
        task: manifest.task,
        algorithm: manifest.algorithm.clone(),
        features: manifest.features.clone(),
        classes: manifest.classes.clone(),
        metrics: manifest.metrics.clone(),
        dataset: Some(manifest.dataset.clone()),
        drift_reference_sources: manifest
            .drift_reference
            .iter()
            .flat_map(|r| r.sources.clone())
            .collect(),
        digests: Digests {
            model: manifest.model_digest.clone(),
            manifest: Some(manifest_digest),
            drift_reference: manifest.drift_reference.as_ref().map(|r| r.digest.clone()),
            schema: Some(manifest.schema_digest()),
            dataset: Some(manifest.dataset.digest.clone()),
            image: config.release.digest.clone(),
        },
        code_commit: Some(manifest.code_commit.clone()),
        image_tag: config.release.tag.clone(),
    }
}

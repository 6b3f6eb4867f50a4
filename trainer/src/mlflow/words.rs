//! What is said about a run: tags, parameters, dataset.

use contract::Manifest;
use contract::names::PREFIX;
use mlflow_client::{DatasetInput, Metric, Param, Tag};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Everything that MLflow is told about a candidate.
#[derive(Clone, Debug)]
pub struct Story {
    /// By which a second start finds the run.
    pub run_key: String,
    /// Manifest as trained.
    pub manifest: Manifest,
    /// The model directory.
    pub model: PathBuf,
    /// Place of the data, without secrets.
    pub place: String,
    /// The gate's report.
    pub report: Value,
}

/// A tag of ours: `driftless.dev/<key>`.
pub fn tag(key: &str, value: impl Into<String>) -> Tag {
    Tag::new(format!("{PREFIX}/{key}"), value)
}

impl Story {
    /// Tags that run, model and version carry.
    pub fn tags(&self) -> Vec<Tag> {
        let manifest = &self.manifest;
        vec![
            tag("run-key", &self.run_key),
            tag("model-digest", &manifest.model_digest),
            tag("dataset-digest", &manifest.dataset.digest),
            tag("code-commit", &manifest.code_commit),
        ]
    }

    /// Tags that the web page shows as source and user.
    pub fn source_tags(&self) -> Vec<Tag> {
        let mut tags = vec![
            Tag::new("mlflow.user", "driftless"),
            Tag::new("mlflow.source.name", "trainer run"),
            Tag::new("mlflow.source.type", "JOB"),
        ];
        if self.manifest.code_commit != "unknown" {
            tags.push(Tag::new("mlflow.source.git.commit", &self.manifest.code_commit));
        }
        tags
    }

    /// Parameters, each as text.
    pub fn params(&self) -> Vec<Param> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => "none".to_owned(),
            other => other.to_string(),
        };
        let param = |key: &str, value: String| Param {
            key: key.to_owned(),
            value,
        };
        let manifest = &self.manifest;
        let mut all: Vec<Param> = manifest
            .parameters
            .iter()
            .map(|(key, value)| param(key, text(value)))
            .collect();
        all.push(param("algorithm", manifest.algorithm.clone()));
        all.push(param("seed", manifest.seed.to_string()));
        all.push(param("target", manifest.dataset.target.clone()));
        all
    }

    /// Held-out metrics, at one time, so that a second logging stores nothing more.
    pub fn metrics(&self, time: i64, model_id: Option<&str>) -> Vec<Metric> {
        let dataset = self.dataset();
        let metric = |(key, value): (&String, &f64)| Metric {
            key: key.clone(),
            value: *value,
            timestamp: time,
            step: 0,
            model_id: model_id.map(str::to_owned),
            dataset_name: model_id.map(|_| dataset.name.clone()),
            dataset_digest: model_id.map(|_| dataset.digest.clone()),
        };
        self.manifest.metrics.iter().map(metric).collect()
    }

    /// The dataset in MLflow's words.
    pub fn dataset(&self) -> DatasetInput {
        let dataset = &self.manifest.dataset;
        // A digest behind the place is not part of its name.
        let place = self
            .place
            .split_once('#')
            .map_or(self.place.as_str(), |(place, _)| place);
        let last = place.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let column = |name: &str, kind: &str| json!({"type": kind, "name": name, "required": true});
        let mut columns: Vec<Value> = self
            .manifest
            .features
            .iter()
            .map(|f| column(&f.name, "double"))
            .collect();
        let kind = if self.manifest.classes.is_empty() {
            "double"
        } else {
            "string"
        };
        columns.push(column(&dataset.target, kind));
        DatasetInput {
            name: last.trim_end_matches(".csv").to_owned(),
            // MLflow stores 36 characters.
            digest: dataset
                .digest
                .trim_start_matches("sha256:")
                .chars()
                .take(36)
                .collect(),
            source_type: match self.place.split_once("://") {
                Some(("http" | "https", _)) => "http",
                Some(("s3", _)) => "s3",
                _ => "local",
            }
            .to_owned(),
            source: json!({"uri": self.place, "digest": dataset.digest, "files": dataset.files}).to_string(),
            schema: json!({"mlflow_colspec": columns}).to_string(),
            profile: json!({"num_rows": dataset.rows, "num_elements": dataset.rows * columns.len() as u64})
                .to_string(),
        }
    }
}

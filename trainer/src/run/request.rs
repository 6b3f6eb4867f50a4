//! What was asked for, and by which key a second start knows it again.

use crate::cli::{GateFlags, RunFlags};
use gitops::Release;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything that decides what a run does, less the live model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    dataset_digest: String,
    algorithm: String,
    parameters: BTreeMap<String, Value>,
    seed: u64,
    model_name: String,
    code_commit: String,
    environment: String,
    gate: GateFlags,
    force: bool,
}

impl Request {
    pub fn new(flags: &RunFlags, dataset_digest: &str) -> Self {
        let learn = &flags.learn;
        Request {
            dataset_digest: dataset_digest.to_owned(),
            algorithm: learn.algorithm.name().to_owned(),
            parameters: learn.parameters(),
            seed: learn.seed,
            model_name: learn.model_name.clone(),
            code_commit: learn.code_commit.clone(),
            environment: flags.git.environment.clone(),
            gate: flags.gate.clone(),
            force: flags.force,
        }
    }
}

/// How a run ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    Promoted,
    Refused,
    Outrun,
    Withdrawn,
}

/// `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Names the run in MLflow.
    pub key: String,
    /// What was asked for.
    pub request: Request,
    /// Digest of the live image when it began: the promotion must still find it.
    pub expected_previous: Option<String>,
    /// RFC 3339.
    pub started_at: String,
    /// Absent while it goes on, or was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

impl State {
    pub fn new(request: Request, current: Option<&Release>, nonce: &str) -> Self {
        let expected_previous = current.map(|release| release.digest.clone());
        // A tuple of structs, not a JSON map, whose order depends on how serde_json was compiled.
        let text =
            serde_json::to_vec(&(&request, &expected_previous, nonce)).expect("plain data is always JSON");
        let digest = contract::sha256_hex(&text);
        State {
            key: digest.trim_start_matches("sha256:").to_owned(),
            request,
            expected_previous,
            started_at: jiff::Timestamp::now().to_string(),
            ended: None,
        }
    }

    /// The registered model.
    pub fn model_name(&self) -> &str {
        &self.request.model_name
    }

    /// What is released to.
    pub fn environment(&self) -> &str {
        &self.request.environment
    }

    /// Name of the folder.
    pub fn short(&self) -> &str {
        self.key.get(..16).unwrap_or(&self.key)
    }
}

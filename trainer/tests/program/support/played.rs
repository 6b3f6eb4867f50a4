//! The API and the engine, as a test wants them to answer.

use super::world::git;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use wiremock::{Request, Respond, ResponseTemplate};

/// What the played engine and API are to say.
#[derive(Default)]
pub struct Played {
    pub is_degraded: AtomicBool,
    pub is_drift: AtomicBool,
    /// What `/drift/status` says, where a test says more than yes or no.
    pub drift: Mutex<Option<Value>>,
    /// What `/model/info` says, where it is not the release.
    pub info: Mutex<Option<Value>>,
    /// Version and text of the ledger.
    pub ledger: Mutex<(u64, Option<String>)>,
    pub runs: Mutex<Vec<Value>>,
    pub is_wrong: AtomicBool,
    /// What the API asks its clients for.
    pub key: Mutex<Option<&'static str>>,
}

impl Played {
    fn is_locked_for(&self, request: &Request) -> bool {
        let shown = request
            .headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let key = *self.key.lock().unwrap();
        key.is_some_and(|key| shown != Some(&format!("Bearer {key}")) && request.url.path() != "/readyz")
    }
}

/// An API that serves what the release file at the head of the branch says.
pub struct Api(pub PathBuf, pub Arc<Played>);

impl Respond for Api {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if self.1.is_locked_for(request) {
            return ResponseTemplate::new(401);
        }
        if let Some(info) = &*self.1.info.lock().unwrap() {
            return ResponseTemplate::new(200).set_body_json(info);
        }
        let file = git(
            &self.0,
            &[
                "show",
                &format!("main:{}", contract::names::release_file("local")),
            ],
        );
        let Ok(Some(release)) = gitops::Release::from_yaml("local", &(file + "\n")) else {
            return ResponseTemplate::new(503);
        };
        let version = release.model_version.to_string();
        if request.url.path() == "/predict" {
            let share = if self.1.is_wrong.load(Ordering::SeqCst) {
                0.5
            } else {
                1.0
            };
            return ResponseTemplate::new(200).set_body_json(json!({"prediction": 0,
                "probabilities": [share, 0.0, 0.0], "model_version": version, "drift_detected": false}));
        }
        ResponseTemplate::new(200).set_body_json(json!({
            "classes": ["a", "b", "c"], "name": "iris-model", "model_version": version, "task": "classification",
            "algorithm": "random-forest", "features": [],
            "digests": {"model": release.model_digest, "image": release.digest}}))
    }
}

/// What the API says about drift.
pub struct Drift(pub Arc<Played>);

impl Respond for Drift {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if self.0.is_locked_for(request) {
            return ResponseTemplate::new(401);
        }
        if let Some(status) = &*self.0.drift.lock().unwrap() {
            return ResponseTemplate::new(200).set_body_json(status);
        }
        let is_drift = self.0.is_drift.load(Ordering::SeqCst);
        ResponseTemplate::new(200).set_body_json(json!({"drift_detected": is_drift}))
    }
}

/// Runs and records of the engine.
pub struct Kept(pub Arc<Played>);

impl Respond for Kept {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let ok = |answer: Value| ResponseTemplate::new(200).set_body_json(answer);
        let path = request.url.path();
        let (is_post, mut runs) = (request.method == "POST", self.0.runs.lock().unwrap());
        if path.starts_with("/v1/records/") {
            let mut ledger = self.0.ledger.lock().unwrap();
            let version = ledger.1.as_ref().map_or(String::new(), |_| ledger.0.to_string());
            if !is_post {
                return ok(json!({"version": version, "text": ledger.1}));
            }
            let written = body["expected"] == version.as_str();
            if written {
                *ledger = (ledger.0 + 1, body["text"].as_str().map(str::to_owned));
            }
            return ok(json!({ "written": written }));
        }
        let name = match is_post {
            true => body["name"].as_str().unwrap_or("training-1"),
            false => path.rsplit('/').next().unwrap(),
        };
        if let Some(run) = runs.iter().find(|run| run["id"] == name) {
            return ok(run.clone());
        }
        if !is_post {
            return ResponseTemplate::new(404).set_body_json(json!({"message": "no such run"}));
        }
        let run =
            json!({"id": name, "template": "training", "phase": "Pending", "attempts": 0, "startedAt": ""});
        runs.push(run.clone());
        ok(run)
    }
}

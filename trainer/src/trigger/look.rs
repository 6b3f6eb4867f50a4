//! What the API says of drift. Read leniently: an API of before knows no episodes.

use crate::api::Api;
use crate::failure::{Failure, Result};
use drift::episodes::{Episode, Observation};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

const ANSWER: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Said {
    drift_detected: Option<bool>,
    reason: Option<String>,
    #[serde(default)]
    samples: u64,
    features: Option<Value>,
    window: Option<SaidWindow>,
    /// Said by every API that knows of episodes.
    model: Option<String>,
    episode: Option<SaidEpisode>,
}

#[derive(Deserialize)]
struct SaidWindow {
    rows: u64,
    size: u64,
}

#[derive(Deserialize)]
struct SaidEpisode {
    number: u64,
    #[serde(default)]
    opened_at_ms: u64,
    since_rows: Option<u64>,
    open: bool,
    #[serde(default)]
    movements: Vec<String>,
}

/// Asks the API.
///
/// # Errors
/// It does not answer, or not with a drift status.
pub fn look(api: &Api) -> Result<Observation> {
    let text = api
        .get_json::<Value>("/drift/status", ANSWER)
        .and_then(|status| serde_json::from_value::<Said>(status).map_err(|error| error.to_string()));
    let said = text.map_err(|e| Failure::new(1, format!("the API's drift status cannot be read: {e}")))?;
    observed(said, || {
        let info: Value = api
            .get_json("/model/info", ANSWER)
            .map_err(|e| Failure::new(1, format!("the API's model cannot be read: {e}")))?;
        let digest = info["digests"]["model"].as_str();
        digest.map(str::to_owned).ok_or_else(|| {
            Failure::new(
                1,
                format!(
                    "{}/model/info: expected the model's digest in digests.model",
                    api.base()
                ),
            )
        })
    })
}

fn observed(said: Said, model: impl FnOnce() -> Result<String>) -> Result<Observation> {
    let collecting = said.reason.is_some_and(|reason| reason.starts_with("Collecting"));
    let moved = moved(said.features.as_ref());
    let drifts = said.drift_detected == Some(true);
    let episode = match (said.episode, &said.model) {
        (Some(episode), _) => Some(Episode {
            number: episode.number,
            opened_at_ms: episode.opened_at_ms,
            since_rows: episode.since_rows,
            // One that goes on although the newest look was quiet is about to close: nothing to retrain for.
            open: episode.open && drifts,
            movements: match episode.movements.is_empty() {
                true => moved,
                false => episode.movements,
            },
        }),
        // It has had none, whatever the newest look says.
        (None, Some(_)) => None,
        // All of a model's drift is one episode then.
        (None, None) => drifts.then_some(Episode {
            number: 0,
            opened_at_ms: 0,
            since_rows: None,
            open: true,
            movements: moved,
        }),
    };
    Ok(Observation {
        model: match (said.model, &episode) {
            (Some(model), _) => model,
            (None, Some(_)) => model()?,
            // Not worth a question: nothing is to be done.
            (None, None) => String::new(),
        },
        samples: said.window.as_ref().map_or(said.samples, |window| window.size),
        judged: match said.window {
            Some(window) => window.rows >= window.size,
            None => said.features.is_some() && !collecting,
        },
        episode,
    })
}

/// Names of the features that drift.
fn moved(features: Option<&Value>) -> Vec<String> {
    let features = features.and_then(Value::as_object).into_iter().flatten();
    features
        .filter(|(_, feature)| feature["drift"] == true)
        .map(|(key, feature)| feature["name"].as_str().unwrap_or(key).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(status: Value) -> Observation {
        observed(serde_json::from_value(status).unwrap(), || {
            Ok("sha256:asked".to_owned())
        })
        .unwrap()
    }

    #[test]
    fn an_api_with_episodes() {
        let feature = json!({"feature_0": {"name": "petal length", "drift": true}, "feature_1": {"name": "b", "drift": false}});
        let mut status = json!({"drift_detected": true, "samples": 100, "features": feature, "model": "sha256:a",
            "episode": {"number": 2, "opened_at_ms": 5, "since_rows": 70, "open": true, "movements": ["up"]}});
        let seen = of(status.clone());
        assert_eq!(
            (seen.model.as_str(), seen.samples, seen.judged),
            ("sha256:a", 100, true)
        );
        let (key, episode) = seen.open().unwrap();
        assert_eq!(
            (key.number, key.opened_at_ms, episode.since_rows),
            (2, 5, Some(70))
        );
        assert_eq!(episode.movements, ["up"]);
        status["episode"]["movements"] = json!([]);
        assert_eq!(of(status.clone()).episode.unwrap().movements, ["petal length"]);
        // One that is over counts for more than the last look.
        status["episode"]["open"] = false.into();
        assert!(of(status.clone()).open().is_none());
        status["episode"] = Value::Null;
        assert_eq!(of(status.clone()).episode, None);
        // Left out where there was none; a window that is not full judges nothing.
        status.as_object_mut().unwrap().remove("episode");
        status["window"] = json!({"rows": 60, "size": 200, "total": 60});
        let seen = of(status);
        assert_eq!((seen.episode, seen.samples, seen.judged), (None, 200, false));
    }

    #[test]
    fn an_api_of_before() {
        let seen = of(json!({"drift_detected": true, "samples": 100, "threshold": 0.05, "features": {}}));
        let (key, episode) = seen.open().unwrap();
        assert_eq!(
            (key.model.as_str(), key.number, episode.since_rows),
            ("sha256:asked", 0, None)
        );
        for quiet in [
            json!({"drift_detected": false, "reason": "Collecting samples (3/100)", "samples": 3}),
            // Without a reference nothing is watched.
            json!({"drift_detected": null, "status": "disabled", "samples": 0}),
        ] {
            let seen = of(quiet);
            assert!(seen.open().is_none() && !seen.judged);
        }
    }
}

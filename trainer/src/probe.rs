//! Asks the inference API whether it serves a release: what it says of itself, and a prediction.

use crate::api::Api;
use contract::manifest::Task;
use contract::predict::{OneRow, Prediction};
use contract::{ModelInfo, predict};
use gitops::Release;
use std::time::Duration;

/// What the API says of itself, beside a release.
#[derive(Debug)]
pub enum Answer {
    /// It serves the release.
    Ours(Box<ModelInfo>),
    /// It serves something else.
    Other(Box<ModelInfo>),
    /// It says nothing that can be used.
    None(String),
}

impl Answer {
    /// For a person: why this is not the release.
    pub fn said(&self) -> String {
        match self {
            Answer::Ours(_) => "it serves the release".to_owned(),
            Answer::Other(info) => format!(
                "it serves version {} (model {})",
                info.model_version, info.digests.model
            ),
            Answer::None(text) => text.clone(),
        }
    }
}

/// Asks `/model/info`. A process that was not told its image's digest is known by the model's.
pub fn info(api: &Api, release: &Release, patience: Duration) -> Answer {
    match api.get_json::<ModelInfo>("/model/info", patience) {
        Err(text) => Answer::None(text),
        Ok(info) => {
            let image = info.digests.image.as_ref();
            let same = info.digests.model == release.model_digest
                && image.is_none_or(|image| *image == release.digest);
            match same {
                true => Answer::Ours(Box::new(info)),
                false => Answer::Other(Box::new(info)),
            }
        }
    }
}

/// Asks `/readyz`, `/model/info` and `/predict`: `Ours` where all three are as the release says.
pub fn all(api: &Api, release: &Release, patience: Duration) -> Answer {
    if let Err(text) = api.get_status("/readyz", patience) {
        return Answer::None(text);
    }
    match info(api, release, patience) {
        Answer::Ours(info) => match predicts(api, &info, release, patience) {
            Ok(()) => Answer::Ours(info),
            Err(text) => Answer::None(text),
        },
        other => other,
    }
}

fn predicts(api: &Api, info: &ModelInfo, release: &Release, patience: Duration) -> Result<(), String> {
    // In the middle of what was seen in training: a row that does not look like drift.
    let middle = |feature: &contract::manifest::Feature| feature.min + (feature.max - feature.min) / 2.0;
    let row = predict::PredictRequest::One(OneRow {
        features: info.features.iter().map(middle).collect(),
    });
    let answer: Prediction = api.post_json("/predict", &row, patience)?;
    judge(&answer, info, release).map_err(|text| format!("{}/predict: {text}", api.base()))
}

fn judge(answer: &Prediction, info: &ModelInfo, release: &Release) -> Result<(), String> {
    let version = release.model_version.to_string();
    if answer.model_version != version {
        return Err(format!(
            "version {} answered, not {version}",
            answer.model_version
        ));
    }
    if info.task == Task::Regression {
        // JSON has no other numbers than finite ones.
        return Ok(());
    }
    let all = &answer.probabilities;
    let sum: f64 = all.iter().sum();
    let plain = all.iter().all(|share| (-1e-6..=1.0 + 1e-6).contains(share));
    if !plain || (sum - 1.0).abs() > 1e-3 || (!info.classes.is_empty() && all.len() != info.classes.len()) {
        return Err(format!(
            "the probabilities {all:?} are not shares of {} classes",
            info.classes.len()
        ));
    }
    match answer.prediction.as_u64() {
        Some(class) if (class as usize) < all.len() => Ok(()),
        _ => Err(format!("the prediction {} is no class", answer.prediction)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn release() -> Release {
        let digest = |what: &str| contract::sha256_hex(what.as_bytes());
        Release {
            environment: "local".to_owned(),
            image: "inference-api".to_owned(),
            new_name: "inference-api".to_owned(),
            tag: "m3-0123456".parse().unwrap(),
            digest: digest("image"),
            run_id: "run".to_owned(),
            model_version: 3,
            model_digest: digest("model"),
            dataset_digest: digest("data"),
            code_commit: "unknown".to_owned(),
        }
    }

    #[test]
    fn what_counts_as_a_prediction() {
        let info = |task: &str| -> ModelInfo {
            serde_json::from_value(
                json!({"name": "m", "model_version": "3", "task": task, "algorithm": "x",
                "features": [], "classes": ["a", "b"], "digests": {"model": "x"}}),
            )
            .unwrap()
        };
        let answer = |prediction: serde_json::Value, all: &[f64], version: &str| -> Prediction {
            serde_json::from_value(json!({"prediction": prediction, "probabilities": all,
                "model_version": version, "drift_detected": false}))
            .unwrap()
        };
        let (classes, numbers) = (info("classification"), info("regression"));
        for (answer, info, words) in [
            (answer(json!(1), &[0.25, 0.75], "3"), &classes, None),
            (answer(json!(2.5), &[], "3"), &numbers, None),
            (answer(json!(1), &[0.25, 0.75], "2"), &classes, Some("version 2")),
            (answer(json!(2.5), &[], "2"), &numbers, Some("version 2")),
            (answer(json!(1), &[0.25, 0.25], "3"), &classes, Some("not shares")),
            (answer(json!(1), &[-0.5, 1.5], "3"), &classes, Some("not shares")),
            (answer(json!(0), &[1.0], "3"), &classes, Some("not shares")),
            (answer(json!(0), &[], "3"), &classes, Some("not shares")),
            (answer(json!(2), &[0.5, 0.5], "3"), &classes, Some("no class")),
            (answer(json!(0.5), &[0.5, 0.5], "3"), &classes, Some("no class")),
        ] {
            match (judge(&answer, info, &release()), words) {
                (Ok(()), None) => (),
                (Err(text), Some(words)) if text.contains(words) => (),
                other => panic!("{answer:?}: {other:?}"),
            }
        }
    }
}

//! The loaded model and everything about its answers that does not depend on the request.

use crate::{
    drift_watch::DriftWatch,
    error::{ApiError, Code},
    predict::{answer::AnswerParts, rows::Rows},
};
use axum::body::Bytes;
use contract::ModelInfo;
use onnx::Model;

/// One model, ready to answer.
#[derive(Debug)]
pub struct Served {
    model: Model,
    info: ModelInfo,
    info_body: Bytes,
    feature_names: Vec<String>,
    answers: AnswerParts,
    drift: Option<DriftWatch>,
}

impl Served {
    /// `named`: whether class names are worth showing in answers.
    pub fn new(model: Model, info: ModelInfo, named: bool, drift: Option<DriftWatch>) -> Self {
        let info_body = serde_json::to_vec(&info)
            .expect("a ModelInfo has string keys only")
            .into();
        Served {
            answers: AnswerParts::new(&info, named),
            feature_names: info.features.iter().map(|feature| feature.name.clone()).collect(),
            model,
            info,
            info_body,
            drift,
        }
    }

    /// What is live.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The same as the body of `/model/info`.
    pub fn info_body(&self) -> Bytes {
        self.info_body.clone()
    }

    /// Names of the features, in order.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The drift window, where the model has a reference.
    pub fn drift(&self) -> Option<&DriftWatch> {
        self.drift.as_ref()
    }

    /// Predicts the rows that were read, records them in the drift window, and writes the answer.
    pub fn answer(&self, rows: &mut Rows, many: bool) -> Result<Vec<u8>, ApiError> {
        let (count, outputs) = (rows.count, self.model.outputs());
        rows.scores.resize(count * outputs, 0.0);
        rows.labels.resize(count, 0);
        if count == 1 {
            rows.labels[0] = self.model.predict_row(&rows.inputs, &mut rows.scores) as i64;
        } else {
            self.model
                .predict_batch(&rows.inputs, &mut rows.scores, &mut rows.labels);
        }
        if let Some(score) = rows.scores.iter().find(|score| !score.is_finite()) {
            let message = format!("the model answered {score}, which JSON cannot hold");
            return Err(ApiError::new(Code::PredictionNotFinite, message));
        }
        let drift_detected = self
            .drift
            .as_ref()
            .is_some_and(|drift| drift.observe(&rows.values));
        let predictions = rows.labels.iter().zip(rows.scores.chunks_exact(outputs));
        Ok(self.answers.write(predictions, many, drift_detected))
    }
}

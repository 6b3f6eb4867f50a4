//! The loaded model and everything about its answers that does not depend on the request.

use crate::{
    error::{ApiError, Code},
    feedback::Feedback,
    monitor::{Answered, Monitor},
    predict::{answer::AnswerParts, plan::PlanRows, rows::Rows},
    table::Columns,
    tensor::{Datatype, TensorSpec},
    v2,
};
use axum::body::Bytes;
use contract::ModelInfo;
use onnx::{Model, Plan, plan::Element};
use std::sync::Arc;

/// What evaluates.
#[derive(Debug)]
pub enum Engine {
    /// The strict form of a forest, as the trainer writes it.
    Forest(Model),
    /// Any other graph.
    Plan(Plan),
}

/// Whose rows are predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic<'r> {
    /// Somebody's, by the id of the request: they are recorded where the model has a drift reference, and
    /// remembered for labels.
    Clients(&'r str),
    /// Made up to be shown in documents.
    Examples,
}

/// What a model takes and gives, for every protocol.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Name in paths and answers.
    pub name: String,
    /// Version in paths and answers.
    pub version: String,
    /// Inputs, in the order of the graph.
    pub inputs: Vec<TensorSpec>,
    /// Outputs, in the order of the graph.
    pub outputs: Vec<TensorSpec>,
}

/// One model, ready to answer.
#[derive(Debug)]
pub struct Served {
    engine: Engine,
    signature: Signature,
    info: ModelInfo,
    info_body: Bytes,
    feature_names: Vec<String>,
    answers: AnswerParts,
    /// Of a plan: how `/predict` asks it, or why it cannot.
    plan_rows: Option<Result<PlanRows, String>>,
    v2: v2::Texts,
    columns: Columns,
    drift: Option<Arc<Monitor>>,
    feedback: Option<Arc<Feedback>>,
}

impl Served {
    /// `named`: whether class names are worth showing in answers.
    pub fn new(engine: Engine, info: ModelInfo, named: bool, drift: Option<Arc<Monitor>>) -> Self {
        let info_body = serde_json::to_vec(&info)
            .expect("a ModelInfo has string keys only")
            .into();
        let signature = signature(&engine, &info);
        let feature_names: Vec<String> = info.features.iter().map(|feature| feature.name.clone()).collect();
        // Without a manifest the features' names are ours, and nobody's table has them.
        let known = info.digests.manifest.as_ref().map(|_| &feature_names[..]);
        Served {
            v2: v2::Texts::new(&signature),
            answers: AnswerParts::new(&info, named),
            plan_rows: match &engine {
                Engine::Forest(_) => None,
                Engine::Plan(plan) => Some(PlanRows::of(plan, &info.model_version)),
            },
            columns: Columns::new(&signature, known),
            feature_names,
            signature,
            engine,
            info,
            info_body,
            drift,
            feedback: None,
        }
    }

    /// The same, and it takes labels.
    pub fn with_feedback(mut self, feedback: Option<Arc<Feedback>>) -> Self {
        self.feedback = feedback;
        self
    }

    /// Who takes labels, where somebody does.
    pub fn feedback(&self) -> Option<&Arc<Feedback>> {
        self.feedback.as_ref()
    }

    /// What is live.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The same as the body of `/model/info`.
    pub fn info_body(&self) -> Bytes {
        self.info_body.clone()
    }

    /// What evaluates.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What it takes and gives.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What answers of V2 are made of.
    pub(crate) fn v2(&self) -> &v2::Texts {
        &self.v2
    }

    /// Names of the features, in order.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// What it takes, as the columns of a table.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Without a drift window: rows that are scored offline are nobody's traffic.
    pub fn without_drift(mut self) -> Self {
        (self.drift, self.feedback) = (None, None);
        self
    }

    /// Who watches for drift, where the model has a reference.
    pub fn drift(&self) -> Option<&Arc<Monitor>> {
        self.drift.as_ref()
    }

    /// What the rows of `/predict` become, and the largest whole number that it takes where that is integers.
    ///
    /// # Errors
    /// `unsupported_model` where the model cannot be asked by rows of numbers.
    pub fn rows_datatype(&self) -> Result<(Datatype, f64), ApiError> {
        match &self.plan_rows {
            None => Ok((Datatype::Fp32, 0.0)),
            Some(_) => self.plan_rows().map(|rows| (rows.datatype(), rows.whole_most())),
        }
    }

    fn plan_rows(&self) -> Result<&PlanRows, ApiError> {
        let reason = match &self.plan_rows {
            Some(Ok(rows)) => return Ok(rows),
            Some(Err(reason)) => reason,
            None => "the model is a forest",
        };
        let name = &self.signature.name;
        let message = format!("{reason}: send tensors to /v2/models/{name}/infer instead");
        Err(ApiError::new(Code::UnsupportedModel, message))
    }

    /// Labels, where they are numbers of classes.
    pub(crate) fn classes_of<'l>(&self, labels: &'l [i64]) -> &'l [i64] {
        match self.info.classes.is_empty() {
            true => &[],
            false => labels,
        }
    }

    /// Predicts the rows that were read, records them in the drift window, and writes the answer.
    pub fn answer(&self, rows: &mut Rows, many: bool, traffic: Traffic<'_>) -> Result<Vec<u8>, ApiError> {
        let Engine::Forest(model) = &self.engine else {
            return self.plan_rows()?.answer(self, rows, many);
        };
        let (count, outputs) = (rows.count, model.outputs());
        rows.scores.resize(count * outputs, 0.0);
        rows.labels.resize(count, 0);
        if count == 1 {
            rows.labels[0] = model.predict_row(&rows.inputs, &mut rows.scores) as i64;
        } else {
            model.predict_batch(&rows.inputs, &mut rows.scores, &mut rows.labels);
        }
        if let Some(score) = rows.scores.iter().find(|score| !score.is_finite()) {
            let message = format!("the model answered {score}, which JSON cannot hold");
            return Err(ApiError::new(Code::PredictionNotFinite, message));
        }
        let mut drift_detected = false;
        if let Traffic::Clients(id) = traffic {
            let drift = self.drift.as_ref();
            let answered = Answered {
                labels: self.classes_of(&rows.labels),
                scores: &rows.scores,
                width: outputs,
            };
            drift_detected = drift.is_some_and(|drift| drift.record(&rows.values, answered, false));
            if let Some(feedback) = &self.feedback {
                match model.is_classifier() {
                    true => feedback.record(
                        id,
                        rows.labels.iter().map(|label| *label as f64),
                        &rows.values,
                        false,
                    ),
                    false => feedback.record(
                        id,
                        rows.scores.iter().map(|score| f64::from(*score)),
                        &rows.values,
                        false,
                    ),
                }
            }
        }
        let predictions = rows.labels.iter().zip(rows.scores.chunks_exact(outputs));
        Ok(self.answers.write(predictions, many, drift_detected))
    }
}

/// Names and types as in the graph; of a forest they are always the same.
fn signature(engine: &Engine, info: &ModelInfo) -> Signature {
    let spec = |name: &str, datatype, columns: Option<usize>, classes: Option<Vec<String>>| TensorSpec {
        name: name.to_owned(),
        datatype,
        shape: std::iter::once(None).chain(columns.map(Some)).collect(),
        classes,
    };
    let classes = (!info.classes.is_empty()).then_some(info.classes.len());
    let port = |port: &onnx::plan::Port| TensorSpec {
        name: port.name.clone(),
        datatype: port.element.into(),
        shape: port.shape.clone(),
        classes: (classes.is_some()
            && matches!(port.element, Element::F32 | Element::F64)
            && port.shape.get(1).is_some_and(|columns| *columns == classes))
        .then(|| info.classes.clone()),
    };
    let (inputs, outputs) = match engine {
        Engine::Forest(model) => {
            let input = spec(
                onnx::names::FEATURES,
                Datatype::Fp32,
                Some(model.features()),
                None,
            );
            let width = Some(model.outputs());
            let outputs = match model.is_classifier() {
                true => vec![
                    spec(onnx::names::LABEL, Datatype::Int64, None, None),
                    spec(
                        onnx::names::PROBABILITIES,
                        Datatype::Fp32,
                        width,
                        Some(info.classes.clone()),
                    ),
                ],
                false => vec![spec(onnx::names::PREDICTION, Datatype::Fp32, width, None)],
            };
            (vec![input], outputs)
        }
        Engine::Plan(plan) => (
            plan.inputs().iter().map(port).collect(),
            plan.outputs().iter().map(port).collect(),
        ),
    };
    Signature {
        name: info.name.clone(),
        version: info.model_version.clone(),
        inputs,
        outputs,
    }
}

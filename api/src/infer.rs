//! Tensors in, tensors out, whatever the model is: what V2, gRPC and MLflow's protocol rest on.

use crate::{
    error::{ApiError, Code},
    predict::fault::quoted,
    served::{Engine, Served, Traffic},
    tensor::{Data, Tensor, TensorSpec},
};
use onnx::plan::{Scratch, View};
use std::cell::RefCell;

/// Elements that a thread's buffers may hold between requests, about 1 MB; larger ones go back.
const KEPT_ELEMENTS: usize = 1 << 17;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Served {
    /// Answers rows. `wanted` names outputs in the order of the answer; `None` is all of them.
    /// Rows of clients are recorded, for drift and for labels.
    ///
    /// # Errors
    /// `unknown_tensor`, `missing_tensor`, `duplicate_tensor`, `tensor_datatype`, `tensor_shape`,
    /// `too_many_instances`, or `prediction_failed` with the evaluator's words.
    pub fn infer(
        &self,
        inputs: &[Tensor],
        wanted: Option<&[&str]>,
        rows_max: usize,
        traffic: Traffic<'_>,
    ) -> Result<Vec<Tensor>, ApiError> {
        let outputs = self.evaluate(inputs, wanted, rows_max)?;
        if let Traffic::Clients(id) = traffic {
            self.record(inputs, &outputs, id);
        }
        Ok(outputs)
    }

    fn evaluate(
        &self,
        inputs: &[Tensor],
        wanted: Option<&[&str]>,
        rows_max: usize,
    ) -> Result<Vec<Tensor>, ApiError> {
        let wanted = self.wanted(wanted)?;
        let given = self.given(inputs)?;
        let rows = self.rows(&given, rows_max)?;
        let outputs = match self.engine() {
            Engine::Forest(model) => {
                let Data::F32(values) = &given[0].data else {
                    return Err(ApiError::new(Code::Internal, "a forest's input is FP32"));
                };
                let width = model.outputs();
                let (mut scores, mut labels) = (vec![0.0; rows * width], vec![0; rows]);
                model.predict_batch(values, &mut scores, &mut labels);
                // Each output is asked for once at most, so that its buffer can be given away.
                let mut tensor = |place: usize| {
                    let spec = &self.signature().outputs[place];
                    let (shape, data) = match (model.is_classifier(), place) {
                        (true, 0) => (vec![rows], Data::I64(std::mem::take(&mut labels))),
                        _ => (vec![rows, width], Data::F32(std::mem::take(&mut scores))),
                    };
                    self::tensor(spec, shape, data)
                };
                wanted.iter().map(|place| tensor(*place)).collect()
            }
            Engine::Plan(plan) => {
                let views: Vec<View> = given
                    .iter()
                    .map(|tensor| View {
                        shape: &tensor.shape,
                        values: tensor.data.values(),
                    })
                    .collect();
                SCRATCH.with_borrow_mut(|scratch| {
                    let answered = plan
                        .run(&views, scratch)
                        .map_err(|error| ApiError::new(Code::PredictionFailed, error.to_string()))?;
                    let answers: Vec<Tensor> = wanted
                        .iter()
                        .map(|place| {
                            let view = answered.get(*place);
                            let spec = &self.signature().outputs[*place];
                            tensor(spec, view.shape.to_vec(), Data::of(view.values))
                        })
                        .collect();
                    let touched: usize = given.iter().copied().chain(&answers).map(|t| t.data.len()).sum();
                    if touched > KEPT_ELEMENTS {
                        *scratch = Scratch::new();
                    }
                    Ok::<_, ApiError>(answers)
                })?
            }
        };
        Ok(outputs)
    }

    /// Rows of inputs that were answered.
    pub fn count_rows(&self, inputs: &[Tensor]) -> usize {
        let specs = &self.signature().inputs;
        let follows = |spec: &&TensorSpec| spec.shape.first() == Some(&None);
        let first = specs.iter().find(follows);
        let given = first.and_then(|spec| inputs.iter().find(|input| input.name == spec.name));
        given
            .and_then(|input| input.shape.first())
            .map_or(1, |rows| *rows)
    }

    /// Places of the outputs asked for.
    fn wanted(&self, wanted: Option<&[&str]>) -> Result<Vec<usize>, ApiError> {
        let all = &self.signature().outputs;
        let Some(wanted) = wanted else {
            return Ok((0..all.len()).collect());
        };
        let mut places = Vec::with_capacity(wanted.len());
        for name in wanted {
            let place = all.iter().position(|spec| spec.name == *name);
            let place = place.ok_or_else(|| unknown("output", name, all))?;
            if places.contains(&place) {
                return Err(ApiError::new(
                    Code::DuplicateTensor,
                    format!("output {name:?} is asked for twice"),
                ));
            }
            places.push(place);
        }
        Ok(places)
    }

    /// The inputs in the model's order, each as its specification says.
    fn given<'t>(&self, inputs: &'t [Tensor]) -> Result<Vec<&'t Tensor>, ApiError> {
        let all = &self.signature().inputs;
        for (place, input) in inputs.iter().enumerate() {
            if !all.iter().any(|spec| spec.name == input.name) {
                return Err(unknown("input", &input.name, all));
            }
            if inputs[..place].iter().any(|before| before.name == input.name) {
                let message = format!("input {:?} is given twice", input.name);
                return Err(ApiError::new(Code::DuplicateTensor, message));
            }
        }
        all.iter()
            .map(|spec| {
                let given = inputs.iter().find(|input| input.name == spec.name);
                let given = given.ok_or_else(|| {
                    let message = format!("input {:?} ({}) is missing", spec.name, spec.datatype);
                    ApiError::new(Code::MissingTensor, message)
                })?;
                fits(spec, given)?;
                Ok(given)
            })
            .collect()
    }

    /// Rows of all inputs, which must be equally many.
    fn rows(&self, given: &[&Tensor], most: usize) -> Result<usize, ApiError> {
        let counted = || {
            let specs = self.signature().inputs.iter().zip(given);
            specs.filter(|(spec, _)| spec.shape.first() == Some(&None))
        };
        let Some((first, tensor)) = counted().next() else {
            return Ok(1);
        };
        let rows = tensor.shape[0];
        if let Some((other, tensor)) = counted().find(|(_, tensor)| tensor.shape[0] != rows) {
            let message = format!(
                "input {:?} has {} rows, input {:?} has {rows}",
                other.name, tensor.shape[0], first.name
            );
            return Err(ApiError::new(Code::TensorShape, message));
        }
        match rows {
            0 => Err(ApiError::new(
                Code::EmptyBatch,
                format!("input {:?} has no rows", first.name),
            )),
            rows if rows > most => Err(ApiError::new(
                Code::TooManyInstances,
                format!("the request has {rows} rows, at most {most} are taken"),
            )),
            rows => Ok(rows),
        }
    }

    /// Records the rows where the model has a drift reference: its one input is float32 then.
    /// A value that is NaN is a missing one. Classes are known where the client asked for labels, for feedback also
    /// where it asked for probabilities.
    fn record(&self, given: &[Tensor], answered: &[Tensor], id: &str) {
        let [tensor] = given else { return };
        if self.drift().is_none() && self.feedback().is_none() {
            return;
        }
        let label = answered
            .iter()
            .find(|output| output.name == onnx::names::LABEL)
            .map(|output| &output.data);
        let labels = match label {
            Some(Data::I64(labels)) => self.classes_of(labels),
            _ => &[],
        };
        if let Data::F32(values) = &tensor.data {
            let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
            if let Some(drift) = self.drift() {
                let (scores, width) = scores(answered).unwrap_or((&[], 0));
                let answered = crate::monitor::Answered {
                    labels,
                    scores,
                    width,
                };
                drift.record(&values, answered, true);
            }
            if let Some(feedback) = self.feedback() {
                match labels.is_empty() {
                    false => feedback.record(id, labels.iter().map(|label| *label as f64), &values, true),
                    true => feedback.record(id, guesses(answered).into_iter(), &values, true),
                }
            }
        }
    }
}

/// Numbers or probabilities, where one of them was asked for, and how many of them a row has.
fn scores(answered: &[Tensor]) -> Option<(&[f32], usize)> {
    let number = floats(answered, onnx::names::PREDICTION).map(|(numbers, _)| (numbers, 1));
    number.or_else(|| floats(answered, onnx::names::PROBABILITIES))
}

fn floats<'t>(answered: &'t [Tensor], name: &str) -> Option<(&'t [f32], usize)> {
    let output = answered.iter().find(|output| output.name == name)?;
    match &output.data {
        Data::F32(scores) => Some((scores, output.shape.last().copied().unwrap_or(1).max(1))),
        _ => None,
    }
}

/// Answers without labels: numbers, or the class of the largest probability (the first one, as the forest itself has it).
fn guesses(answered: &[Tensor]) -> Vec<f64> {
    if let Some((numbers, _)) = floats(answered, onnx::names::PREDICTION) {
        return numbers.iter().map(|number| f64::from(*number)).collect();
    }
    let Some((scores, width)) = floats(answered, onnx::names::PROBABILITIES) else {
        return Vec::new();
    };
    let largest = |row: &[f32]| {
        let first = |best: usize, place: usize| if row[place] > row[best] { place } else { best };
        (0..row.len()).fold(0, first) as f64
    };
    scores.chunks_exact(width).map(largest).collect()
}

fn tensor(spec: &TensorSpec, shape: Vec<usize>, data: Data) -> Tensor {
    Tensor {
        name: spec.name.clone(),
        datatype: spec.datatype,
        shape,
        data,
    }
}

fn unknown(what: &str, name: &str, all: &[TensorSpec]) -> ApiError {
    let names: Vec<&str> = all.iter().map(|spec| spec.name.as_str()).collect();
    let name = quoted(name);
    let message = format!("{what} {name} is unknown, the model's are {}", names.join(", "));
    ApiError::new(Code::UnknownTensor, message)
}

fn fits(spec: &TensorSpec, given: &Tensor) -> Result<(), ApiError> {
    let name = &spec.name;
    if given.datatype != spec.datatype || !given.data.is_of(spec.datatype) {
        let message = format!(
            "input {name:?} is {}, the model takes {}",
            given.datatype, spec.datatype
        );
        return Err(ApiError::new(Code::TensorDatatype, message));
    }
    let same = given.shape.len() == spec.shape.len()
        && given
            .shape
            .iter()
            .zip(&spec.shape)
            .all(|(size, expected)| expected.is_none_or(|expected| expected == *size));
    if !same {
        let expected: Vec<i64> = spec.dimensions().collect();
        let message = format!(
            "input {name:?} has the shape {:?}, the model takes {expected:?}",
            given.shape
        );
        return Err(ApiError::new(Code::TensorShape, message));
    }
    let count = given
        .shape
        .iter()
        .try_fold(1usize, |count, size| count.checked_mul(*size));
    if count != Some(given.data.len()) {
        let message = format!(
            "input {name:?} has {} elements, its shape {:?} says otherwise",
            given.data.len(),
            given.shape
        );
        return Err(ApiError::new(Code::TensorShape, message));
    }
    Ok(())
}

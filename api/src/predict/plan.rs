//! Rows of numbers through a plan, and its outputs as predictions.

use super::rows::Rows;
use crate::{
    error::{ApiError, Code},
    served::{Served, Traffic},
    tensor::{Data, Datatype, Tensor},
};
use onnx::plan::{Classes, Element, Plan, Port};

/// Largest integer that a float64 tells from its neighbours, 2^53 - 1: 2^53 may have been one more.
const WHOLE_MOST: f64 = 9_007_199_254_740_991.0;

/// How `/predict` speaks to a plan that has one numeric input `[rows, columns]`.
#[derive(Debug)]
pub struct PlanRows {
    input: String,
    datatype: Datatype,
    columns: usize,
    /// The outputs that are asked for: labels and then scores, or the number.
    outputs: Vec<String>,
    kind: Kind,
    /// Quoted.
    version: String,
}

#[derive(Debug)]
enum Kind {
    /// Labels that are integers.
    Labels,
    /// Labels that are strings; a prediction is the place among these.
    Names(Vec<String>),
    /// One number a row.
    Number,
}

impl PlanRows {
    /// Finds input and outputs. `version` is the one that answers carry.
    ///
    /// # Errors
    /// In words, why this model cannot be asked by `/predict`.
    pub fn of(plan: &Plan, version: &str) -> Result<PlanRows, String> {
        let [input] = plan.inputs() else {
            return Err(format!("the model takes {} inputs", plan.inputs().len()));
        };
        let (Some(datatype), [None, Some(columns)]) = (numeric(input), &input.shape[..]) else {
            let (name, element, rank) = (&input.name, input.element, input.shape.len());
            return Err(format!(
                "input {name:?} of the model is {element} with {rank} dimensions, not numbers in rows and columns"
            ));
        };
        let (outputs, kind) = answers(plan.outputs())?;
        Ok(PlanRows {
            input: input.name.clone(),
            datatype,
            columns: *columns,
            outputs,
            kind,
            version: serde_json::to_string(version).expect("a string is always JSON"),
        })
    }

    /// What the values become.
    pub fn datatype(&self) -> Datatype {
        self.datatype
    }

    /// Largest whole number that is taken, where that is integers.
    pub fn whole_most(&self) -> f64 {
        match self.datatype {
            Datatype::Int32 => f64::from(i32::MAX),
            _ => WHOLE_MOST,
        }
    }

    /// Predicts the rows that were read and writes the answer.
    pub fn answer(&self, served: &Served, rows: &Rows, many: bool) -> Result<Vec<u8>, ApiError> {
        let data = match self.datatype {
            Datatype::Fp32 => Data::F32(rows.inputs.clone()),
            Datatype::Fp64 => Data::F64(rows.values.clone()),
            _ => Data::I64(self.whole(served.feature_names(), rows, many)?),
        };
        let given = Tensor {
            name: self.input.clone(),
            datatype: self.datatype,
            shape: vec![rows.count, self.columns],
            data,
        };
        let wanted: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        // How many rows there may be was checked when they were read.
        let outputs = served.infer(&[given], Some(&wanted), usize::MAX, Traffic::Examples)?;
        self.write(&outputs, rows.count, many)
    }

    /// The values as integers, where that is what the model takes.
    fn whole(&self, names: &[String], rows: &Rows, many: bool) -> Result<Vec<i64>, ApiError> {
        let most = self.whole_most();
        let whole = |(at, value): (usize, &f64)| {
            let place = || {
                let instance = many.then_some(at / self.columns);
                super::fault::value_name(instance, at % self.columns, names)
            };
            if value.fract() != 0.0 {
                let message = format!("{} is {value}, expected a whole number", place());
                return Err(ApiError::new(Code::NotANumber, message));
            }
            if !(-most..=most).contains(value) {
                let message = format!("{} is {value:e}, expected at most ±{most}", place());
                return Err(ApiError::new(Code::NumberOutOfRange, message));
            }
            Ok(*value as i64)
        };
        rows.values.iter().enumerate().map(whole).collect()
    }

    fn write(&self, outputs: &[Tensor], count: usize, many: bool) -> Result<Vec<u8>, ApiError> {
        let scores = match &self.kind {
            Kind::Number => None,
            _ => outputs.get(1),
        };
        let width = scores.map_or(0, |scores| scores.data.len() / count.max(1));
        let mut out = Vec::with_capacity(32 + count * (128 + 16 * width));
        if many {
            out.extend_from_slice(b"{\"predictions\":[");
        }
        for row in 0..count {
            if row > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"prediction\":");
            self.prediction(&mut out, &outputs[0].data, row)?;
            out.extend_from_slice(b",\"probabilities\":[");
            for column in 0..width {
                if column > 0 {
                    out.push(b',');
                }
                scores.map_or(Ok(()), |scores| {
                    number(&mut out, &scores.data, row * width + column)
                })?;
            }
            out.extend_from_slice(b"],\"model_version\":");
            out.extend_from_slice(self.version.as_bytes());
            // Only models with a manifest have a drift reference, and those are forests.
            out.extend_from_slice(b",\"drift_detected\":false}");
        }
        if many {
            out.extend_from_slice(b"]}");
        }
        Ok(out)
    }

    /// The label or the number of a row, with the class's name where it has one.
    fn prediction(&self, out: &mut Vec<u8>, data: &Data, row: usize) -> Result<(), ApiError> {
        let (Kind::Names(names), Data::Bytes(labels)) = (&self.kind, data) else {
            return number(out, data, row);
        };
        let label = labels.get(row);
        let Some(class) = names.iter().position(|name| name == label) else {
            return Err(ApiError::new(
                Code::Internal,
                format!("the model answered {label:?}, which is none of its classes"),
            ));
        };
        json(out, &class);
        out.extend_from_slice(b",\"class_name\":");
        json(out, label);
        Ok(())
    }
}

/// Datatype of an input of numbers.
fn numeric(input: &Port) -> Option<Datatype> {
    match input.element {
        Element::F32 | Element::F64 | Element::I64 | Element::I32 => Some(input.element.into()),
        Element::Bool | Element::Str => None,
    }
}

/// One value a row.
fn single(port: &Port) -> bool {
    matches!(port.shape[..], [None] | [None, Some(1)])
}

fn is_float(port: &Port) -> bool {
    matches!(port.element, Element::F32 | Element::F64)
}

/// The outputs that make a prediction, and what kind it is.
fn answers(outputs: &[Port]) -> Result<(Vec<String>, Kind), String> {
    let is_label = |port: &&Port| matches!(port.element, Element::I64 | Element::I32 | Element::Str);
    let Some(label) = outputs.iter().find(is_label) else {
        return match outputs {
            [number] if is_float(number) && single(number) => Ok((vec![number.name.clone()], Kind::Number)),
            _ => Err("the model answers neither labels nor one number a row".to_owned()),
        };
    };
    if !single(label) {
        return Err(format!(
            "output {:?} of the model is not one label a row",
            label.name
        ));
    }
    let columns = |port: &Port| match port.shape[..] {
        [None, Some(columns)] => columns,
        _ => 0,
    };
    let zipped = outputs.iter().find_map(|port| port.classes.as_ref());
    let classes = label.labels.as_ref().or(zipped);
    let scores = outputs.iter().find(|port| {
        is_float(port)
            && match classes {
                Some(classes) => columns(port) == classes.len(),
                None => columns(port) > 1,
            }
    });
    let kind = match (label.element, classes) {
        (Element::Str, Some(Classes::Strings(names))) => {
            Kind::Names(names.iter().map(str::to_owned).collect())
        }
        (Element::Str, _) => {
            return Err(format!(
                "output {:?} of the model is strings, and the graph does not say which",
                label.name
            ));
        }
        _ => Kind::Labels,
    };
    let outputs = [Some(label), scores].into_iter().flatten();
    Ok((outputs.map(|port| port.name.clone()).collect(), kind))
}

/// One number of a tensor.
fn number(out: &mut Vec<u8>, data: &Data, at: usize) -> Result<(), ApiError> {
    let finite = |value: f64| {
        if value.is_finite() {
            return Ok(());
        }
        let message = format!("the model answered {value}, which JSON cannot hold");
        Err(ApiError::new(Code::PredictionNotFinite, message))
    };
    match data {
        Data::F32(values) => {
            finite(f64::from(values[at]))?;
            json(out, &values[at]);
        }
        Data::F64(values) => {
            finite(values[at])?;
            json(out, &values[at]);
        }
        Data::I64(values) => json(out, &values[at]),
        Data::Bool(_) | Data::Bytes(_) => {
            return Err(ApiError::new(Code::Internal, "a score is a number"));
        }
    }
    Ok(())
}

fn json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("numbers and strings are always JSON");
}

//! Output tensors to `{"predictions": …}`.
//!
//! As MLflow's server answers for a model that was logged with `mlflow.sklearn`: a classifier gives
//! the class of each row, as its label output has it (a number or a string), a regression gives
//! numbers, and a model with other outputs gives a record of them for each row. That goes for our
//! own models too: they answer the graph's `label` integers and not the manifest's class names.
//! (MLflow's server of the ONNX flavour, given the same file, answers one dictionary with the graph's
//! outputs in it; the labels in there are the same integers. Whoever wants the scores asks `/v2`.)

use crate::{
    error::{ApiError, Code},
    outcome::Outcome,
    tensor::{Data, Tensor},
};

/// Room for one value: `1.1754944e-38,` is among the longest.
const VALUE_BYTES: usize = 16;

/// The body for `rows` rows; `tensors` are what [`Outcome::places`] names.
pub(super) fn write(outcome: Outcome, rows: usize, tensors: &[Tensor]) -> Result<Vec<u8>, ApiError> {
    let values: usize = tensors.iter().map(|tensor| tensor.data.len()).sum();
    let names: usize = tensors.iter().map(|tensor| tensor.name.len() + 4).sum();
    let names = if outcome == Outcome::All { names * rows } else { 0 };
    let mut out = Vec::with_capacity(24 + values * VALUE_BYTES + names);
    out.extend_from_slice(b"{\"predictions\":[");
    for row in 0..rows {
        if row > 0 {
            out.push(b',');
        }
        match (outcome, tensors) {
            (Outcome::All, tensors) => {
                for (index, tensor) in tensors.iter().enumerate() {
                    out.push(if index == 0 { b'{' } else { b',' });
                    string(&mut out, &tensor.name);
                    out.push(b':');
                    part(&mut out, tensor, row, rows)?;
                }
                out.push(b'}');
            }
            (_, tensors) => tensors
                .iter()
                .try_for_each(|tensor| part(&mut out, tensor, row, rows))?,
        }
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

/// The values of one row: one, or a list of them.
fn part(out: &mut Vec<u8>, tensor: &Tensor, row: usize, rows: usize) -> Result<(), ApiError> {
    let width = tensor.data.len() / rows;
    if width * rows != tensor.data.len() || width == 0 {
        let message = format!(
            "output {:?} has {} values for {rows} rows; this model's answers are no table, see /v2",
            tensor.name,
            tensor.data.len()
        );
        return Err(ApiError::new(Code::UnsupportedModel, message));
    }
    if width == 1 {
        return value(out, tensor, row);
    }
    for index in 0..width {
        out.push(if index == 0 { b'[' } else { b',' });
        value(out, tensor, row * width + index)?;
    }
    out.push(b']');
    Ok(())
}

fn value(out: &mut Vec<u8>, tensor: &Tensor, index: usize) -> Result<(), ApiError> {
    let not_finite = |value: f64| {
        let message = format!(
            "output {:?} has {value} at {index}, which JSON cannot hold; /v2 answers it as a binary tensor",
            tensor.name
        );
        Err(ApiError::new(Code::PredictionNotFinite, message))
    };
    match &tensor.data {
        Data::F32(values) if !values[index].is_finite() => return not_finite(f64::from(values[index])),
        Data::F64(values) if !values[index].is_finite() => return not_finite(values[index]),
        Data::F32(values) => number(out, values[index]),
        Data::F64(values) => number(out, values[index]),
        Data::I64(values) => number(out, values[index]),
        Data::Bool(values) => out.extend_from_slice(if values[index] { b"true" } else { b"false" }),
        Data::Bytes(values) => string(out, values.get(index)),
    }
    Ok(())
}

fn number(out: &mut Vec<u8>, number: impl serde::Serialize) {
    serde_json::to_writer(out, &number).expect("a finite number is always JSON");
}

fn string(out: &mut Vec<u8>, string: &str) {
    serde_json::to_writer(out, string).expect("a string is always JSON");
}

//! Tensors to an answer's JSON and the binary tensors behind it, in one buffer.

use super::{binary, request::Request};
use crate::{
    error::{ApiError, Code},
    served::Served,
    tensor::{Data, Tensor},
};

/// Room for an element in JSON: most numbers are shorter.
const ELEMENT_BYTES: usize = 16;

/// An answer, written.
#[derive(Debug)]
pub struct Answered {
    /// The whole body.
    pub body: Vec<u8>,
    /// Where binary tensors begin, if there are any.
    pub json_length: Option<usize>,
}

/// Writes the outputs in the order they were asked for.
///
/// # Errors
/// `prediction_not_finite` when an output that is to be JSON holds NaN or an infinity.
pub fn write(served: &Served, request: &Request<'_>, outputs: &[Tensor]) -> Result<Answered, ApiError> {
    let texts = served.v2();
    let elements: usize = outputs.iter().map(|output| output.data.len()).sum();
    let echoed = [request.id, request.parameters];
    let echoed: usize = echoed.iter().flatten().map(|raw| raw.get().len()).sum();
    let mut out = Vec::with_capacity(256 * (1 + outputs.len()) + echoed + elements * ELEMENT_BYTES);
    out.extend_from_slice(texts.head());
    for (field, raw) in [(",\"id\":", request.id), (",\"parameters\":", request.parameters)] {
        if let Some(raw) = raw {
            out.extend_from_slice(field.as_bytes());
            out.extend_from_slice(raw.get().as_bytes());
        }
    }
    out.extend_from_slice(b",\"outputs\":[");
    let mut tensors = Vec::new();
    for (place, output) in outputs.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let specs = &served.signature().outputs;
        let spec = specs.iter().position(|spec| spec.name == output.name);
        let spec = spec.ok_or_else(|| ApiError::new(Code::Internal, "an output without a specification"))?;
        out.extend_from_slice(texts.output(spec));
        list(&mut out, output.shape.iter());
        if request.is_binary(place) {
            let start = tensors.len();
            binary::write(&mut tensors, &output.data, output.datatype);
            out.extend_from_slice(b"],\"parameters\":{\"binary_data_size\":");
            json(&mut out, &(tensors.len() - start));
            out.extend_from_slice(b"}}");
        } else {
            out.extend_from_slice(b"],\"data\":[");
            data(&mut out, output)?;
            out.extend_from_slice(b"]}");
        }
    }
    out.extend_from_slice(b"]}");
    let is_binary = (0..outputs.len()).any(|place| request.is_binary(place));
    let json_length = is_binary.then_some(out.len());
    out.append(&mut tensors);
    Ok(Answered {
        body: out,
        json_length,
    })
}

fn data(out: &mut Vec<u8>, output: &Tensor) -> Result<(), ApiError> {
    let finite = |wrong: Option<f64>| match wrong {
        None => Ok(()),
        Some(value) => {
            let message = format!(
                "output {:?} holds {value}, which JSON cannot hold: ask for it as a binary tensor (parameters.binary_data of the output)",
                output.name
            );
            Err(ApiError::new(Code::PredictionNotFinite, message))
        }
    };
    match &output.data {
        Data::Bool(values) => list(out, values.iter()),
        Data::I64(values) => list(out, values.iter()),
        Data::F32(values) => {
            finite(
                values
                    .iter()
                    .find(|value| !value.is_finite())
                    .map(|value| f64::from(*value)),
            )?;
            list(out, values.iter());
        }
        Data::F64(values) => {
            finite(values.iter().find(|value| !value.is_finite()).copied())?;
            list(out, values.iter());
        }
        Data::Bytes(values) => list(out, values.iter()),
    }
    Ok(())
}

/// Values with commas between them; floats as the shortest text that reads back as themselves.
fn list<T: serde::Serialize>(out: &mut Vec<u8>, values: impl Iterator<Item = T>) {
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json(out, &value);
    }
}

fn json<T: serde::Serialize>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("numbers and strings are always JSON");
}

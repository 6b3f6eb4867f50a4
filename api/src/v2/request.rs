//! A request's JSON, and the binary tensors behind it, to tensors.

use super::{
    binary,
    data::Elements,
    input::{Input, Source},
};
use crate::{
    error::{ApiError, Code},
    predict::fault,
    tensor::Tensor,
};
use serde::{
    Deserialize,
    de::{DeserializeSeed, IgnoredAny},
};
use serde_json::value::RawValue;

/// Longest part of a parser's message that is passed on: it may quote the client.
const WORDS_CHARS: usize = 240;

/// A request, read. `id` and `parameters` are kept as they were sent: they are echoed.
#[derive(Debug)]
pub struct Request<'b> {
    /// The client's own name for the request, quoted.
    pub id: Option<&'b RawValue>,
    /// An object of whatever the client likes.
    pub parameters: Option<&'b RawValue>,
    /// In the order of the request.
    pub inputs: Vec<Tensor>,
    /// In the order of the answer; empty for all.
    pub outputs: Vec<Requested>,
    /// Whether outputs that do not say are answered in binary.
    pub is_binary: bool,
}

impl Request<'_> {
    /// Names of the outputs that are asked for; `None` for all.
    pub fn wanted(&self) -> Option<Vec<&str>> {
        let names = || self.outputs.iter().map(|output| output.name.as_str()).collect();
        (!self.outputs.is_empty()).then(names)
    }

    /// Whether the output at this place of the answer is binary.
    pub fn is_binary(&self, place: usize) -> bool {
        let requested = self.outputs.get(place);
        let parameters = requested.and_then(|requested| requested.parameters.as_ref());
        let binary = parameters.and_then(|parameters| parameters.binary_data);
        binary.unwrap_or(self.is_binary)
    }
}

/// An output that is asked for.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an output, an object with \"name\"")]
pub struct Requested {
    name: String,
    parameters: Option<OutputParameters>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct OutputParameters {
    binary_data: Option<bool>,
    classification: Option<IgnoredAny>,
    shared_memory_region: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct RequestParameters {
    binary_data_output: Option<bool>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with \"inputs\"")]
struct Head<'b> {
    #[serde(borrow)]
    id: Option<&'b RawValue>,
    #[serde(borrow)]
    parameters: Option<&'b RawValue>,
    #[serde(borrow)]
    inputs: Vec<Input<'b>>,
    outputs: Option<Vec<Requested>>,
}

/// Reads a body. `json_length`: what the client says where binary tensors begin.
pub fn read(body: &[u8], json_length: Option<usize>) -> Result<Request<'_>, ApiError> {
    let (json, mut rest) = body
        .split_at_checked(json_length.unwrap_or(body.len()))
        .ok_or_else(|| {
            invalid(format!(
                "Inference-Header-Content-Length is {}, the body has {} bytes",
                json_length.unwrap_or_default(),
                body.len()
            ))
        })?;
    let head = parse(json)?;
    let parameters = object("parameters", head.parameters)?;
    let typed = parameters.map(|parameters| serde_json::from_str::<RequestParameters>(parameters.get()));
    let typed = typed.transpose().map_err(|error| words("parameters", &error))?;
    if head.id.is_some_and(|id| !id.get().starts_with('"')) {
        return Err(invalid("id is not a string".to_owned()));
    }
    for output in head.outputs.iter().flatten() {
        let parameters = output.parameters.as_ref();
        let unsupported = |name: &str| {
            let message = format!(
                "output {} asks for the parameter {name}, which is not supported",
                fault::quoted(&output.name)
            );
            Err(invalid(message))
        };
        if parameters.is_some_and(|parameters| parameters.classification.is_some()) {
            return unsupported("classification");
        }
        if parameters.is_some_and(|parameters| parameters.shared_memory_region.is_some()) {
            return unsupported("shared_memory_region");
        }
    }
    let mut inputs = Vec::with_capacity(head.inputs.len());
    for input in head.inputs {
        if matches!(input.source, Source::Binary(_)) && json_length.is_none() {
            let name = fault::quoted(&input.name);
            return Err(invalid(format!(
                "input {name} has binary_data_size, the request has no header Inference-Header-Content-Length"
            )));
        }
        inputs.push(tensor(input, &mut rest)?);
    }
    if !rest.is_empty() {
        let message = format!(
            "{} bytes follow the JSON and the binary tensors of the inputs, expected none",
            rest.len()
        );
        return Err(invalid(message));
    }
    Ok(Request {
        id: head.id,
        parameters,
        inputs,
        outputs: head.outputs.unwrap_or_default(),
        is_binary: typed.and_then(|typed| typed.binary_data_output).unwrap_or(false),
    })
}

fn invalid(message: String) -> ApiError {
    ApiError::new(Code::InvalidRequest, message)
}

/// A parser's words about a part of the request, cut.
fn words(part: &str, error: &serde_json::Error) -> ApiError {
    let words = error.to_string();
    let cut = words.char_indices().nth(WORDS_CHARS);
    match cut {
        Some((end, _)) => invalid(format!("{part}: {}…", &words[..end])),
        None => invalid(format!("{part}: {words}")),
    }
}

/// A part that must be an object, as it was sent.
fn object<'b>(part: &str, raw: Option<&'b RawValue>) -> Result<Option<&'b RawValue>, ApiError> {
    match raw {
        Some(raw) if !raw.get().starts_with('{') => Err(invalid(format!("{part} is not an object"))),
        raw => Ok(raw),
    }
}

fn parse(json: &[u8]) -> Result<Head<'_>, ApiError> {
    let text = json.trim_ascii_start();
    if text.is_empty() {
        return Err(ApiError::new(
            Code::EmptyBody,
            "the body is empty, expected {\"inputs\":[…]}",
        ));
    }
    // The parser would take a list of the fields for them.
    if text.starts_with(b"[") {
        let message = "the body is not an object, expected {\"inputs\":[…]}";
        return Err(ApiError::new(Code::NotAnObject, message));
    }
    serde_json::from_slice(json).map_err(|error| {
        if error.is_data() {
            return words("the request", &error);
        }
        if error.to_string().starts_with("number out of range") {
            let message = format!("a {error}: it is beyond what float64 holds");
            return ApiError::new(Code::NumberOutOfRange, message);
        }
        let message = match fault::not_a_number(json, &error) {
            Some(word) => format!("{word} is not JSON, send the input as a binary tensor: {error}"),
            None if std::str::from_utf8(json).is_err() => {
                "the JSON is not UTF-8; binary tensors need the header Inference-Header-Content-Length"
                    .to_owned()
            }
            None => format!("the body is not JSON: {error}"),
        };
        ApiError::new(Code::InvalidJson, message)
    })
}

/// Reads what the JSON did not hold, and holds the shape against the data.
fn tensor(input: Input<'_>, rest: &mut &[u8]) -> Result<Tensor, ApiError> {
    let Input {
        name,
        datatype,
        shape,
        source,
    } = input;
    let of_input = |problem: String| invalid(format!("input {}: {problem}", fault::quoted(&name)));
    let (data, sizes) = match source {
        Source::Json(data, sizes) => (data, sizes),
        Source::Late(raw) => {
            let elements = Elements::new(datatype, shape.iter().copied());
            let mut deserializer = serde_json::Deserializer::from_str(raw.get());
            let read = elements.deserialize(&mut deserializer);
            read.map_err(|error| words(&format!("input {}", fault::quoted(&name)), &error))?
        }
        Source::Binary(size) => {
            let (bytes, after) = rest.split_at_checked(size).ok_or_else(|| {
                of_input(format!(
                    "binary_data_size is {size}, the body has {} bytes left",
                    rest.len()
                ))
            })?;
            *rest = after;
            (
                binary::read(bytes, datatype, &shape).map_err(of_input)?,
                Vec::new(),
            )
        }
    };
    // Flat data has one array around it; others are as deep as the shape.
    if sizes.len() > 1 && sizes != shape {
        return Err(of_input(format!(
            "data is nested as {sizes:?}, the shape is {shape:?}"
        )));
    }
    Ok(Tensor {
        name,
        datatype,
        shape,
        data,
    })
}

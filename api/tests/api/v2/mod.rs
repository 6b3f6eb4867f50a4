//! Open Inference Protocol V2 over REST.

mod agreement;
mod binary;
mod datatypes;
mod errors;
mod graphs;
mod paths;

use crate::client::{Answer, Client};
use serde_json::Value;

pub const JSON: &str = "content-type: application/json\r\n";
/// Of the fixture.
pub const INFER: &str = "/v2/models/iris-model/infer";

pub fn infer(client: &mut Client, path: &str, body: &str) -> Answer {
    client.send("POST", path, JSON, body.as_bytes())
}

/// A request with binary tensors behind its JSON.
pub fn infer_binary(client: &mut Client, path: &str, json: &str, tensors: &[u8]) -> Answer {
    let headers = format!(
        "content-type: application/octet-stream\r\nInference-Header-Content-Length: {}\r\n",
        json.len()
    );
    client.send("POST", path, &headers, &[json.as_bytes(), tensors].concat())
}

/// The JSON of an answer and what is behind it.
pub fn parts(answer: &Answer) -> (Value, &[u8]) {
    let length = match answer.header("inference-header-content-length") {
        Some(length) => length.parse().unwrap(),
        None => answer.bytes.len(),
    };
    let (json, tensors) = answer.bytes.split_at(length);
    (
        serde_json::from_slice(json).unwrap_or_else(|error| panic!("{error}: {answer:?}")),
        tensors,
    )
}

/// The body of an error, which has one field and the usual headers.
pub fn refusal(answer: &Answer) -> String {
    assert_eq!(
        (answer.header("content-type"), answer.header("x-request-id")),
        (Some("application/json"), Some("test")),
        "{answer:?}"
    );
    let body = answer.json();
    assert_eq!(body.as_object().map(|fields| fields.len()), Some(1), "{answer:?}");
    format!("{} {}", answer.status, body["error"].as_str().unwrap())
}

pub fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

//! Texts that are the same in every answer, made once at load.

use crate::{served::Signature, tensor::TensorSpec};
use axum::body::Bytes;
use serde::Serialize;

/// The platform of every model here, in the protocol's words.
pub const PLATFORM: &str = "onnx_onnxv1";

/// Answer of `/v2`.
pub const SERVER: &str = concat!(
    r#"{"name":"inference-api","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#"","extensions":["binary_tensor_data"]}"#
);

/// Texts of one model.
#[derive(Debug)]
pub struct Texts {
    metadata: Bytes,
    ready: Bytes,
    head: Vec<u8>,
    outputs: Vec<Vec<u8>>,
}

#[derive(Serialize)]
struct Metadata<'s> {
    name: &'s str,
    versions: [&'s str; 1],
    platform: &'static str,
    inputs: Vec<TensorMetadata<'s>>,
    outputs: Vec<TensorMetadata<'s>>,
}

#[derive(Serialize)]
struct TensorMetadata<'s> {
    name: &'s str,
    datatype: &'static str,
    shape: Vec<i64>,
}

impl<'s> TensorMetadata<'s> {
    fn of(specs: &'s [TensorSpec]) -> Vec<Self> {
        let tensor = |spec: &'s TensorSpec| TensorMetadata {
            name: &spec.name,
            datatype: spec.datatype.word(),
            shape: spec.dimensions().collect(),
        };
        specs.iter().map(tensor).collect()
    }
}

impl Texts {
    /// Of a model.
    pub fn new(signature: &Signature) -> Texts {
        let metadata = Metadata {
            name: &signature.name,
            versions: [&signature.version],
            platform: PLATFORM,
            inputs: TensorMetadata::of(&signature.inputs),
            outputs: TensorMetadata::of(&signature.outputs),
        };
        let quoted = |text: &str| serde_json::to_string(text).expect("a string is always JSON");
        let (name, version) = (quoted(&signature.name), quoted(&signature.version));
        let output = |spec: &TensorSpec| {
            let (name, datatype) = (quoted(&spec.name), spec.datatype);
            format!("{{\"name\":{name},\"datatype\":\"{datatype}\",\"shape\":[").into_bytes()
        };
        Texts {
            metadata: serde_json::to_vec(&metadata)
                .expect("strings and numbers are always JSON")
                .into(),
            ready: format!("{{\"name\":{name},\"ready\":true}}").into(),
            head: format!("{{\"model_name\":{name},\"model_version\":{version}").into(),
            outputs: signature.outputs.iter().map(output).collect(),
        }
    }

    /// Body of the model's metadata.
    pub fn metadata(&self) -> Bytes {
        self.metadata.clone()
    }

    /// Body of the model's readiness.
    pub fn ready(&self) -> Bytes {
        self.ready.clone()
    }

    /// Begin of an inference's answer, up to the model's version.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Begin of the output at this place of the signature, up to and with `"shape":[`.
    pub fn output(&self, place: usize) -> &[u8] {
        &self.outputs[place]
    }
}

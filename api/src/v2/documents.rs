//! The protocol's paths and bodies for the OpenAPI document. Nothing here runs: requests are read
//! by `request`, answers are written by `answer` and `texts`.
#![allow(dead_code, reason = "described, not called")]

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Answer of `/v2`.
#[derive(Serialize, ToSchema)]
pub struct V2Server {
    /// Name of the server.
    name: String,
    /// Its version.
    version: String,
    /// `binary_tensor_data`
    extensions: Vec<String>,
}

/// Answer of `/v2/health/live`.
#[derive(Serialize, ToSchema)]
pub struct V2Live {
    /// Always true: who is not alive does not answer.
    live: bool,
}

/// Answer of `/v2/health/ready`.
#[derive(Serialize, ToSchema)]
pub struct V2Ready {
    /// Always true; 503 is the other answer.
    ready: bool,
}

/// Answer of a model's readiness.
#[derive(Serialize, ToSchema)]
pub struct V2ModelReady {
    /// The model.
    name: String,
    /// Always true; 503 is the other answer.
    ready: bool,
}

/// A model, its inputs and its outputs.
#[derive(Serialize, ToSchema)]
pub struct V2Model {
    /// The model.
    name: String,
    /// The version that is served.
    versions: Vec<String>,
    /// `onnx_onnxv1`
    platform: String,
    /// What it takes.
    inputs: Vec<V2TensorSpec>,
    /// What it gives.
    outputs: Vec<V2TensorSpec>,
}

/// An input or an output of a model, named and typed as in its graph.
#[derive(Serialize, ToSchema)]
pub struct V2TensorSpec {
    /// Name in the graph.
    name: String,
    /// What it holds.
    datatype: V2Datatype,
    /// Sizes; -1 follows the number of rows.
    shape: Vec<i64>,
}

/// What a tensor holds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum V2Datatype {
    /// `true` and `false`; in binary one byte.
    Bool,
    /// 32-bit integers.
    Int32,
    /// 64-bit integers.
    Int64,
    /// 32-bit floating point.
    Fp32,
    /// 64-bit floating point.
    Fp64,
    /// Strings; in binary each with its length in four bytes before it.
    Bytes,
}

/// Where binary tensors begin.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
struct V2HeaderLength {
    /// Bytes of JSON in front of binary tensors; without it all of the body is JSON.
    #[param(rename = "Inference-Header-Content-Length", required = false)]
    length: u64,
}

/// JSON as in `application/json`, with binary tensors behind it.
#[derive(Serialize, ToSchema)]
#[schema(value_type = String, format = Binary)]
struct V2Bytes(Vec<u8>);

/// A request for an inference.
#[derive(Serialize, ToSchema)]
pub struct V2InferRequest {
    /// Echoed in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Echoed in the answer. `binary_data_output` (boolean): answer outputs that do not say otherwise as
    /// binary tensors.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BTreeMap<String, Value>>,
    /// All inputs of the model, in any order.
    inputs: Vec<V2Input>,
    /// The outputs to answer, in this order; all of them where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<Vec<V2RequestedOutput>>,
}

/// An input tensor.
#[derive(Serialize, ToSchema)]
pub struct V2Input {
    /// One of the model's inputs.
    name: String,
    /// Sizes, rows first.
    shape: Vec<u64>,
    /// The model's for this input.
    datatype: V2Datatype,
    /// `binary_data_size` (integer): the data are this many bytes behind the JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BTreeMap<String, Value>>,
    /// Elements row after row, flat or nested as the shape is.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Vec<Value>>,
}

/// An output that is asked for.
#[derive(Serialize, ToSchema)]
pub struct V2RequestedOutput {
    /// One of the model's outputs.
    name: String,
    /// `binary_data` (boolean): answer it as a binary tensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BTreeMap<String, Value>>,
}

/// Answer to a request for an inference.
#[derive(Serialize, ToSchema)]
pub struct V2InferAnswer {
    /// The model.
    model_name: String,
    /// The version that answered.
    model_version: String,
    /// As in the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// As in the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BTreeMap<String, Value>>,
    /// In the order that was asked for, or of the model.
    outputs: Vec<V2Output>,
}

/// An output tensor.
#[derive(Serialize, ToSchema)]
pub struct V2Output {
    /// Name in the graph.
    name: String,
    /// What it holds.
    datatype: V2Datatype,
    /// Sizes, rows first.
    shape: Vec<u64>,
    /// `binary_data_size` (integer): the data are this many bytes behind the JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BTreeMap<String, Value>>,
    /// Elements row after row, flat.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Vec<Value>>,
}

/// The server, its version and the extensions of the protocol that it has.
#[utoipa::path(get, path = "/v2", tag = "v2", summary = "Server metadata",
    responses(
        (status = 200, description = "Name, version, extensions", body = V2Server,
            example = json!({"name": "inference-api", "version": "0.1.0", "extensions": ["binary_tensor_data"]})),
        (status = 405, description = "Another method than GET", body = crate::error::V2Error),
        (status = 503, description = "Too many requests in flight", body = crate::error::V2Error)
    ))]
pub fn server() {}

/// Whether the process is alive.
#[utoipa::path(get, path = "/v2/health/live", tag = "v2", summary = "Liveness",
    responses(
        (status = 200, description = "It is", body = V2Live, example = json!({"live": true})),
        (status = 405, description = "Another method than GET", body = crate::error::V2Error)
    ))]
pub fn live() {}

/// Whether the process wants traffic.
#[utoipa::path(get, path = "/v2/health/ready", tag = "v2", summary = "Readiness",
    responses(
        (status = 200, description = "It does", body = V2Ready, example = json!({"ready": true})),
        (status = 405, description = "Another method than GET", body = crate::error::V2Error),
        (status = 503, description = "The model is being loaded, or the process is about to stop", body = crate::error::V2Error,
            example = json!({"error": "the model is being loaded"}))
    ))]
pub fn ready() {}

macro_rules! of_a_model {
    ($($(#[doc = $doc:literal])* $name:ident, $path:literal, $summary:literal, $body:ty, $said:literal, $example:tt, [$($params:tt)*];)*) => {
        $($(#[doc = $doc])*
        #[utoipa::path(get, path = $path, tag = "v2", summary = $summary, params($($params)*),
            responses(
                (status = 200, description = $said, body = $body, example = json!($example)),
                (status = 404, description = "Another model or version", body = crate::error::V2Error,
                    example = json!({"error": "model \"x\" is unknown, this server has \"iris\""})),
                (status = 405, description = "Another method than GET", body = crate::error::V2Error),
                (status = 503, description = "The model is being loaded, the process is about to stop, or too many requests are in flight", body = crate::error::V2Error)
            ))]
        pub fn $name() {})*
    };
}

of_a_model! {
    /// Names, datatypes and shapes of the inputs and outputs.
    model, "/v2/models/{model}", "Model metadata", V2Model, "What it takes and gives",
        {"name": "iris", "versions": ["1"], "platform": "onnx_onnxv1",
         "inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, 4]}],
         "outputs": [{"name": "label", "datatype": "INT64", "shape": [-1]}, {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}]},
        [("model" = String, Path, description = "Name of the model", example = "iris")];
    /// The same of one version.
    model_version, "/v2/models/{model}/versions/{version}", "Model metadata of a version", V2Model, "What it takes and gives",
        {"name": "iris", "versions": ["1"], "platform": "onnx_onnxv1",
         "inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, 4]}],
         "outputs": [{"name": "label", "datatype": "INT64", "shape": [-1]}, {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}]},
        [("model" = String, Path, description = "Name of the model", example = "iris"), ("version" = String, Path, description = "Version of the model", example = "1")];
    /// Whether the model can be asked.
    model_ready, "/v2/models/{model}/ready", "Readiness of the model", V2ModelReady, "It can",
        {"name": "iris", "ready": true},
        [("model" = String, Path, description = "Name of the model", example = "iris")];
    /// The same of one version.
    model_version_ready, "/v2/models/{model}/versions/{version}/ready", "Readiness of a version", V2ModelReady, "It can",
        {"name": "iris", "ready": true},
        [("model" = String, Path, description = "Name of the model", example = "iris"), ("version" = String, Path, description = "Version of the model", example = "1")];
}

macro_rules! infers {
    ($($(#[doc = $doc:literal])* $name:ident, $path:literal, $summary:literal, [$($params:tt)*];)*) => {
        $($(#[doc = $doc])*
        #[utoipa::path(post, path = $path, tag = "v2", summary = $summary,
            params($($params)*, V2HeaderLength),
            request_body(description = "JSON; or JSON with binary tensors behind it: little-endian, row after row, in the order of the inputs that have `binary_data_size`", content(
                (V2InferRequest = "application/json", examples(
                    ("flat data" = (value = json!({"id": "7", "inputs": [{"name": "features", "datatype": "FP32", "shape": [1, 4], "data": [5.1, 3.5, 1.4, 0.2]}]}))),
                    ("nested data, one output" = (value = json!({"inputs": [{"name": "features", "datatype": "FP32", "shape": [2, 4], "data": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}], "outputs": [{"name": "label"}]})))
                )),
                (V2Bytes = "application/octet-stream")
            )),
            responses(
                (status = 200, description = "The outputs; JSON, or where binary outputs were asked for JSON with the tensors behind it and the header `Inference-Header-Content-Length`", content(
                    (V2InferAnswer = "application/json", example = json!({"model_name": "iris", "model_version": "1", "id": "7", "outputs": [
                        {"name": "label", "datatype": "INT64", "shape": [1], "data": [0]},
                        {"name": "probabilities", "datatype": "FP32", "shape": [1, 3], "data": [0.97, 0.02, 0.01]}]})),
                    (V2Bytes = "application/octet-stream")
                )),
                (status = 400, description = "Not JSON, not built as the protocol says, or not what the model takes: names, datatypes, shapes, sizes, rows", body = crate::error::V2Error,
                    example = json!({"error": "input \"features\" has the shape [1, 3], the model takes [-1, 4]"})),
                (status = 404, description = "Another model or version", body = crate::error::V2Error,
                    example = json!({"error": "model \"x\" is unknown, this server has \"iris\""})),
                (status = 405, description = "Another method than POST", body = crate::error::V2Error),
                (status = 408, description = "The body did not arrive in time", body = crate::error::V2Error),
                (status = 413, description = "The body is larger than is taken", body = crate::error::V2Error),
                (status = 415, description = "Neither JSON nor bytes, or compressed", body = crate::error::V2Error),
                (status = 500, description = "An output that is to be JSON holds NaN or an infinity (binary tensors can), or a defect", body = crate::error::V2Error),
                (status = 503, description = "Too many requests in flight, or the model is being loaded: try again after `Retry-After` seconds", body = crate::error::V2Error)
            ))]
        pub fn $name() {})*
    };
}

infers! {
    /// Tensors in, tensors out, named and typed as in the model's metadata.
    infer, "/v2/models/{model}/infer", "Infer",
        [("model" = String, Path, description = "Name of the model", example = "iris")];
    /// The same by one version.
    infer_version, "/v2/models/{model}/versions/{version}/infer", "Infer by a version",
        [("model" = String, Path, description = "Name of the model", example = "iris"), ("version" = String, Path, description = "Version of the model", example = "1")];
}

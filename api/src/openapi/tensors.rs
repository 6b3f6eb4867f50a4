//! The Open Inference Protocol's bodies of one model: its tensors by name.

use super::{
    Parts,
    model::Model,
    values::{self, many, tuple},
};
use crate::{served::Traffic, tensor::TensorSpec, v2};
use serde_json::{Value, json};

const ORDER: &str =
    "All inputs of the model, with equally many rows. They may come in another order than here.";
const OUTPUTS: &str =
    "The outputs to answer, in this order and each at most once; all of them where there are none.";
const SHAPE: &str = "Sizes, rows first: as many as `data` has.";
const DATA: &str = "Elements row after row: a list for each row, or flat. A binary tensor has none of it and \
    `binary_data_size` among its parameters; that is a request of `application/octet-stream`.";
const PARAMETERS: &str =
    "Whatever you like but `binary_data_size` and `shared_memory_region`: the elements are in `data`.";

/// Narrows the bodies.
pub fn describe(parts: &mut Parts, model: &Model<'_>) {
    let signature = model.served.signature();
    let inputs = inputs(parts, model);
    parts.narrow("V2InferRequest", "inputs", tuple(inputs));
    parts.schema("V2InferRequest")["properties"]["inputs"]["description"] = ORDER.into();
    let names: Vec<&str> = signature.outputs.iter().map(|spec| spec.name.as_str()).collect();
    let name = json!({"type": "string", "enum": names});
    parts.narrow("V2RequestedOutput", "name", name.clone());
    parts.narrow("V2Output", "name", name);
    asked(parts);
    for body in ["V2InferAnswer", "V2Model", "V2ModelReady"] {
        let own = |value: &str| json!({"type": "string", "enum": [value]});
        match body {
            "V2InferAnswer" => {
                parts.narrow(body, "model_name", own(&signature.name));
                parts.narrow(body, "model_version", own(&signature.version));
            }
            _ => parts.narrow(body, "name", own(&signature.name)),
        }
    }
    examples(parts, model);
}

/// How outputs may be asked for.
fn asked(parts: &mut Parts) {
    let flag = json!({"type": ["boolean", "null"]});
    let of_output = json!({"binary_data": flag, "classification": {"type": "null"}, "shared_memory_region": {"type": "null"}});
    parts.schema("V2RequestedOutput")["properties"]["parameters"]["properties"] = of_output;
    let request = &mut parts.schema("V2InferRequest")["properties"];
    request["parameters"]["properties"] = json!({"binary_data_output": flag});
    request["outputs"]["description"] = OUTPUTS.into();
}

/// A body for each input: its place in the list refers to it.
fn inputs(parts: &mut Parts, model: &Model<'_>) -> Vec<Value> {
    let specs = &model.served.signature().inputs;
    let general = parts.schema("V2Input").clone();
    let input = |(index, spec): (usize, &TensorSpec)| {
        // Names of tensors may be anything; those of bodies may not.
        let name = match specs.len() {
            1 => "V2Input".to_owned(),
            _ => format!("V2Input{}", index + 1),
        };
        let mut schema = general.clone();
        schema["description"] = format!("The input `{}`.", spec.name).into();
        schema["required"] = json!(["name", "shape", "datatype", "data"]);
        schema["properties"] = json!({
            "name": {"type": "string", "enum": [spec.name], "description": "The input's name."},
            "datatype": {"type": "string", "enum": [spec.datatype.word()], "description": "What it holds."},
            "shape": described(shape(spec, model.limits.max_batch_rows), SHAPE),
            "data": described(data(spec, model.limits.max_batch_rows), DATA),
            "parameters": described(parameters(), PARAMETERS),
        });
        *parts.schema(&name) = schema;
        json!({"$ref": format!("#/components/schemas/{name}")})
    };
    specs.iter().enumerate().map(input).collect()
}

fn described(mut schema: Value, words: &str) -> Value {
    schema["description"] = words.into();
    schema
}

fn shape(spec: &TensorSpec, rows_most: usize) -> Value {
    let size = |(place, size): (usize, &Option<usize>)| match (size, place) {
        (Some(size), _) => json!({"type": "integer", "enum": [size]}),
        (None, 0) => json!({"type": "integer", "minimum": 1, "maximum": rows_most}),
        (None, _) => json!({"type": "integer", "minimum": 0}),
    };
    tuple(spec.shape.iter().enumerate().map(size).collect())
}

fn data(spec: &TensorSpec, rows_most: usize) -> Value {
    let element = values::element(spec.datatype);
    match spec.shape[..] {
        [None] => many(element, 1, rows_most),
        [None, Some(width)] if width > 0 => json!({"anyOf": [
            many(many(element.clone(), width, width), 1, rows_most),
            many(element, width, rows_most.saturating_mul(width)),
        ]}),
        // Nested as the shape is; how deep is seen there.
        _ => json!({"type": "array"}),
    }
}

fn parameters() -> Value {
    json!({"type": ["object", "null"], "properties": {
        "binary_data_size": {"type": "null"},
        "shared_memory_region": {"type": "null"},
    }})
}

fn examples(parts: &mut Parts, model: &Model<'_>) {
    let (served, signature) = (model.served, model.served.signature());
    let first = signature.outputs.first().map_or("", |spec| spec.name.as_str());
    let requests = || {
        [
            (
                "flat data",
                json!({"id": "7", "inputs": tensors(model, 1, false)}),
            ),
            (
                "nested data, one output",
                json!({"inputs": tensors(model, 2, true), "outputs": [{"name": first}]}),
            ),
        ]
    };
    let ask = |body: &[u8]| {
        v2::infer(served, usize::MAX, body, None, Traffic::Examples).map(|(answered, _)| answered.body)
    };
    let of = |text: &[u8]| -> Value { serde_json::from_slice(text).expect("written by ourselves") };
    let (metadata, ready) = (of(&served.v2().metadata()), of(&served.v2().ready()));
    for path in ["/v2/models/{model}", "/v2/models/{model}/versions/{version}"] {
        let operation = &mut parts.paths[format!("{path}/infer")]["post"];
        model.examples(operation, path, requests(), &json!({"inputs": []}), ask);
        for (path, answer) in [(path.to_owned(), &metadata), (format!("{path}/ready"), &ready)] {
            parts.paths[path]["get"]["responses"]["200"]["content"]["application/json"]["example"] =
                answer.clone();
        }
    }
}

/// All inputs of a request. A tensor whose first size is fixed has that many rows, whatever is asked for.
fn tensors(model: &Model<'_>, rows: usize, nested: bool) -> Vec<Value> {
    let tensor = |spec: &TensorSpec| {
        let rows = spec.shape.first().copied().flatten().unwrap_or(rows);
        let lists: Vec<Vec<Value>> = (0..rows).map(|row| model.values(spec, row)).collect();
        let shape: Vec<usize> = std::iter::once(rows)
            .chain(spec.shape.iter().skip(1).map(|size| size.unwrap_or(1)))
            .collect();
        let data = match nested && shape.len() == 2 {
            true => json!(lists),
            false => json!(lists.concat()),
        };
        json!({"name": spec.name, "datatype": spec.datatype.word(), "shape": shape, "data": data})
    };
    model.served.signature().inputs.iter().map(tensor).collect()
}

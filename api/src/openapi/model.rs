//! The document of one model: its name and version in paths, its tensors, features and columns in
//! bodies, rows that it has answered as examples.
//!
//! A schema says what every request must be. What it cannot say is said in words: that inputs have
//! equally many rows, and as many as their shapes tell. Where a protocol takes several forms of the
//! same, the schema may have the usual ones alone, and the words have the others.

use super::{Parts, errors, rows, tables, tensors, values};
use crate::{
    config::Limits,
    error::{ApiError, ErrorForm},
    routes,
    served::{Served, Signature},
    tensor::{Datatype, TensorSpec},
    v2,
};
use serde_json::{Map, Value, json};

/// What the document is narrowed to.
pub(super) struct Model<'s> {
    pub served: &'s Served,
    pub limits: &'s Limits,
}

/// Narrows the document that holds for every model.
pub fn narrow(parts: &mut Parts, served: &Served, limits: &Limits) {
    let model = Model { served, limits };
    paths(parts, served.signature());
    unknown(parts, served.signature());
    rows::describe(parts, &model);
    tensors::describe(parts, &model);
    tables::describe(parts, &model);
    let version = json!({"type": "string", "enum": [served.signature().version]});
    parts.narrow("Prediction", "model_version", version);
    parts.prune();
}

/// The names in paths are this server's.
fn paths(parts: &mut Parts, signature: &Signature) {
    let named = [("model", &signature.name), ("version", &signature.version)];
    for parameter in parameters(&mut parts.paths) {
        for (name, value) in named {
            if parameter["in"] == "path" && parameter["name"] == name {
                parameter["schema"] = json!({"type": "string", "enum": [value]});
                parameter["example"] = value.as_str().into();
            }
        }
    }
}

/// Those who ask for another model are told which there is.
fn unknown(parts: &mut Parts, signature: &Signature) {
    let error = errors::body(&v2::unknown("x", &signature.name), ErrorForm::V2);
    for operation in operations(&mut parts.paths) {
        if let Some(example) = operation.pointer_mut("/responses/404/content/application~1json/example") {
            example.clone_from(&error);
        }
    }
}

fn parameters(paths: &mut Value) -> impl Iterator<Item = &mut Value> {
    operations(paths)
        .filter_map(|operation| operation.get_mut("parameters")?.as_array_mut())
        .flatten()
}

fn operations(paths: &mut Value) -> impl Iterator<Item = &mut Value> {
    fn values(value: &mut Value) -> impl Iterator<Item = &mut Value> {
        value.as_object_mut().into_iter().flat_map(Map::values_mut)
    }
    values(paths).flat_map(values)
}

impl Model<'_> {
    /// Elements of one row of an input.
    pub fn width(spec: &TensorSpec) -> usize {
        spec.shape.iter().skip(1).flatten().product()
    }

    /// A made-up row of all features.
    pub fn row(&self, row: usize) -> Vec<Value> {
        let inputs = self.served.signature().inputs.iter();
        inputs.flat_map(|spec| self.values(spec, row)).collect()
    }

    /// The part of it that is an input's.
    pub fn values(&self, spec: &TensorSpec, row: usize) -> Vec<Value> {
        let info = self.served.info();
        // Of a model without a manifest nothing is known but what its types can hold.
        let known = info.digests.manifest.as_ref().and(Some(&info.features));
        let feature = |index: usize| known.and_then(|features| features.get(index));
        let value = |index| values::sample(spec.datatype, feature(index), row);
        (0..Self::width(spec)).map(value).collect()
    }

    /// Puts examples in the place of those of an operation's request and answers, each asked of the
    /// model, `refused` for what it says of a wrong one. Requests and their answers are not shown where
    /// it refuses one of them, too: a string may have to be one that it has learnt.
    pub fn examples<const N: usize>(
        &self,
        operation: &mut Value,
        path: &str,
        requests: [(&str, Value); N],
        refused: &Value,
        ask: impl Fn(&[u8]) -> Result<Vec<u8>, ApiError>,
    ) {
        let mut shown = [Map::new(), Map::new()];
        for (name, request) in requests {
            let answer = ask(request.to_string().as_bytes());
            let answer = answer.map(|answer| serde_json::from_slice::<Value>(&answer));
            if let Ok(Ok(answer)) = answer {
                for (shown, value) in shown.iter_mut().zip([request, answer]) {
                    shown.insert(name.to_owned(), json!({"value": value}));
                }
            }
        }
        if let Err(error) = ask(refused.to_string().as_bytes()) {
            let form = routes::error_form(path);
            let answer = &mut operation["responses"][error.status(form).as_str()];
            answer["content"]["application/json"]["example"] = errors::body(&error, form);
        }
        let complete = shown[0].len() == N;
        let [requests, answers] = shown;
        let bodies = [("/requestBody", requests), ("/responses/200", answers)];
        for (body, shown) in bodies {
            let content = operation.pointer_mut(&format!("{body}/content/application~1json"));
            if let Some(Value::Object(content)) = content {
                content.remove("example");
                content.remove("examples");
                if complete {
                    content.insert("examples".to_owned(), shown.into());
                }
            }
        }
    }
}

/// One output of an answer to `/invocations`, as a schema.
pub(super) fn answered(spec: &TensorSpec) -> Value {
    let one = match spec.datatype {
        Datatype::Bool => "boolean",
        Datatype::Int32 | Datatype::Int64 => "integer",
        Datatype::Fp32 | Datatype::Fp64 => "number",
        Datatype::Bytes => "string",
    };
    if spec.shape.iter().skip(1).any(Option::is_none) {
        return json!({});
    }
    match Model::width(spec) {
        1 => json!({"type": one}),
        width => values::many(json!({"type": one}), width, width),
    }
}

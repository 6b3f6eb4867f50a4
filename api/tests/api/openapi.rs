//! `/openapi.json`: what holds for every model, and what a server says of the one that it has.

use crate::{fixture, plain::corpus, server::Server};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Every operation, as `(path, method, operation)`.
fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (path, method, operation))
    })
}

fn published(model: &Path, flags: &[&str]) -> Value {
    let server = Server::start(model, flags);
    let answer = server.client().get("/openapi.json");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(
        answer.body.starts_with("{\n  \"openapi\": \"3.1"),
        "{}",
        answer.body
    );
    let document = answer.json();
    well_formed(&document);
    document
}

fn iris() -> Value {
    let directory = fixture::directory();
    published(directory.path(), &["--name", "iris"])
}

/// Inputs of several columns, strings and integers among them.
fn columns() -> Value {
    published(
        &corpus("columns_one"),
        &["--name", "columns", "--max-batch-rows", "50"],
    )
}

fn well_formed(document: &Value) {
    for reference in references(document) {
        let pointer = reference.strip_prefix('#').expect("references stay inside");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for (path, method, operation) in operations(document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let content = &response["content"]["application/json"];
            let shown = content.get("example").or(content.get("examples"));
            assert!(
                status.as_str() < "400" || shown.is_some_and(|shown| !shown.is_null()),
                "{method} {path} shows no example of {status}"
            );
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters {
            assert!(
                parameter["schema"]["type"].is_string(),
                "{path}: no parameter can be null: {parameter}"
            );
        }
    }
}

fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match key == "$ref" {
                true => vec![value.as_str().unwrap()],
                false => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// What differs between models: names in paths, bodies of requests and what is shown of them.
fn narrowed(document: &Value) -> Value {
    let parameters: Vec<Value> = operations(document)
        .flat_map(|(path, _, operation)| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            parameters.map(move |parameter| json!([path, parameter["name"], parameter["schema"]]))
        })
        .collect();
    let shown: Vec<Value> = operations(document)
        .filter(|(_, method, _)| *method == "post")
        .map(|(path, _, operation)| {
            json!([
                path,
                operation["requestBody"],
                operation["responses"]["200"]["content"]
            ])
        })
        .collect();
    let bodies = document["components"]["schemas"].as_object().unwrap();
    let of_model = [
        "OneRow",
        "ManyRows",
        "Scoring",
        "V2In",
        "V2Requested",
        "V2Output",
        "V2Model",
        "Prediction",
    ];
    let bodies = bodies
        .iter()
        .filter(|(name, _)| of_model.iter().any(|begin| name.starts_with(begin)));
    let bodies: Vec<Value> = bodies.map(|body| json!(body)).collect();
    let names: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    json!({
        "prose": document["info"]["description"],
        "paths": names,
        "parameters": parameters,
        "posts": shown,
        "bodies": bodies,
    })
}

/// The committed document is what holds for every model; `UPDATE_OPENAPI=1 cargo test -p inference-api`
/// writes it anew.
#[test]
fn the_general_document_is_the_committed_file() {
    let general = inference_api::openapi::json();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(path, &general).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == general,
        "api/openapi.json is out of date: UPDATE_OPENAPI=1 cargo test -p inference-api"
    );
    well_formed(&serde_json::from_str(&general).unwrap());
}

#[test]
fn a_model_of_one_table_is_described() {
    insta::assert_json_snapshot!(narrowed(&iris()));
}

#[test]
fn a_model_of_columns_is_described() {
    let document = columns();
    assert!(document["paths"].get("/predict").is_none(), "it has five inputs");
    assert!(document["components"]["schemas"].get("PredictRequest").is_none());
    insta::assert_json_snapshot!(narrowed(&document));
}

/// A document of one model is one of every model, but for what it leaves out and narrows.
#[test]
fn nothing_is_added_but_inputs() {
    let general: Value = serde_json::from_str(&inference_api::openapi::json()).unwrap();
    for document in [iris(), columns()] {
        for (path, method, operation) in operations(&document) {
            let general = &general["paths"][path][method];
            let statuses = |operation: &Value| -> Vec<String> {
                operation["responses"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .cloned()
                    .collect()
            };
            assert_eq!(statuses(operation), statuses(general), "{method} {path}");
        }
    }
}

/// Strings that the model has not learnt are refused, and which it has is not said: no row can be shown.
#[test]
fn rows_that_the_model_refuses_are_not_shown() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/columns.onnx");
    let document = published(&file, &[]);
    let bodies = &document["paths"]["/invocations"]["post"]["requestBody"]["content"];
    assert_eq!(bodies["application/json"].get("examples"), None, "{bodies}");
    assert_eq!(bodies["text/csv"].get("example"), None, "{bodies}");
}

/// What is shown is nobody's traffic.
#[test]
fn examples_are_not_recorded() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    client.get("/openapi.json");
    client.get("/docs");
    assert_eq!(client.get("/drift/status").json()["samples"], 0);
    let metrics = client.get("/metrics").body;
    assert!(
        metrics.lines().any(|line| line == "prediction_rows_total 0"),
        "{metrics}"
    );
}

//! The binary tensor extension in both directions, mixed, and beside JSON.

use super::{INFER, floats, infer, infer_binary, parts};
use crate::{fixture, plain::corpus, server::Server};
use serde_json::json;

const ROWS: [f32; 8] = [5.1, 3.5, 1.4, 0.2, 6.3, 3.3, 6.0, 2.5];

fn request(parameters: &str, rest: &str) -> String {
    format!(r#"{{"inputs":[{{"name":"features","datatype":"FP32","shape":[2,4]{parameters}}}]{rest}}}"#)
}

#[test]
fn every_mix_gives_the_same_tensors() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let flat = r#","data":[5.1,3.5,1.4,0.2,6.3,3.3,6.0,2.5]"#;
    let nested = r#","data":[[5.1,3.5,1.4,0.2],[6.3,3.3,6.0,2.5]]"#;
    let sized = r#","parameters":{"binary_data_size":32}"#;
    let label: Vec<u8> = [0i64, 2].iter().flat_map(|value| value.to_le_bytes()).collect();
    let scores = floats(&[1.0, 0.0, 0.0, 0.0, 0.1875, 0.8125]);
    let both = [label.clone(), scores.clone()].concat();
    let outputs = |label: &str, scores: &str| {
        format!(r#","outputs":[{{"name":"label"{label}}},{{"name":"probabilities"{scores}}}]"#)
    };
    let (yes, no) = (
        r#","parameters":{"binary_data":true}"#,
        r#","parameters":{"binary_data":false}"#,
    );
    let all = r#","parameters":{"binary_data_output":true}"#;
    let mixed = |first: &str, second: &str, more: &str| format!("{}{more}", outputs(first, second));
    // What is asked for, and the bytes behind the JSON that are expected.
    let cases: [(&str, String, &[u8]); 8] = [
        ("JSON", String::new(), &[]),
        ("JSON as said", outputs(no, no), &[]),
        ("all binary", all.to_owned(), &both),
        ("both binary", outputs(yes, yes), &both),
        ("the first", outputs(yes, ""), &label),
        ("the second", outputs(no, yes), &scores),
        ("all but the first", mixed(no, "", all), &scores),
        ("as said over all", mixed(no, no, all), &[]),
    ];
    for (name, rest, expected) in &cases {
        for (input, tensors) in [(flat, None), (nested, None), (sized, Some(floats(&ROWS)))] {
            let body = request(input, rest);
            let answer = match &tensors {
                Some(tensors) => infer_binary(&mut client, INFER, &body, tensors),
                None => infer(&mut client, INFER, &body),
            };
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            let (json, behind) = parts(&answer);
            assert_eq!(&behind, expected, "{name}");
            let kind = if expected.is_empty() {
                "application/json"
            } else {
                "application/octet-stream"
            };
            assert_eq!(answer.header("content-type"), Some(kind), "{name}");
            let is_binary = |place: usize| json["outputs"][place]["parameters"]["binary_data_size"].is_u64();
            if !is_binary(0) {
                assert_eq!(json["outputs"][0]["data"], json!([0, 2]), "{name}");
            }
            if !is_binary(1) {
                assert_eq!(
                    json["outputs"][1]["data"],
                    json!([1.0, 0.0, 0.0, 0.0, 0.1875, 0.8125])
                );
            }
        }
    }
}

#[test]
fn texts_are_fixed() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let data = r#","data":[5.1,3.5,1.4,0.2,6.3,3.3,6.0,2.5]"#;
    let asked = [
        r#","id":"a \"b\" \u00e9","parameters":{"x": [1, {"y": null}], "z":1e400}"#,
        r#","id":null,"parameters":null,"outputs":[],"unknown":{"x":[1]}"#,
        r#","outputs":[{"name":"probabilities"},{"name":"label"}]"#,
        r#","parameters":{"binary_data_output":true},"id":"""#,
    ];
    let texts = asked.map(|rest| {
        let answer = infer(&mut client, INFER, &request(data, rest));
        // The bytes of the last one are control characters, which a snapshot can hold.
        let text = String::from_utf8_lossy(&answer.bytes).escape_debug().to_string();
        let length = answer.header("inference-header-content-length").unwrap_or("-");
        format!("{rest}\n  {length} {text}\n")
    });
    insta::assert_snapshot!(texts.concat().replace("\\\"", "\""));
    let versioned = "/v2/models/iris-model/versions/3/infer";
    assert_eq!(
        infer(&mut client, versioned, &request(data, "")).body,
        infer(&mut client, INFER, &request(data, "")).body
    );
}

/// One input for each column, strings among them, in JSON and in binary at once.
#[test]
fn columns_with_strings() {
    let server = Server::start(&corpus("columns_one"), &[]);
    let mut client = server.client();
    let path = "/v2/models/columns_one/infer";
    let strings = |texts: [&str; 2]| -> Vec<u8> {
        let one = |text: &str| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
        texts.map(one).concat()
    };
    let cities = strings(["Zürich", "Bern"]);
    let ages: Vec<u8> = [33i64, 44].iter().flat_map(|age| age.to_le_bytes()).collect();
    let put = |name: &str, datatype: &str, data: &str| {
        format!(r#"{{"name":"{name}","datatype":"{datatype}","shape":[2,1],{data}}}"#)
    };
    let size = |bytes: &[u8]| format!(r#""parameters":{{"binary_data_size":{}}}"#, bytes.len());
    let words = put("grade", "BYTES", r#""data":["low","high"]"#);
    let numbers = [
        put("income", "FP32", r#""data":[[50],[20.5]]"#),
        put("debt", "FP32", r#""data":[0,1]"#),
    ]
    .join(",");
    let json = [
        put("city", "BYTES", r#""data":[["Zürich"],["Bern"]]"#),
        words.clone(),
        put("age", "INT64", r#""data":[33,44]"#),
        numbers.clone(),
    ];
    // Any order; binary tensors follow in the order of those that are binary.
    let mixed = [
        put("age", "INT64", &size(&ages)),
        numbers,
        put("city", "BYTES", &size(&cities)),
        words,
    ];
    let in_json = infer(
        &mut client,
        path,
        &format!(r#"{{"inputs":[{}]}}"#, json.join(",")),
    );
    let body = format!(r#"{{"inputs":[{}]}}"#, mixed.join(","));
    let in_both = infer_binary(&mut client, path, &body, &[ages, cities].concat());
    assert_eq!(in_json.body, in_both.body);
    // onnxruntime's numbers.
    let (json, _) = parts(&in_json);
    assert_eq!(json["outputs"][0]["data"], json!([1, 1]));
    let scores: Vec<f64> = serde_json::from_value(json["outputs"][1]["data"].clone()).unwrap();
    for (found, expected) in scores.iter().zip(COLUMN_SCORES) {
        assert!((found - expected).abs() < 1e-5, "{scores:?}");
    }
    let empty = infer(
        &mut client,
        path,
        &format!(r#"{{"inputs":[{}]}}"#, put("city", "BYTES", r#""data":["Bern"]"#)),
    );
    assert_eq!(empty.status, 400, "{empty:?}");
}

const COLUMN_SCORES: [f64; 4] = [0.42148793, 0.5785121, 0.46773013, 0.5322699];

#[test]
fn rows_reach_the_drift_window() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let samples = |client: &mut crate::client::Client| client.get("/drift/status").json()["samples"].clone();
    infer(&mut client, INFER, &request(r#","data":[1,2,3,4,5,6,7,8]"#, ""));
    assert_eq!(samples(&mut client), 2);
    infer_binary(
        &mut client,
        INFER,
        &request(r#","parameters":{"binary_data_size":32}"#, ""),
        &floats(&ROWS),
    );
    assert_eq!(samples(&mut client), 4);
    infer(&mut client, INFER, &request(r#","data":[1,2,3]"#, ""));
    assert_eq!(samples(&mut client), 4, "a refused request leaves no rows");
}

/// A body that takes a thread for milliseconds.
#[test]
fn large_batches() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let count = 20_000;
    let rows: Vec<f32> = (0..count * 4).map(|at| (at % 80) as f32 / 10.0).collect();
    let json = format!(
        r#"{{"inputs":[{{"name":"features","datatype":"FP32","shape":[{count},4],"parameters":{{"binary_data_size":{}}}}}],"outputs":[{{"name":"label","parameters":{{"binary_data":true}}}}]}}"#,
        count * 16
    );
    let answer = infer_binary(&mut client, INFER, &json, &floats(&rows));
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let (_, labels) = parts(&answer);
    assert_eq!(labels.len(), count * 8);
    for row in [0, 1, 12_345, count - 1] {
        let text = format!("{:?}", &rows[row * 4..][..4]);
        let alone = client.predict(&format!("{{\"features\":{text}}}")).json();
        assert_eq!(i64::from(labels[row * 8]), alone["prediction"].as_i64().unwrap());
    }
}

//! `/predict`: shapes, exact texts, agreement with the model.

use crate::{fixture, server::Server};
use contract::{Prediction, Predictions};
use std::fs;

#[test]
fn one_row_and_many() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let setosa = client.predict(r#"{"features":[5.1,3.5,1.4,0.2]}"#);
    insta::assert_snapshot!(setosa.text());
    insta::assert_snapshot!(client.predict(r#" {"features" : [6, 3.0, 5.2e0, 2]} "#).body);
    let many = client.predict(r#"{"instances":[[5.1,3.5,1.4,0.2],[6.0,2.9,4.5,1.5],[6.3,3.3,6.0,2.5]]}"#);
    insta::assert_snapshot!(many.body);
    // One of one is still a list.
    assert_eq!(
        client.predict(r#"{"instances":[[5.1,3.5,1.4,0.2]]}"#).body,
        format!("{{\"predictions\":[{}]}}", setosa.body)
    );
}

#[test]
fn bodies_are_the_contract() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let one = client.predict(r#"{"features":[6.0,2.9,4.5,1.5]}"#).body;
    let parsed: Prediction = serde_json::from_str(&one).unwrap();
    assert_eq!(serde_json::to_string(&parsed).unwrap(), one);
    let many = client
        .predict(r#"{"instances":[[5.1,3.5,1.4,0.2],[6.0,2.9,4.5,1.5]]}"#)
        .body;
    let parsed: Predictions = serde_json::from_str(&many).unwrap();
    assert_eq!(serde_json::to_string(&parsed).unwrap(), many);
}

#[test]
fn regression_answers_a_number() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("house.onnx");
    fs::write(&file, fixture::regression()).unwrap();
    let server = Server::start(&file, &["--name", "prices"]);
    let mut client = server.client();
    let answers = client.predict(r#"{"instances":[[-1,0],[1,0]]}"#).body;
    // float32 10.3 is written as the shortest text that reads back as itself.
    let version = client.get("/model/info").json()["model_version"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(version.len(), 12);
    assert_eq!(
        answers,
        format!(
            r#"{{"predictions":[{{"prediction":9.7,"probabilities":[],"model_version":"{version}","drift_detected":false}},{{"prediction":10.3,"probabilities":[],"model_version":"{version}","drift_detected":false}}]}}"#
        )
    );
    assert_eq!(client.get("/model/info").json()["name"], "prices");
    insta::assert_snapshot!(client.get("/drift/status").body, @r#"{"drift_detected":false,"reason":"The model has no drift reference","samples":0}"#);
}

#[test]
fn an_answer_that_json_cannot_hold_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sum.onnx");
    fs::write(&file, fixture::overflowing()).unwrap();
    let server = Server::start(&file, &[]);
    let mut client = server.client();
    assert_eq!(client.predict(r#"{"features":[-1]}"#).status, 200);
    insta::assert_snapshot!(client.predict(r#"{"instances":[[-1],[1]]}"#).text());
    assert_eq!(client.predict(r#"{"features":[-1]}"#).status, 200);
}

#[test]
fn classes_without_names_have_none() {
    let directory = fixture::directory_with(|manifest| {
        manifest.classes = ["0", "1", "2"].map(str::to_owned).to_vec();
        manifest.model_version = None;
    });
    let server = Server::start(directory.path(), &[]);
    let answer = server
        .client()
        .predict(r#"{"features":[5.1,3.5,1.4,0.2]}"#)
        .json();
    assert!(answer.get("class_name").is_none(), "{answer}");
    // Not registered: the digest's first digits stand for the version.
    assert_eq!(answer["model_version"], fixture::manifest().model_digest[7..19]);
}

#[test]
fn any_batch_size_up_to_the_limit() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--max-instances", "300"]);
    let mut client = server.client();
    let row = |i: usize| format!("[5.1,3.5,{},{}]", i % 7, (i % 5) as f64 / 2.0);
    for count in [1, 2, 3, 299, 300] {
        let rows: Vec<String> = (0..count).map(row).collect();
        let answer: Predictions = serde_json::from_str(
            &client
                .predict(&format!("{{\"instances\":[{}]}}", rows.join(",")))
                .body,
        )
        .unwrap();
        assert_eq!(answer.predictions.len(), count);
        for (i, prediction) in answer.predictions.iter().enumerate() {
            let alone: Prediction =
                serde_json::from_str(&client.predict(&format!("{{\"features\":{}}}", row(i))).body).unwrap();
            assert_eq!(
                (&prediction.prediction, &prediction.probabilities),
                (&alone.prediction, &alone.probabilities)
            );
        }
    }
}

#[test]
fn media_types_and_request_ids() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let body = br#"{"features":[5.1,3.5,1.4,0.2]}"#;
    for (media_type, status) in [
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("application/vnd.example+json", 200),
        ("application/jsonp", 415),
        ("text/json", 415),
        ("application/x-www-form-urlencoded", 415),
    ] {
        let answer = client.send(
            "POST",
            "/predict",
            &format!("content-type: {media_type}\r\n"),
            body,
        );
        assert_eq!(answer.status, status, "{media_type}");
        assert_eq!(answer.header("x-request-id"), Some("test"));
    }
    client.write(b"GET /livez HTTP/1.1\r\nhost: test\r\nx-request-id: no good\r\n\r\n");
    let id = client.read().unwrap().header("x-request-id").unwrap().to_owned();
    assert!(
        id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{id}"
    );
}

//! Documented paths and bodies, `/docs`, `/model/info`, `/health` and the probes.

use crate::{feedback, fixture, server::Server};
use serde_json::Value;
use std::fs;

#[test]
fn every_documented_path_answers() {
    let directory = fixture::directory_with(|manifest| manifest.model_version = Some(1));
    let token = directory.path().join("token");
    fs::write(&token, "a-token-of-some-length").unwrap();
    let capture = ["--capture", "on", "--capture-token-file", token.to_str().unwrap()];
    let server = Server::start(directory.path(), &[&["--name", "iris"][..], &capture].concat());
    let mut client = server.client();
    // What the labels of the examples are of.
    let row = [6.7, 3.0, 5.2, 2.3];
    feedback::predict(&mut client, "8f14e45fceea167a", &[row]);
    feedback::predict(&mut client, "c9f0f895fb98ab91", &[row; 3]);
    let document = client.get("/openapi.json").json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = &path.replace("{model}", "iris").replace("{version}", "1");
        for (method, operation) in operations.as_object().unwrap() {
            let answer = match method.as_str() {
                "post" if operation["requestBody"].is_null() => client.send("POST", path, "", b""),
                "post" => examples(&operation["requestBody"]["content"])
                    .map(|(kind, body)| {
                        let answer = client.send(
                            "POST",
                            path,
                            &format!("content-type: {kind}\r\n"),
                            body.as_bytes(),
                        );
                        assert_eq!(answer.status, 200, "{path}: {body}: {answer:?}");
                        answer
                    })
                    .collect::<Vec<_>>()
                    .swap_remove(0),
                // It has no end: `drift_events` reads it.
                _ if operation["responses"]["200"]["content"]["text/event-stream"].is_object() => continue,
                _ => client.send(
                    "GET",
                    path,
                    "authorization: Bearer a-token-of-some-length\r\n",
                    b"",
                ),
            };
            assert_eq!(answer.status, 200, "{method} {path}");
            let success = &operation["responses"]["200"]["content"];
            let kinds: Vec<_> = success.as_object().unwrap().keys().cloned().collect();
            let kind = answer.header("content-type").unwrap();
            assert!(
                kinds.iter().any(|documented| kind.starts_with(documented)),
                "{path}: {kind} is not among {kinds:?}"
            );
            if let Some(reference) = success["application/json"]["schema"]["$ref"].as_str() {
                fields_are_documented(&document, reference, &answer.json());
            }
        }
    }
}

/// Media type and body of every example.
fn examples(content: &Value) -> impl Iterator<Item = (String, String)> {
    content.as_object().unwrap().iter().flat_map(|(kind, content)| {
        let named = content["examples"].as_object().into_iter().flatten();
        let bodies = named
            .map(|(_, example)| &example["value"])
            .chain(content.get("example"));
        bodies.map(|body| {
            (
                kind.clone(),
                body.as_str().map_or_else(|| body.to_string(), str::to_owned),
            )
        })
    })
}

/// All that is required is there, and nothing that is not documented.
fn fields_are_documented(document: &Value, reference: &str, answer: &Value) {
    let schema = document.pointer(&reference[1..]).unwrap();
    let Some(properties) = schema["properties"].as_object() else {
        let choices = schema["oneOf"].as_array().expect("an object or a choice");
        return fields_are_documented(document, choices[0]["$ref"].as_str().unwrap(), answer);
    };
    for field in answer.as_object().unwrap().keys() {
        assert!(properties.contains_key(field), "{reference} lacks {field}");
    }
    for field in schema["required"].as_array().unwrap() {
        assert!(
            answer.get(field.as_str().unwrap()).is_some(),
            "{reference} requires {field}"
        );
    }
}

#[test]
fn docs_work_offline() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let answer = server.client().get("/docs");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    for outside in ["http://", "https://", "src=", "<script", "@import", "url("] {
        assert!(!answer.body.contains(outside), "the page has {outside}");
    }
    for expected in [
        "/predict",
        "/drift/status",
        "feature_count",
        "id=\"body-Prediction\"",
        "prefers-color-scheme: dark",
    ] {
        assert!(answer.body.contains(expected), "the page lacks {expected}");
    }
    insta::assert_snapshot!(answer.body);
}

#[test]
fn model_info() {
    let directory = fixture::directory();
    let digest = contract::sha256_hex(b"image");
    let server = Server::start(
        directory.path(),
        &["--image-tag", "m3-0123456", "--image-digest", &digest],
    );
    let answer = server.client().get("/model/info");
    let info: contract::ModelInfo = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(info.digests.image.as_deref(), Some(digest.as_str()));
    assert_eq!(
        info.digests.manifest,
        Some(contract::sha256_hex(
            &fs::read(directory.path().join("manifest.json")).unwrap()
        ))
    );
    insta::assert_json_snapshot!(answer.json());
}

#[test]
fn health_and_probes() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    assert_eq!(client.get("/livez").body, r#"{"status":"alive"}"#);
    assert_eq!(client.get("/readyz").body, r#"{"status":"ready"}"#);
    let served = |client: &mut crate::client::Client| {
        client.get("/health").json()["requests_served"].as_u64().unwrap()
    };
    assert_eq!(served(&mut client), 0, "probes do not count");
    client.predict(r#"{"features":[5.1,3.5,1.4,0.2]}"#);
    client.predict("refused");
    client.get("/model/info");
    client.get("/metrics");
    assert_eq!(served(&mut client), 3);
    let health = client.get("/health").json();
    assert_eq!(health["status"], "healthy");
    assert!(health["uptime_seconds"].as_f64().unwrap() > 0.0);
    assert!(health["timestamp"].as_str().unwrap().ends_with('Z'));
}

//! Metadata, health, methods, media types: what does not look at tensors.

use super::{INFER, JSON, infer, refusal};
use crate::{
    fixture,
    plain::corpus,
    server::{Server, eventually},
};

#[test]
fn every_path_as_exact_text() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let mut texts = String::new();
    for path in [
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/iris-model",
        "/v2/models/iris%2Dmodel/versions/%33",
        "/v2/models/iris-model/ready",
        "/v2/models/iris-model/versions/3/ready",
        // From here on there is nothing.
        "/v2/",
        "/v2/health",
        "/v2/models",
        "/v2/models/",
        "/v2/models//infer",
        "/v2/models/other",
        "/v2/models/other/ready",
        "/v2/models/iris-model/versions/4",
        "/v2/models/iris-model/versions/4/ready",
        "/v2/models/iris-model/versions",
        "/v2/models/iris-model/config",
        "/v2/models/iris-model/ready/",
        "/v2/repository/index",
    ] {
        texts += &format!("GET {path}\n{}\n\n", client.get(path).text());
    }
    insta::assert_snapshot!(texts);
    assert_eq!(client.get("/v20").json()["code"], "not_found");
}

#[test]
fn a_graph_describes_itself() {
    let texts = [
        "columns_one",
        "forest_zip_words_f32",
        "kmeans_multi_f64",
        "linear_int64",
    ]
    .map(|name| {
        let server = Server::start(&corpus(name), &["--name", "mine"]);
        server.client().get("/v2/models/mine").body
    });
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn methods_and_media_types() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--max-body-bytes", "300"]);
    let mut client = server.client();
    let mut texts = String::new();
    let large = "x".repeat(301);
    let other = "/v2/models/other/infer";
    for (method, path, headers, body) in [
        ("POST", "/v2", JSON, "{}"),
        ("DELETE", "/v2/health/ready", "", ""),
        ("PUT", "/v2/models/iris-model", JSON, "{}"),
        ("GET", INFER, "", ""),
        ("PUT", INFER, JSON, "{}"),
        ("POST", other, JSON, "{}"),
        ("POST", "/v2/models/iris-model/versions/2/infer", JSON, "{}"),
        ("POST", "/v2/models/iris-model/explain", JSON, "{}"),
        ("POST", INFER, "content-type: text/plain\r\n", "{}"),
        (
            "POST",
            INFER,
            "content-type: application/x-www-form-urlencoded\r\n",
            "{}",
        ),
        (
            "POST",
            INFER,
            "content-type: application/json\r\ncontent-encoding: gzip\r\n",
            "{}",
        ),
        ("POST", INFER, JSON, &large),
    ] {
        let answer = client.send(method, path, headers, body.as_bytes());
        let allow = answer.header("allow").unwrap_or("-");
        texts += &format!(
            "{method} {path} {}\n  {} allow {allow}\n",
            headers.trim(),
            refusal(&answer)
        );
    }
    insta::assert_snapshot!(texts);
    let row = br#"{"inputs":[{"name":"features","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]}"#;
    // tritonclient says nothing about the body, KServe's client says application/octet-stream.
    for headers in [
        "",
        "content-type: application/octet-stream\r\n",
        "content-type: application/json; charset=utf-8\r\n",
        "content-type: application/vnd.example+json\r\n",
    ] {
        assert_eq!(client.send("POST", INFER, headers, row).status, 200, "{headers}");
    }
}

#[test]
fn readiness_follows_the_process() {
    let directory = fixture::directory();
    let mut server = Server::start(directory.path(), &["--drain-seconds", "2"]);
    server.terminate();
    eventually("readiness is denied", || {
        server.client().get("/v2/health/ready").status == 503
    });
    let mut texts = String::new();
    for path in ["/v2/health/ready", "/v2/models/iris-model/ready"] {
        let answer = server.client().get(path);
        assert_eq!(answer.header("retry-after"), Some("1"));
        texts += &refusal(&answer);
        texts.push('\n');
    }
    assert_eq!(server.client().get("/v2/health/live").status, 200);
    insta::assert_snapshot!(texts);
}

#[test]
fn too_many_requests_are_refused_in_the_protocols_words() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--max-concurrent-requests", "1"]);
    let mut slow = server.client();
    slow.write(format!("POST {INFER} HTTP/1.1\r\nhost: test\r\ncontent-length: 30\r\n\r\n").as_bytes());
    eventually("it is in flight", || {
        server
            .client()
            .get("/metrics")
            .body
            .contains("requests_in_flight 1\n")
    });
    let answer = infer(&mut server.client(), INFER, "{}");
    assert!(
        refusal(&answer).starts_with("503 1 requests are in flight"),
        "{answer:?}"
    );
    // Probes need no permit.
    assert_eq!(server.client().get("/v2/health/ready").status, 200);
    assert_eq!(server.client().get("/v2/models/iris-model/ready").status, 200);
}

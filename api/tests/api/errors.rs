//! Every way to be refused, as exact texts.

use crate::{client::Answer, fixture, server::Server};

/// Each case with its answer, one after the other on one connection: a refusal must not end it.
fn refusals(cases: &[(&str, &str)]) -> String {
    let directory = fixture::directory();
    let server = Server::start(
        directory.path(),
        &["--max-instances", "3", "--max-body-bytes", "4096"],
    );
    let mut client = server.client();
    let answer = |(name, body): &(&str, &str)| {
        let answer = client.predict(body);
        check(&answer);
        format!("{name}\n  {} {}\n", answer.status, answer.body)
    };
    cases.iter().map(answer).collect()
}

fn check(answer: &Answer) {
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{answer:?}"
    );
    assert_eq!(
        answer.json()["request_id"].as_str(),
        answer.header("x-request-id"),
        "{answer:?}"
    );
}

#[test]
fn json_that_the_model_does_not_take() {
    let long_name = format!(r#"{{"{}":1}}"#, "x".repeat(500));
    let long_row = format!(r#"{{"features":[{}1]}}"#, "1,".repeat(1000));
    insta::assert_snapshot!(refusals(&[
        ("too few", r#"{"features":[5.1,3.5,1.4]}"#),
        ("too many", r#"{"features":[5.1,3.5,1.4,0.2,1]}"#),
        ("far too many", &long_row),
        ("none", r#"{"features":[]}"#),
        ("one", r#"{"features":[1]}"#),
        (
            "second row too short",
            r#"{"instances":[[5.1,3.5,1.4,0.2],[1,2]]}"#
        ),
        ("string", r#"{"features":[5.1,"abc",1.4,0.2]}"#),
        ("number in a string", r#"{"features":[5.1,"3.5",1.4,0.2]}"#),
        (
            "long string",
            r#"{"features":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"]}"#
        ),
        ("null", r#"{"features":[5.1,3.5,null,0.2]}"#),
        ("boolean", r#"{"features":[true,3.5,1.4,0.2]}"#),
        ("nested array", r#"{"features":[[5.1,3.5,1.4,0.2]]}"#),
        ("object", r#"{"features":[{"a":1},3.5,1.4,0.2]}"#),
        (
            "null in a batch",
            r#"{"instances":[[5.1,3.5,1.4,0.2],[1,2,3,null]]}"#
        ),
        ("beyond float32", r#"{"features":[5.1,1e39,1.4,0.2]}"#),
        ("beyond float64", r#"{"features":[5.1,3.5,1.4,1e400]}"#),
        (
            "beyond float64 in a batch",
            r#"{"instances":[[5.1,3.5,1.4,0.2],[1,-1e999,3,4]]}"#
        ),
        ("features a number", r#"{"features":5.1}"#),
        ("features null", r#"{"features":null}"#),
        ("features an object", r#"{"features":{"sepal_length":5.1}}"#),
        ("instances a string", r#"{"instances":"all"}"#),
        ("instances one row", r#"{"instances":[5.1,3.5,1.4,0.2]}"#),
        ("no instances", r#"{"instances":[]}"#),
        (
            "too many instances",
            r#"{"instances":[[5.1,3.5,1.4,0.2],[5.1,3.5,1.4,0.2],[5.1,3.5,1.4,0.2],[5.1,3.5,1.4,0.2]]}"#
        ),
        ("unknown field", r#"{"features":[5.1,3.5,1.4,0.2],"id":"7"}"#),
        ("unknown field first", r#"{"Features":[5.1,3.5,1.4,0.2]}"#),
        ("long unknown field", &long_name),
        (
            "twice",
            r#"{"features":[5.1,3.5,1.4,0.2],"features":[5.1,3.5,1.4,0.2]}"#
        ),
        (
            "both",
            r#"{"features":[5.1,3.5,1.4,0.2],"instances":[[5.1,3.5,1.4,0.2]]}"#
        ),
        ("neither", "{}"),
        ("an array", "[5.1,3.5,1.4,0.2]"),
        ("null alone", "null"),
        ("a number alone", "5.1"),
    ]));
}

#[test]
fn what_is_not_json() {
    insta::assert_snapshot!(refusals(&[
        ("blank", " \n\t"),
        ("NaN", r#"{"features":[5.1,NaN,1.4,0.2]}"#),
        ("NaN first", r#"{"features":[NaN,3.5,1.4,0.2]}"#),
        ("nan", r#"{"features":[5.1, nan,1.4,0.2]}"#),
        ("Infinity", r#"{"features":[5.1,3.5,1.4,Infinity]}"#),
        ("-Infinity", "{\"features\":[5.1,3.5,1.4,\n -Infinity]}"),
        ("cut off", r#"{"features":[5.1,3.5"#),
        ("trailing comma", r#"{"features":[5.1,3.5,1.4,0.2],}"#),
        ("trailing bytes", r#"{"features":[5.1,3.5,1.4,0.2]} x"#),
        ("leading zero", r#"{"features":[05.1,3.5,1.4,0.2]}"#),
        ("single quotes", "{'features':[5.1]}"),
        ("a form", "features=5.1"),
        ("unquoted key", "{features:[5.1]}"),
        ("half a string", r#"{"features":["ab"#),
    ]));
}

#[test]
fn bytes_that_are_not_text() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    for body in [
        &b"{\"features\":[\"\xff\xfe\"]}"[..],
        b"{\"\xc3\x28\":1}",
        b"\x00\x01\x02",
        b"\xef\xbb\xbf{}",
    ] {
        let answer = client.send("POST", "/predict", "content-type: application/json\r\n", body);
        check(&answer);
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("invalid_json")),
            "{body:?} {answer:?}"
        );
    }
}

#[test]
fn brackets_without_end_neither_recurse_nor_grow() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--max-body-bytes", "20000000"]);
    let brackets = "[".repeat(10_000_000);
    for body in [
        brackets.clone(),
        format!("{{\"features\":{brackets}"),
        format!("{{\"x\":{brackets}"),
        "{\"features\":".repeat(500_000),
    ] {
        let answer = server.client().predict(&body);
        check(&answer);
        assert_eq!(answer.status, 422, "{answer:?}");
    }
    // With the default limit the same body is refused for its size, and the client gets to read so.
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let answer = client.predict(&brackets);
    check(&answer);
    insta::assert_snapshot!(answer.text());
    assert_eq!(client.predict(r#"{"features":[5.1,3.5,1.4,0.2]}"#).status, 200);
}

#[test]
fn routes_and_methods() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let mut texts = String::new();
    for (method, path, headers, body) in [
        ("GET", "/", "", ""),
        ("GET", "/predict/", "", ""),
        ("POST", "/nothing", "content-type: application/json\r\n", "{}"),
        ("GET", "/predict", "", ""),
        ("DELETE", "/predict", "", ""),
        ("POST", "/health", "", ""),
        ("PUT", "/model/info", "", "x"),
        ("POST", "/predict", "", "{}"),
        ("POST", "/predict", "content-type: text/plain\r\n", "{}"),
        (
            "POST",
            "/predict",
            "content-type: application/json\r\ncontent-encoding: gzip\r\n",
            "\u{1f}\u{8b}",
        ),
        ("POST", "/predict", "content-type: application/json\r\n", ""),
    ] {
        let answer = client.send(method, path, headers, body.as_bytes());
        check(&answer);
        texts += &format!("{method} {path}\n{}\n\n", answer.text());
    }
    insta::assert_snapshot!(texts);
}

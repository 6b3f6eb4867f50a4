//! MLflow's scoring protocol, format by format and error by error.

use crate::{
    client::{Answer, Client},
    fixture,
    server::{Server, eventually},
};
use std::fs;

const JSON: &str = "application/json";
const CSV: &str = "text/csv";

fn invoke(client: &mut Client, kind: &str, body: &[u8]) -> Answer {
    let header = format!("content-type: {kind}\r\n");
    let answer = client.send("POST", "/invocations", &header, body);
    assert_eq!(answer.header("content-type"), Some(JSON), "{answer:?}");
    assert_eq!(answer.header("x-request-id"), Some("test"), "{answer:?}");
    answer
}

/// A list does not fit into a cell, and its first value alone is not the row.
#[test]
fn a_cell_of_text_is_one_value() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let answer = invoke(&mut server.client(), CSV, b"features\n5.1\n");
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(
        answer.body.contains("a list of values, which text cannot hold"),
        "{answer:?}"
    );
}

#[test]
fn every_format_gives_the_labels() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let names = r#"["sepal_length","sepal_width","petal_length","petal_width"]"#;
    for (kind, body) in [
        (JSON, format!(r#"{{"dataframe_split":{{"columns":{names},"data":[[5.1,3.5,1.4,0.2],[6.7,3.0,5.2,2.3]]}}}}"#)),
        (JSON, format!(r#"{{"dataframe_split":{{"index":[0,1],"data":[[5.1,3.5,1.4,0.2],[6.7,3.0,5.2,2.3]],"columns":{names}}}}}"#)),
        (JSON, r#"{"dataframe_split":{"columns":["petal_width","id","petal_length","sepal_length","sepal_width"],"data":[[0.2,"x",1.4,5.1,3.5],[2.3,[],5.2,6.7,3]]}}"#.to_owned()),
        (JSON, r#"{"dataframe_records":[{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2},{"petal_width":2.3,"petal_length":5.2,"sepal_length":6.7,"sepal_width":3}]}"#.to_owned()),
        (JSON, r#"{"instances":[[5.1,3.5,1.4,0.2],[6.7,3.0,5.2,2.3]],"params":{}}"#.to_owned()),
        (JSON, r#"{"inputs":[[5.1,3.5,1.4,0.2],[6.7,3.0,5.2,2.3]],"params":null}"#.to_owned()),
        (JSON, r#"{"inputs":{"features":[[5.1,3.5,1.4,0.2],[6.7,3.0,5.2,2.3]]}}"#.to_owned()),
        (JSON, r#"{"instances":{"sepal_length":[5.1,6.7],"sepal_width":[3.5,3],"petal_length":[1.4,5.2],"petal_width":[0.2,2.3]}}"#.to_owned()),
        ("application/json; charset=UTF-8", r#"{"inputs":[[5.1,3.5,1.4,0.2],[6.7,3.0,5.2,2.3]]}"#.to_owned()),
        (CSV, "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n".to_owned()),
        ("text/csv; charset=utf-8", "\u{feff},petal_width,sepal_length,sepal_width,petal_length\r\n0,0.2,5.1,3.5,1.4\r\n1,2.3,6.7, 3,5.2".to_owned()),
    ] {
        let answer = invoke(&mut client, kind, body.as_bytes());
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"predictions":[0,2]}"#), "{body}");
    }
    let status = client.get("/drift/status").json();
    assert_eq!(status["reason"], "Collecting samples (22/100)", "{status}");
    let metrics = client.get("/metrics").body;
    for line in [
        "prediction_requests_total{protocol=\"mlflow\"} 11",
        "prediction_rows_total 22",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line}: {metrics}");
    }
    // No rows, no predictions.
    let empty = invoke(
        &mut client,
        CSV,
        b"sepal_length,sepal_width,petal_length,petal_width\n",
    );
    assert_eq!(empty.body, r#"{"predictions":[]}"#);
}

#[test]
fn numbers_missing_ones_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.onnx");
    fs::write(&file, fixture::regression()).unwrap();
    let server = Server::start(&file, &[]);
    let mut client = server.client();
    let body = r#"{"instances":[[1,null],[-1,"NaN"],[true,2]]}"#;
    let answer = invoke(&mut client, JSON, body.as_bytes());
    assert_eq!(
        answer.json()["message"],
        r#"instances[1], column "feature_1" is the string "NaN", expected a number"#
    );
    let body = r#"{"instances":[[1,null],[-1, NaN],[true,2]]}"#;
    assert_eq!(
        invoke(&mut client, JSON, body.as_bytes()).body,
        r#"{"predictions":[10.3,9.7,10.3]}"#
    );
    let body = "x,y\n1,\n-1,NA\nTrue,2\n";
    assert_eq!(
        invoke(&mut client, CSV, body.as_bytes()).body,
        r#"{"predictions":[10.3,9.7,10.3]}"#
    );
}

#[test]
fn errors_are_mlflows() {
    let directory = fixture::directory();
    let server = Server::start(
        directory.path(),
        &["--max-body-bytes", "4096", "--max-batch-rows", "3"],
    );
    let mut client = server.client();
    let long = format!(r#"{{"x":"{}"}}"#, "x".repeat(5000));
    let mut texts = String::new();
    for (kind, body) in [
        (JSON, &b""[..]),
        (JSON, b"  "),
        (JSON, b"{\"inputs\":"),
        (JSON, b"{'inputs': 1}"),
        (JSON, b"\xff\xfe"),
        (JSON, b"{\"inputs\":[[1,2,3,Infinity]]}"),
        (JSON, b"{\"inputs\":[[1,2,3,1e999]]}"),
        (JSON, b"{\"inputs\":[[1,2,3,1e39]]}"),
        (JSON, b"{\"inputs\":[[1,2,3,4]]} x"),
        (JSON, b"[1]"),
        (JSON, b"null"),
        (JSON, b"{}"),
        (JSON, br#"{"features":[1,2,3,4]}"#),
        (JSON, br#"{"columns":["a"],"data":[[1]]}"#),
        (JSON, br#"{"inputs":[[1,2,3,4]],"instances":[[1,2,3,4]]}"#),
        (JSON, br#"{"inputs":[[1,2,3,4]],"params":{"p":1}}"#),
        (JSON, br#"{"inputs":[[1,2,3,4]],"params":[1]}"#),
        (JSON, br#"{"inputs":3}"#),
        (JSON, br#"{"inputs":[]}"#),
        (JSON, br#"{"inputs":[1,2,3,4]}"#),
        (JSON, br#"{"inputs":[[1,2,3]]}"#),
        (JSON, br#"{"inputs":[[1,2,3,4,5]]}"#),
        (JSON, br#"{"inputs":[[1,2,3,4],{"a":1}]}"#),
        (JSON, br#"{"inputs":[[1,2,"x",4]]}"#),
        (JSON, br#"{"inputs":{"sepal_length":[1]}}"#),
        (JSON, br#"{"inputs":[[1,2,3,4],[1,2,3,4],[1,2,3,4],[1,2,3,4]]}"#),
        (JSON, br#"{"dataframe_records":{"a":1}}"#),
        (JSON, br#"{"dataframe_records":[]}"#),
        (JSON, br#"{"dataframe_records":[[1,2,3,4]]}"#),
        (JSON, br#"{"dataframe_records":[{"a":1}]}"#),
        (
            JSON,
            br#"{"dataframe_records":[{"sepal_length":1,"sepal_length":1}]}"#,
        ),
        (JSON, br#"{"dataframe_split":[1]}"#),
        (JSON, br#"{"dataframe_split":{"columns":["a"]}}"#),
        (JSON, br#"{"dataframe_split":{"data":[[1,2,3,4]],"z":1}}"#),
        (JSON, br#"{"dataframe_split":{"data":[[1,2,3]]}}"#),
        (JSON, br#"{"dataframe_split":{"data":[[1,2,3,4]],"index":[1,2]}}"#),
        (
            JSON,
            br#"{"dataframe_split":{"data":[[1,2,3,4]],"columns":["a","b","c","d"]}}"#,
        ),
        (
            JSON,
            br#"{"dataframe_split":{"columns":[0,1,2],"data":[[1,2,3]]}}"#,
        ),
        (JSON, br#"{"dataframe_split":{"columns":"a","data":[]}}"#),
        (JSON, br#"{"dataframe_split":{"data":[1]}}"#),
        (JSON, br#"{"dataframe_split":{"data":{}}}"#),
        (CSV, b""),
        (CSV, b"a,b\n1,2\n"),
        (
            CSV,
            b"sepal_length,sepal_width,petal_length,petal_width\n1,2,3,x\n",
        ),
        (
            CSV,
            b"sepal_length,sepal_width,petal_length,petal_width\n1,2,3,inf\n",
        ),
        (
            CSV,
            b"sepal_length,sepal_width,petal_length,petal_width\n1,2,3,4,5\n",
        ),
        (CSV, b"a,\xff\n"),
        ("text/plain", b"x"),
        ("application/vnd.apache.parquet", b"PAR1"),
        ("application/json; charset=latin-1", b"{}"),
        ("application/json; format=pandas-split", b"{}"),
        (JSON, long.as_bytes()),
    ] {
        let answer = invoke(&mut client, kind, body);
        let (words, message) = (
            answer.json(),
            answer.json()["message"].as_str().unwrap().to_owned(),
        );
        assert_eq!(words.as_object().unwrap().len(), 2, "{words}");
        let shown: String = String::from_utf8_lossy(body).chars().take(90).collect();
        texts += &format!(
            "{kind} {shown:?}\n  {} {} {message}\n",
            answer.status,
            words["error_code"].as_str().unwrap()
        );
    }
    insta::assert_snapshot!(texts);
}

#[test]
fn paths_and_methods() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let mut texts = String::new();
    for (method, path, headers, body) in [
        ("GET", "/ping", "", ""),
        ("POST", "/ping", "", ""),
        ("GET", "/version", "", ""),
        ("POST", "/version", "", ""),
        ("PUT", "/ping", "", ""),
        ("GET", "/invocations", "", ""),
        ("POST", "/invocations/", "", "{}"),
        ("POST", "/invocations", "", "{}"),
        (
            "POST",
            "/invocations",
            "content-type: application/json\r\ncontent-encoding: gzip\r\n",
            "\u{1f}\u{8b}",
        ),
    ] {
        let answer = client.send(method, path, headers, body.as_bytes());
        texts += &format!("{method} {path}\n{}\n\n", answer.text());
    }
    insta::assert_snapshot!(texts);
}

#[test]
fn about_to_stop() {
    let directory = fixture::directory();
    let mut server = Server::start(directory.path(), &["--drain-seconds", "1"]);
    assert_eq!(server.client().get("/ping").body, "\n");
    server.terminate();
    eventually("denied", || {
        let answer = server.client().get("/ping");
        let denied = answer.status == 503;
        if denied {
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert_eq!(answer.json()["error_code"], "TEMPORARILY_UNAVAILABLE");
        }
        denied
    });
}

//! Inputs that are kept for labels: who gets them, in what form, and what is refused at the start.

use crate::{
    feedback::{feedback, predict},
    fixture,
    server::{Server, eventually},
};
use serde_json::json;
use std::{fs, net::TcpListener};

const TOKEN: &str = "a-token-of-some-length";

#[test]
fn labelled_rows_are_a_batch_of_the_dataset() {
    let directory = fixture::directory();
    let token = directory.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    let flags = [
        "--capture",
        "on",
        "--capture-token-file",
        token.to_str().unwrap(),
        "--capture-rows",
        "3",
    ];
    let server = Server::start(directory.path(), &flags);
    let mut client = server.client();
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    let get = |more: &str| {
        server
            .client()
            .send("GET", "/feedback/labelled", &format!("{bearer}{more}"), b"")
    };
    assert_eq!(
        get("").body,
        "sepal_length,sepal_width,petal_length,petal_width,species\n"
    );
    for (i, label) in ["setosa", "versicolor", "virginica", "setosa"].iter().enumerate() {
        let id = format!("r{i}");
        predict(&mut client, &id, &[[5.1, 3.5, i as f64, 0.2]]);
        feedback(&mut client, &json!({"request_id": id, "label": label}));
    }
    predict(&mut client, "unlabelled", &[[9.0; 4]]);
    // As float32, which is not the same number: it is written as it was sent.
    let body = json!({"inputs": [{"name": "features", "datatype": "FP32", "shape": [1, 4], "data": [0.1, 0.2, 0.3, 1e-7]}]});
    let sent = client.send(
        "POST",
        "/v2/models/iris-model/infer",
        "content-type: application/json\r\n",
        body.to_string().as_bytes(),
    );
    feedback(
        &mut client,
        &json!({"request_id": sent.header("x-request-id").unwrap(), "label": 2}),
    );
    let answer = get("");
    assert_eq!(
        answer.body,
        "sepal_length,sepal_width,petal_length,petal_width,species\n5.1,3.5,2.0,0.2,virginica\n5.1,3.5,3.0,0.2,setosa\n0.1,0.2,0.3,1e-7,virginica\n"
    );
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(answer.header("x-labelled-rows"), Some("3"));
    let digest = contract::sha256_hex(answer.body.as_bytes());
    let etag = answer.header("etag").unwrap();
    assert_eq!(etag, format!("\"{}\"", digest.trim_start_matches("sha256:")));
    assert!(answer.header("content-digest").unwrap().starts_with("sha-256=:"));
    let unchanged = {
        let mut client = server.client();
        let head =
            format!("GET /feedback/labelled HTTP/1.1\r\nhost: test\r\n{bearer}if-none-match: {etag}\r\n\r\n");
        client.write(head.as_bytes());
        client.read_without_body().unwrap()
    };
    assert_eq!(unchanged.status, 304);
    // Nobody else gets it, and another token is in force at once.
    for head in ["", "authorization: Bearer wrong-token-of-some-length\r\n"] {
        assert_eq!(client.send("GET", "/feedback/labelled", head, b"").status, 401);
    }
    fs::write(&token, "another-token-of-some-length").unwrap();
    assert_eq!(get("").status, 401);
}

#[test]
fn inputs_vanish_when_their_time_is_over() {
    let directory = fixture::directory();
    let flags = [
        "--capture",
        "on",
        "--api-keys",
        "trainer=a-secret",
        "--capture-hours",
        "0.0002",
    ];
    let server = Server::start(directory.path(), &flags);
    let get = |path: &str| server.client().send("GET", path, "x-api-key: a-secret\r\n", b"");
    let mut client = server.client();
    let key = "content-type: application/json\r\nx-api-key: a-secret\r\n";
    client.send("POST", "/predict", key, br#"{"features":[5.1,3.5,1.4,0.2]}"#);
    client.send(
        "POST",
        "/feedback",
        key,
        br#"{"request_id":"test","label":"setosa"}"#,
    );
    assert_eq!(get("/feedback/labelled").header("x-labelled-rows"), Some("1"));
    eventually("the row is gone", || {
        get("/feedback/labelled").header("x-labelled-rows") == Some("0")
    });
    assert_eq!(get("/drift/status").json()["performance"]["rows"], 1);
    assert_eq!(server.client().get("/feedback/labelled").status, 401);
}

#[test]
fn capture_is_off_unless_told_and_never_open() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    assert_eq!(server.client().get("/feedback/labelled").status, 404);
    let refused = |flags: &[&str]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Server::start_on(listener, false, directory.path(), flags);
        format!("{:#}", server.join().unwrap_err()).replace(directory.path().to_str().unwrap(), "MODEL")
    };
    insta::assert_snapshot!(refused(&["--capture", "on"]), @"--capture on (CAPTURE) keeps the inputs of requests, and nothing says who may read them: expected --capture-token-file (CAPTURE_TOKEN_FILE), --api-keys-file (API_KEYS_FILE) or --api-keys (API_KEYS)");
    let keys = ["--capture", "on", "--api-keys", "a-secret"];
    let with = |more: &[&str]| refused(&[&keys[..], more].concat());
    insta::assert_snapshot!(with(&["--capture-except", "petal_length,age"]), @r#"model MODEL is refused: --capture-except (CAPTURE_EXCEPT) names "age", expected features of the model: sepal_length, sepal_width, petal_length, petal_width"#);
    insta::assert_snapshot!(with(&["--feedback-rows", "0"]), @"--capture on (CAPTURE) with --feedback-rows 0 (FEEDBACK_ROWS): expected at least 1");
    let short = directory.path().join("short");
    fs::write(&short, "secret").unwrap();
    insta::assert_snapshot!(with(&["--capture-token-file", short.to_str().unwrap()]), @"--capture-token-file (CAPTURE_TOKEN_FILE) MODEL/short: expected at least 11 printable ASCII characters, no spaces");
}

#[test]
fn columns_that_are_never_kept_are_named() {
    let directory = fixture::directory();
    let flags = [
        "--capture",
        "on",
        "--api-keys",
        "k=a-secret",
        "--capture-except",
        "petal_length,sepal_width",
    ];
    let server = Server::start(directory.path(), &flags);
    let mut client = server.client();
    let key = "content-type: application/json\r\nx-api-key: a-secret\r\n";
    client.send("POST", "/predict", key, br#"{"features":[5.1,3.5,1.4,0.2]}"#);
    client.send(
        "POST",
        "/feedback",
        key,
        br#"{"request_id":"test","label":"setosa"}"#,
    );
    let answer = client.send("GET", "/feedback/labelled", "x-api-key: a-secret\r\n", b"");
    assert_eq!(
        answer.header("x-columns-never-kept"),
        Some("[\"sepal_width\",\"petal_length\"]")
    );
    assert_eq!(answer.body.lines().nth(1), Some("5.1,,,0.2,setosa"));
}

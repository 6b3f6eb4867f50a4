//! Slow, rude and numerous clients.

use crate::{
    client::Client,
    fixture,
    server::{Server, eventually},
};
use std::{
    io::Write,
    time::{Duration, Instant},
};

const ROW: &str = r#"{"features":[5.1,3.5,1.4,0.2]}"#;

fn head(length: usize) -> String {
    format!(
        "POST /predict HTTP/1.1\r\nhost: test\r\nx-request-id: test\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[test]
fn slow_bodies_and_heads_get_408() {
    let directory = fixture::directory();
    let server = Server::start(
        directory.path(),
        &[
            "--request-timeout-seconds",
            "0.2",
            "--header-timeout-seconds",
            "0.2",
        ],
    );
    let begun = Instant::now();
    let mut client = server.client();
    client.write(format!("{}{{\"feat", head(ROW.len())).as_bytes());
    let answer = client.read().unwrap();
    insta::assert_snapshot!(answer.text());
    assert!(client.is_closed());
    let mut client = server.client();
    client.write(b"POST /predict HTTP/1.1\r\nhost: te");
    let answer = client.read().unwrap();
    assert_eq!(
        answer.header("x-request-id"),
        answer.json()["request_id"].as_str()
    );
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (408, Some("request_timeout"))
    );
    assert!(client.is_closed());
    // A connection that never says anything is closed without a word.
    assert!(server.client().read().is_none());
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Bytes that come in time, however small the pieces, are a request.
    let mut client = server.client();
    for byte in format!("{}{ROW}", head(ROW.len())).bytes() {
        client.write(&[byte]);
    }
    assert_eq!(client.read().unwrap().status, 200);
}

#[test]
fn idle_connections_end() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--idle-timeout-seconds", "0.2"]);
    let mut client = server.client();
    assert_eq!(client.predict(ROW).status, 200);
    assert!(client.is_closed());
    eventually("only the asking connection is open", || {
        server
            .client()
            .get("/metrics")
            .body
            .contains("open_connections 1\n")
    });
}

#[test]
fn what_is_not_http_gets_json_too() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let long = "x".repeat(20_000);
    for (bytes, status, code) in [
        ("nonsense\r\n\r\n".to_owned(), 400, "malformed_request"),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400, "malformed_request"),
        (
            "GET /livez HTTP/1.1\r\nbad header\r\n\r\n".to_owned(),
            400,
            "malformed_request",
        ),
        (
            "POST /predict HTTP/1.1\r\ncontent-length: many\r\n\r\n".to_owned(),
            400,
            "malformed_request",
        ),
        (
            "GET /livez HTTP/1.1\r\n".to_owned() + &"a: b\r\n".repeat(101) + "\r\n",
            431,
            "headers_too_large",
        ),
        (
            format!("GET /livez HTTP/1.1\r\nx: {long}\r\n\r\n"),
            431,
            "headers_too_large",
        ),
    ] {
        let mut client = server.client();
        client.write(bytes.as_bytes());
        let answer = client.read().unwrap();
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (status, Some(code)),
            "{answer:?}"
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(
            answer.header("x-request-id"),
            answer.json()["request_id"].as_str()
        );
        assert!(client.is_closed());
    }
    // After an answer of our own on the same connection as well.
    let mut client = server.client();
    assert_eq!(client.get("/docs").status, 200);
    client.write(b"nonsense\r\n\r\n");
    assert_eq!(client.read().unwrap().json()["code"], "malformed_request");
}

#[test]
fn bodies_in_any_form() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--max-body-bytes", "64"]);
    let mut client = server.client();
    let chunked = "POST /predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    client
        .write(format!("{chunked}5\r\n{{\"fea\r\n19\r\ntures\":[5.1,3.5,1.4,0.2]}}\r\n0\r\n\r\n").as_bytes());
    assert_eq!(client.read().unwrap().status, 200);
    // Too large without having said so: read to the end, refused, and the connection goes on.
    let piece = format!("64\r\n{}\r\n", " ".repeat(100));
    client.write(format!("{chunked}{}0\r\n\r\n", piece.repeat(2000)).as_bytes());
    let answer = client.read().unwrap();
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (413, Some("body_too_large"))
    );
    assert_eq!(client.predict(ROW).status, 200);
    // Who asks first is not sent a hundred-continue for what would be refused.
    client.write(b"POST /predict HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 65\r\n\r\n");
    assert_eq!(client.read().unwrap().status, 413);
    // A chunk that is none.
    let mut client = server.client();
    client.write(format!("{chunked}zz\r\n").as_bytes());
    let answer = client.read().unwrap();
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (400, Some("malformed_request"))
    );
}

#[test]
fn too_many_requests_are_refused_at_once() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--max-concurrent-requests", "2"]);
    let mut slow: Vec<Client> = (0..2).map(|_| server.client()).collect();
    for client in &mut slow {
        client.write(head(ROW.len()).as_bytes());
    }
    let mut client = server.client();
    eventually("two requests are in flight", || {
        client.get("/metrics").body.contains("requests_in_flight 2\n")
    });
    let refused = client.predict(ROW);
    insta::assert_snapshot!(refused.text());
    assert_eq!(client.get("/readyz").status, 200, "probes need no permit");
    for client in &mut slow {
        client.write(ROW.as_bytes());
        assert_eq!(client.read().unwrap().status, 200);
    }
    assert_eq!(client.predict(ROW).status, 200);
}

#[test]
fn too_many_connections_are_refused() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--max-connections", "3"]);
    eventually("the probe's connection is gone", || {
        server
            .client()
            .get("/metrics")
            .body
            .contains("open_connections 1\n")
    });
    let mut held: Vec<Client> = Vec::new();
    eventually("three are open", || {
        held.clear();
        held.extend((0..3).map(|_| server.client()));
        held.iter_mut().all(|client| {
            client.write(b"GET /livez HTTP/1.1\r\nhost: test\r\n\r\n");
            client.read().is_some_and(|answer| answer.status == 200)
        })
    });
    let answer = server.client().read().unwrap();
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (503, Some("overloaded"))
    );
    drop(held.pop());
    eventually("there is room again", || {
        let mut client = server.client();
        client
            .0
            .write_all(b"GET /livez HTTP/1.1\r\nhost: test\r\n\r\n")
            .is_ok()
            && client.read().is_some_and(|answer| answer.status == 200)
    });
}

#[test]
fn a_client_that_hangs_up_is_counted_and_harms_nobody() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    for _ in 0..20 {
        server
            .client()
            .write(format!("{}{{\"feat", head(ROW.len())).as_bytes());
    }
    let mut client = server.client();
    eventually("all are noticed", || {
        let text = client.get("/metrics").body;
        let count = |code: &str| -> u64 {
            let line = format!("prediction_errors_total{{protocol=\"predict\",code=\"{code}\"}} ");
            text.lines()
                .find_map(|l| l.strip_prefix(line.as_str()))
                .unwrap()
                .parse()
                .unwrap()
        };
        count("client_closed") + count("malformed_request") == 20 && text.contains("requests_in_flight 0\n")
    });
    assert_eq!(client.predict(ROW).status, 200);
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let one = format!("{}{ROW}", head(ROW.len()));
    client.write(one.as_bytes());
    assert_eq!(client.read().unwrap().status, 200);
    // Two at once: the answers may come in one packet, so they are counted in the raw text.
    client.write(
        format!(
            "{one}{}",
            one.replace("host: test", "host: test\r\nconnection: close")
        )
        .as_bytes(),
    );
    let mut text = String::new();
    std::io::Read::read_to_string(&mut client.0, &mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
}

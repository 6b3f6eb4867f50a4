//! What stands before the model: keys, rates, origins, headers, the admin port.

use crate::{
    client::{Answer, Client, EVERY_ANSWER},
    fixture,
    server::{Server, eventually},
};
use std::{
    fs,
    io::Write,
    time::{Duration, Instant},
};

pub const ROW: &str = r#"{"features":[5.1,3.5,1.4,0.2]}"#;

pub fn code(answer: &Answer) -> (u16, String) {
    (
        answer.status,
        answer.json()["code"].as_str().unwrap_or("").to_owned(),
    )
}

pub fn predict_with(client: &mut Client, headers: &str) -> Answer {
    let headers = format!("content-type: application/json\r\n{headers}");
    client.send("POST", "/predict", &headers, ROW.as_bytes())
}

pub fn refused(word: &str, status: u16) -> (u16, String) {
    (status, word.to_owned())
}

#[test]
fn a_key_is_asked_for_everywhere_but_where_machines_and_people_look_first() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--api-keys", "ada=secret-one,secret-two"]);
    let mut client = server.client();
    for path in [
        "/health",
        "/livez",
        "/readyz",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/drift",
    ] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    for (method, path) in [
        ("POST", "/predict"),
        ("GET", "/predict"),
        ("GET", "/model/info"),
        ("GET", "/drift/status"),
        ("GET", "/drift/report"),
        ("GET", "/"),
        ("GET", "/nothing"),
        ("GET", "/livez/"),
        ("OPTIONS", "/predict"),
    ] {
        let answer = client.send(method, path, "", b"");
        assert_eq!(code(&answer), refused("unauthorized", 401), "{method} {path}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"inference-api\"")
        );
        let known = client.send(method, path, "x-api-key: secret-two\r\n", b"");
        assert_ne!(known.status, 401, "{method} {path}");
    }
    for (headers, status) in [
        ("x-api-key: secret-one\r\n", 200),
        ("X-API-KEY: secret-two\r\n", 200),
        ("authorization: Bearer secret-one\r\n", 200),
        ("authorization: bearer secret-one\r\n", 200),
        ("authorization: Basic c2VjcmV0LW9uZQ==\r\n", 401),
        ("x-api-key: secret-onf\r\n", 401),
        ("x-api-key: \r\n", 401),
        ("x-api-key: ada=secret-one\r\n", 401),
        // The header is what counts where both are there.
        ("x-api-key: wrong\r\nauthorization: Bearer secret-one\r\n", 401),
    ] {
        assert_eq!(predict_with(&mut client, headers).status, status, "{headers}");
    }
}

#[test]
fn without_a_key_no_body_is_waited_for() {
    let directory = fixture::directory();
    let flags = ["--api-keys", "secret", "--request-timeout-seconds", "20"];
    let server = Server::start(directory.path(), &flags);
    let mut client = server.client();
    let begun = Instant::now();
    client.write(b"POST /predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{");
    let answer = client.read().unwrap();
    assert_eq!(code(&answer), refused("unauthorized", 401));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    // The rest is read for a while, so that the answer is not lost to a reset, and then no more.
    client.write(&[b' '; 50_000]);
    assert!(client.is_closed());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // A body that came with its head costs nobody the connection.
    let mut client = server.client();
    for _ in 0..3 {
        assert_eq!(client.predict(ROW).status, 401);
    }
    assert_eq!(predict_with(&mut client, "x-api-key: secret\r\n").status, 200);
}

#[test]
fn what_no_protocol_takes_is_refused_before_its_body() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--name", "iris"]);
    for path in ["/predict", "/v2/models/iris/infer", "/invocations"] {
        let mut client = server.client();
        let asked = Instant::now();
        // A body is announced and never sent.
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-encoding: gzip\r\ncontent-length: 1000\r\n\r\n"
        );
        client.0.write_all(head.as_bytes()).unwrap();
        assert_eq!(client.read().unwrap().status, 415, "{path}");
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "{path}: {:?}",
            asked.elapsed()
        );
    }
}

#[test]
fn keys_are_read_again_without_a_restart() {
    let directory = fixture::directory();
    let path = directory.path().join("keys");
    fs::write(&path, "# who\nada=old\n").unwrap();
    let server = Server::start(directory.path(), &["--api-keys-file", path.to_str().unwrap()]);
    let mut client = server.client();
    let mut status = |key: &str| predict_with(&mut client, &format!("x-api-key: {key}\r\n")).status;
    assert_eq!((status("old"), status("new")), (200, 401));
    // A broken file changes nothing.
    fs::write(&path, "not a key\n").unwrap();
    // Two looks at the file: that nothing happens takes its time.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!((status("old"), status("new")), (200, 401));
    // As Kubernetes does it: another file in the place of the old one.
    let next = directory.path().join("next");
    fs::write(&next, format!("grace={}\n", contract::sha256_hex(b"new"))).unwrap();
    fs::rename(&next, &path).unwrap();
    eventually("the new keys count", || status("new") == 200);
    assert_eq!(status("old"), 401);
}

#[test]
fn a_key_has_a_rate_and_an_address_has_one() {
    let directory = fixture::directory();
    let flags = [
        "--api-keys",
        "ada=one,bob=two",
        "--rate-limit-per-s",
        "0.1",
        "--rate-limit-burst",
        "3",
    ];
    let server = Server::start(directory.path(), &flags);
    let mut client = server.client();
    for _ in 0..3 {
        assert_eq!(predict_with(&mut client, "x-api-key: one\r\n").status, 200);
    }
    let limited = predict_with(&mut client, "x-api-key: one\r\n");
    assert_eq!(code(&limited), refused("rate_limited", 429));
    let wait: u32 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(
        predict_with(&mut client, "x-api-key: two\r\n").status,
        200,
        "another key"
    );
    // Guessing is no faster than asking.
    for _ in 0..3 {
        assert_eq!(predict_with(&mut client, "x-api-key: guess\r\n").status, 401);
    }
    assert_eq!(predict_with(&mut client, "x-api-key: guess\r\n").status, 429);
    assert_eq!(predict_with(&mut client, "x-api-key: two\r\n").status, 200);
    for _ in 0..20 {
        assert_eq!(client.get("/readyz").status, 200, "probes have no rate");
    }
}

#[test]
fn addresses_behind_a_trusted_proxy_are_told_apart() {
    let directory = fixture::directory();
    let limit = ["--rate-limit-per-s", "0.01", "--rate-limit-burst", "1"];
    let from = |client: &mut Client, address: &str| {
        predict_with(client, &format!("x-forwarded-for: {address}\r\n")).status
    };
    // Nobody's word is taken for it.
    let server = Server::start(directory.path(), &limit);
    let mut client = server.client();
    assert_eq!(
        (from(&mut client, "192.0.2.1"), from(&mut client, "192.0.2.2")),
        (200, 429)
    );
    let flags = [&limit[..], &["--trusted-proxy-hops", "1"]].concat();
    let server = Server::start(directory.path(), &flags);
    let mut client = server.client();
    assert_eq!(
        (from(&mut client, "192.0.2.1"), from(&mut client, "192.0.2.2")),
        (200, 200)
    );
    assert_eq!(
        from(&mut client, "203.0.113.9, 192.0.2.1"),
        429,
        "the proxy's word counts"
    );
}

#[test]
fn every_answer_has_its_security_headers() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--api-keys", "one"]);
    let mut client = server.client();
    let mut answers = vec![
        client.get("/livez"),
        client.get("/nothing"),
        client.predict(ROW),
        predict_with(&mut client, "x-api-key: one\r\n"),
        client.get("/metrics"),
    ];
    client.write(b"nonsense\r\n\r\n");
    answers.push(client.read().unwrap());
    for answer in &answers {
        let found = EVERY_ANSWER.map(|name| answer.header(name).unwrap_or("").to_owned());
        assert_eq!(
            found,
            ["nosniff", "no-referrer", "DENY", "no-store"],
            "{answer:?}"
        );
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("vary"), None);
    }
}

#[test]
fn the_page_may_have_its_own_style_and_nothing_else() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let page = server.client().get("/docs");
    let policy = page.header("content-security-policy").unwrap();
    let style = page
        .body
        .split("<style>")
        .nth(1)
        .unwrap()
        .split("</style>")
        .next()
        .unwrap();
    assert!(
        style.len() > 100 && !page.body.contains(" style="),
        "styles in one place"
    );
    let digest = sha256_base64(style.as_bytes());
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    );
    assert_eq!(page.header("cache-control"), None);
}

/// SHA-256 in base64.
fn sha256_base64(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let hex = contract::sha256_hex(bytes);
    let hex = hex.strip_prefix("sha256:").unwrap();
    let bytes: Vec<u8> = (0..32)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    STANDARD.encode(bytes)
}

#[test]
fn origins_are_let_in_by_name() {
    let directory = fixture::directory();
    let flags = [
        "--api-keys",
        "one",
        "--cors-allow-origin",
        "https://a.example",
        "--cors-allow-origin",
        "http://localhost:3000",
    ];
    let server = Server::start(directory.path(), &flags);
    let mut client = server.client();
    let ask = |client: &mut Client, origin: &str| {
        let headers = format!(
            "origin: {origin}\r\naccess-control-request-method: POST\r\naccess-control-request-headers: content-type,x-api-key\r\n"
        );
        client.write(format!("OPTIONS /predict HTTP/1.1\r\nhost: test\r\n{headers}\r\n").as_bytes());
        client.read_without_body().unwrap()
    };
    // Asked without a key: browsers do not send one here.
    let answer = ask(&mut client, "https://a.example");
    assert_eq!(answer.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", Some("https://a.example")),
        ("access-control-allow-methods", Some("GET, POST")),
        ("access-control-max-age", Some("600")),
        ("access-control-allow-credentials", None),
        ("vary", Some("origin")),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let allowed = answer.header("access-control-allow-headers").unwrap();
    for name in ["content-type", "x-api-key", "authorization"] {
        assert!(allowed.split(", ").any(|allowed| allowed == name), "{allowed}");
    }
    let stranger = client.send(
        "OPTIONS",
        "/predict",
        "origin: https://b.example\r\naccess-control-request-method: POST\r\n",
        b"",
    );
    assert_eq!(stranger.status, 401);
    for (origin, allowed) in [
        ("https://a.example", true),
        ("http://localhost:3000", true),
        ("https://a.example:444", false),
        ("https://b.example", false),
        ("null", false),
    ] {
        for headers in ["", "x-api-key: one\r\n"] {
            let answer = predict_with(&mut client, &format!("origin: {origin}\r\n{headers}"));
            let found = answer.header("access-control-allow-origin");
            assert_eq!(found, allowed.then_some(origin), "{answer:?}");
            assert_eq!(answer.header("vary"), Some("origin"));
        }
    }
    let server = Server::start(directory.path(), &["--cors-allow-origin", "*"]);
    let answer = predict_with(&mut server.client(), "origin: https://b.example\r\n");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("vary"), None);
}

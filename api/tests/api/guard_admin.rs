//! The port aside for probes and metrics, and what keeps a process from starting.

use crate::{
    client::Client,
    fixture,
    guard::{ROW, code, predict_with, refused},
    server::{Server, eventually},
};
use inference_api::Sockets;
use std::{fs, io::Read, net::TcpListener, time::Duration};

#[test]
fn an_admin_port_has_probes_and_metrics_and_nothing_else() {
    let directory = fixture::directory();
    let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = listener();
    let admin_address = admin.local_addr().unwrap();
    let sockets = Sockets {
        service: listener(),
        shared: false,
        probe: None,
        grpc: None,
        admin: Some(admin),
        replicas: None,
    };
    let server = Server::start_with(
        sockets,
        directory.path(),
        &["--api-keys", "one", "--max-connections", "2"],
    );
    server.wait_ready();
    let mut client = server.client();
    assert_eq!(predict_with(&mut client, "x-api-key: one\r\n").status, 200);
    let key = "x-api-key: one\r\n";
    assert_eq!(client.send("GET", "/metrics", key, b"").status, 404);
    for path in ["/health", "/livez", "/readyz"] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    // Clients that take all connections do not lock the scraper out.
    let mut held = Vec::new();
    eventually("the service is full", || {
        let mut another = server.client();
        another
            .0
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let full = another.0.read(&mut [0; 12]).is_ok_and(|read| read > 0);
        held.push(another);
        full
    });
    let mut admin = Client::connect(admin_address);
    for path in ["/health", "/livez", "/readyz", "/metrics"] {
        assert_eq!(admin.get(path).status, 200, "{path}");
    }
    assert!(
        admin
            .get("/metrics")
            .body
            .contains("prediction_requests_total{protocol=\"predict\"} 1\n")
    );
    for path in [
        "/model/info",
        "/docs",
        "/openapi.json",
        "/drift/status",
        "/nothing",
    ] {
        assert_eq!(
            code(&admin.send("GET", path, key, b"")),
            refused("not_found", 404),
            "{path}"
        );
    }
    assert_eq!(admin.predict(ROW).status, 404);
}

#[test]
fn what_cannot_guard_does_not_start() {
    let directory = fixture::directory();
    let missing = directory.path().join("missing");
    let broken = directory.path().join("broken");
    fs::write(&broken, "ada=secret\nada=secret-two\n").unwrap();
    for (flags, why) in [
        (
            ["--api-keys", "a=one,b=o ne"],
            "--api-keys (API_KEYS): item 2: the key has",
        ),
        (["--api-keys-file", missing.to_str().unwrap()], "cannot read "),
        (
            ["--api-keys-file", broken.to_str().unwrap()],
            "line 2: the name is that of line 1",
        ),
        (
            ["--cors-allow-origin", "a.example"],
            "--cors-allow-origin (CORS_ALLOW_ORIGIN) is \"a.example\", expected",
        ),
    ] {
        let mut server = Server::start_on(
            TcpListener::bind("127.0.0.1:0").unwrap(),
            false,
            directory.path(),
            &flags,
        );
        let error = format!("{:#}", server.join().unwrap_err());
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("secret") && !error.contains("o ne"), "{error}");
    }
}

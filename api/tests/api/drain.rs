//! SIGTERM's effects: nobody who asks politely loses an answer.

use crate::{
    fixture,
    server::{Server, eventually},
};
use inference_api::Sockets;
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};
use traffic::{Load, Target};

const ROW: &str = r#"{"features":[5.1,3.5,1.4,0.2]}"#;

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn handover_between_two_that_share_a_socket_loses_nothing() {
    let old_directory = fixture::directory();
    let new_directory = fixture::directory_with(|manifest| manifest.model_version = Some(4));
    let shared = listener();
    let flags = ["--drain-seconds", "1"];
    let mut old = Server::start_on(shared.try_clone().unwrap(), true, old_directory.path(), &flags);
    old.wait_ready();
    let target = Target::post(old.address, "/predict", ROW);
    let load = Load::open(1_000.0, 16).start(&target).unwrap();
    eventually("traffic flows", || load.report().ok > 300);
    let (probe, probe_address) = probe();
    let new = Server::start_with(
        Sockets {
            service: shared.try_clone().unwrap(),
            shared: true,
            probe: Some(probe),
            grpc: None,
            admin: None,
            replicas: None,
        },
        new_directory.path(),
        &flags,
    );
    eventually("the new one is ready", || {
        crate::client::Client::connect(probe_address)
            .get("/readyz")
            .status
            == 200
    });
    old.terminate();
    old.join().unwrap();
    let handed = load.report().versions.get("4").map_or(0, |seen| seen.count);
    eventually("the new one alone answers", || {
        load.report().versions["4"].count > handed + 300
    });
    let report = load.stop();
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    assert!(report.versions["3"].last_s < report.versions["4"].last_s);
    drop(new);
}

fn probe() -> (TcpListener, std::net::SocketAddr) {
    let probe = listener();
    let address = probe.local_addr().unwrap();
    (probe, address)
}

#[test]
fn alone_it_goes_on_accepting_until_the_period_is_over() {
    let directory = fixture::directory();
    let mut server = Server::start(directory.path(), &["--drain-seconds", "1"]);
    let target = Target::post(server.address, "/predict", ROW);
    let load = Load::open(500.0, 8).start(&target).unwrap();
    eventually("traffic flows", || load.report().ok > 100);
    let mut open = server.client();
    assert_eq!(open.get("/readyz").header("connection"), None);
    let begun = Instant::now();
    server.terminate();
    eventually("readiness is denied", || {
        server.client().get("/readyz").status == 503
    });
    let readiness = server.client().get("/readyz");
    insta::assert_snapshot!(readiness.text());
    assert_eq!(server.client().get("/livez").status, 200);
    let answer = open.predict(ROW);
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(open.is_closed());
    eventually("half of the period is over", || {
        begun.elapsed() > Duration::from_millis(500)
    });
    let report = load.stop();
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    server.join().unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(
        std::net::TcpStream::connect(server.address).is_err(),
        "the socket is closed"
    );
}

#[test]
fn requests_in_flight_are_finished_and_idle_connections_closed() {
    let directory = fixture::directory();
    let mut server = Server::start(directory.path(), &["--drain-seconds", "0.3"]);
    let mut idle = server.client();
    idle.get("/livez");
    let mut slow = server.client();
    slow.write(format!("POST /predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", ROW.len()).as_bytes());
    eventually("it is in flight", || {
        server
            .client()
            .get("/metrics")
            .body
            .contains("requests_in_flight 1\n")
    });
    server.terminate();
    // Closed by the server, and not before the period was over.
    let begun = Instant::now();
    assert!(idle.is_closed());
    assert!(
        begun.elapsed() >= Duration::from_millis(200),
        "{:?}",
        begun.elapsed()
    );
    slow.write(ROW.as_bytes());
    let answer = slow.read().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    server.join().unwrap();
}

#[test]
fn a_request_that_never_ends_does_not_hold_the_process() {
    let directory = fixture::directory();
    let mut server = Server::start(
        directory.path(),
        &["--drain-seconds", "0", "--drain-deadline-seconds", "0.2"],
    );
    let mut slow = server.client();
    slow.write(b"POST /predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: 30\r\n\r\n");
    eventually("it is in flight", || {
        server
            .client()
            .get("/metrics")
            .body
            .contains("requests_in_flight 1\n")
    });
    let begun = Instant::now();
    server.terminate();
    server.join().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_shared_socket_is_left_alone_until_the_model_answers() {
    let broken = fixture::directory_with(|manifest| manifest.golden_rows[0].prediction = 2.0);
    let shared = listener();
    let mut server = Server::start_on(shared.try_clone().unwrap(), true, broken.path(), &[]);
    let error = format!("{:#}", server.join().unwrap_err());
    assert!(error.contains("golden row 0: prediction is 0, was 2"), "{error}");
    // The connection waits in the backlog for somebody who can answer.
    let mut waiting = crate::client::Client::connect(shared.local_addr().unwrap());
    waiting.write(b"GET /livez HTTP/1.1\r\nhost: test\r\n\r\n");
    let directory = fixture::directory();
    let _server = Server::start_on(shared, true, directory.path(), &[]);
    assert_eq!(waiting.read().unwrap().status, 200);
}

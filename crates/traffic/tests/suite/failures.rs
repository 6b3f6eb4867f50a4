//! Every failure is seen, counted once, and never repaired in silence.

use crate::server::{Act, answer, start};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;
use traffic::{Connection, FailureKind, Limit, Load, Report, Target};

const BODY: &str = r#"{"features":[1,2]}"#;

fn one_by_one(count: u64, act: impl Fn(u64) -> Act + Send + Sync + 'static) -> (Report, u64, u64) {
    let server = start(act);
    let load = Load::closed(1, Limit::Requests(count)).timeout(Duration::from_millis(300));
    let report = load
        .start(&Target::post(server.address, "/predict", BODY))
        .unwrap()
        .wait();
    assert_eq!(report.sent, count);
    assert_eq!(report.ok + report.failed, count);
    assert_eq!(report.failed_by_kind.values().sum::<u64>(), report.failed);
    (
        report,
        server.requests.load(Ordering::SeqCst),
        server.connections.load(Ordering::SeqCst),
    )
}

fn only(report: &Report, kind: FailureKind) -> u64 {
    assert!(
        report.failures.iter().all(|failure| failure.kind == kind),
        "{:?}",
        report.failures
    );
    report.failed
}

#[test]
fn one_connection_serves_many_requests() {
    let (report, requests, connections) = one_by_one(500, |_| Act::Answer("7"));
    assert_eq!(
        (report.ok, report.failed, requests, connections),
        (500, 0, 500, 1)
    );
    assert_eq!(report.versions["7"].count, 500);
    assert!(report.latency.p50_ms > 0.0 && report.latency.p50_ms <= report.latency.max_ms);
}

#[test]
fn an_announced_close_is_no_failure() {
    let (report, requests, connections) = one_by_one(50, |_| Act::AnswerAndClose("1"));
    assert_eq!((report.ok, report.failed, requests, connections), (50, 0, 50, 50));
}

#[test]
fn a_silent_close_of_an_idle_connection_is_a_failure() {
    let (report, requests, _) = one_by_one(50, |_| Act::AnswerAndVanish("1"));
    // Every other request finds the connection gone and is not sent again.
    assert_eq!((report.ok, report.failed, requests), (25, 25, 25));
    let silent =
        |failure: &traffic::Failure| matches!(failure.kind, FailureKind::Closed | FailureKind::Reset);
    assert!(report.failures.iter().all(silent), "{:?}", report.failures);
}

#[test]
fn a_reset_is_a_failure() {
    let act = |n| if n % 4 == 3 { Act::Reset } else { Act::Answer("1") };
    let (report, requests, _) = one_by_one(20, act);
    assert_eq!((report.failed, requests), (5, 20));
    assert_eq!(only(&report, FailureKind::Reset), 5);
}

#[test]
fn a_cut_answer_is_a_failure() {
    let whole = answer("0123456789", "");
    for cut in [1, 20, whole.len() - 1] {
        let part = whole[..cut].to_vec();
        let (report, ..) = one_by_one(3, move |_| Act::RawAndClose(part.clone()));
        assert_eq!(only(&report, FailureKind::Closed), 3, "cut at {cut}");
        assert!(
            report.failures[0].detail.contains(&format!("after {cut} bytes")),
            "{:?}",
            report.failures
        );
    }
}

#[test]
fn a_slow_answer_is_a_failure_and_its_connection_is_left() {
    let slow = Act::Slow as fn(Duration) -> Act;
    let act = move |n| {
        if n == 1 {
            slow(Duration::from_millis(700))
        } else {
            Act::Answer("1")
        }
    };
    let (report, requests, connections) = one_by_one(4, act);
    assert_eq!(
        (only(&report, FailureKind::Timeout), requests, connections),
        (1, 4, 2)
    );
}

#[test]
fn dripping_does_not_hold_the_deadline_off() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let dripping = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = server.accept().unwrap();
        while stream.write_all(b"H").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let mut connection = Connection::open(address, Duration::from_millis(200)).unwrap();
    let result = connection
        .send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .map(|answer| answer.status);
    // "HHH" is not the beginning of an answer: what matters is that it ends, and as a failure.
    assert!(matches!(
        result.unwrap_err().kind,
        FailureKind::Timeout | FailureKind::Malformed
    ));
    drop(connection);
    dripping.join().unwrap();
}

#[test]
fn a_refused_connection_is_a_failure_of_its_request() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let report = Load::closed(2, Limit::Requests(10))
        .start(&Target::post(address, "/", BODY))
        .unwrap()
        .wait();
    assert_eq!((only(&report, FailureKind::Refused), report.sent), (10, 10));
}

#[test]
fn another_status_is_a_failure_and_keeps_the_connection() {
    let busy =
        || b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 18\r\n\r\n{\"code\":\"overload\"".to_vec();
    let act = move |n| {
        if n % 2 == 0 {
            Act::Raw(busy())
        } else {
            Act::Answer("1")
        }
    };
    let (report, _, connections) = one_by_one(10, act);
    assert_eq!((only(&report, FailureKind::Status), connections), (5, 1));
    assert!(
        report.failures[0].detail.starts_with("status 503: {"),
        "{:?}",
        report.failures[0]
    );
}

#[test]
fn what_is_not_http_is_a_failure() {
    let raw: [&[u8]; 5] = [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ];
    for bytes in raw {
        let (report, ..) = one_by_one(2, move |_| Act::RawAndClose(bytes.to_vec()));
        assert_eq!(
            only(&report, FailureKind::Malformed),
            2,
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn bodies_of_every_framing_are_read() {
    let cases: [(&[u8], &[u8], bool); 4] = [
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            b"hello",
            false,
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            b"hello",
            false,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello", true),
        (
            b"HTTP/1.1 204 No Content\r\nconnection: keep-alive, Close\r\n\r\n",
            b"",
            true,
        ),
    ];
    for (bytes, body, close) in cases {
        let server = start(move |_| {
            if close {
                Act::RawAndClose(bytes.to_vec())
            } else {
                Act::Raw(bytes.to_vec())
            }
        });
        let mut connection = Connection::open(server.address, Duration::from_secs(5)).unwrap();
        let request = &Target::get(server.address, "/").requests()[0];
        let answer = connection.send(request).unwrap();
        assert_eq!(
            (answer.body, answer.close),
            (body, close),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn failures_are_counted_exactly_and_kept_boundedly() {
    let act = |_| Act::Raw(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n".to_vec());
    let (report, ..) = one_by_one(1_000, act);
    assert_eq!((report.failed, report.failures.len()), (1_000, 100));
    assert!(report.failures.is_sorted_by(|a, b| a.at_s <= b.at_s));
}

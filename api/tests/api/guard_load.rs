//! Overload: who is let in is answered in time.

use crate::{fixture, server::Server};
use std::{path::Path, time::Duration};
use traffic::{FailureKind, Limit, Load, Report, Target};

/// Heavy enough that a few dozen connections are a queue.
const ROWS: usize = 2_000;
const CONNECTIONS: usize = 48;
const SECONDS: u64 = 4;

fn overload(model: &Path, shed_after_ms: &str) -> Report {
    let flags = ["--shed-after-ms", shed_after_ms, "--max-instances", "10000"];
    let server = Server::start(model, &flags);
    let rows = ["[5.1,3.5,1.4,0.2]"; ROWS].join(",");
    let target = Target::post(server.address, "/predict", format!("{{\"instances\":[{rows}]}}"));
    let load = |seconds| {
        let load = Load::closed(CONNECTIONS, Limit::Duration(Duration::from_secs(seconds)));
        load.timeout(Duration::from_secs(20))
            .start(&target)
            .unwrap()
            .wait()
    };
    // Until it is known that this is no burst, everybody is let in.
    load(2);
    load(SECONDS)
}

#[test]
fn admitted_requests_keep_their_latency_under_overload() {
    let directory = fixture::directory();
    let queued = overload(directory.path(), "0");
    assert_eq!(queued.failed, 0, "{:?}", queued.failures);
    let shed = overload(directory.path(), "10");
    println!(
        "all let in: {:.0} ok/s, p50 {:.0} ms, p99 {:.0} ms; shed: {:.0} ok/s and {} refused, p50 {:.0} ms, p99 {:.0} ms",
        queued.ok_per_s,
        queued.latency.p50_ms,
        queued.latency.p99_ms,
        shed.ok_per_s,
        shed.failed,
        shed.latency.p50_ms,
        shed.latency.p99_ms,
    );
    for failure in &shed.failures {
        assert_eq!(failure.kind, FailureKind::Status, "{failure:?}");
        assert!(
            failure
                .detail
                .starts_with("status 503: {\\\"code\\\":\\\"shedding\\\""),
            "{failure:?}"
        );
    }
    assert!(shed.failed > 0, "nothing was shed");
    assert!(shed.ok > 50, "next to nothing was let in");
    assert!(
        shed.latency.p50_ms < queued.latency.p50_ms / 2.0,
        "who was let in waited {} ms, and {} ms when all were",
        shed.latency.p50_ms,
        queued.latency.p50_ms
    );
    assert!(
        shed.latency.p99_ms < queued.latency.p99_ms,
        "{:?} {:?}",
        shed.latency,
        queued.latency
    );
}

#[test]
fn a_server_that_keeps_up_sheds_nothing() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let target = Target::post(server.address, "/predict", r#"{"features":[5.1,3.5,1.4,0.2]}"#);
    let load = Load::closed(16, Limit::Duration(Duration::from_secs(2)));
    let report = load.start(&target).unwrap().wait();
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    let metrics = server.client().get("/metrics").body;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("request_queueing_delay_seconds "));
    let delay_s: f64 = line.unwrap().parse().unwrap();
    assert!(delay_s > 0.0 && delay_s < 0.25, "{delay_s}");
}

//! Rates, limits, and what is said about versions.

use crate::server::{Act, start};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use traffic::{Limit, Load, Target};

#[test]
fn a_fixed_rate_is_kept() {
    let server = start(|_| Act::Answer("1"));
    let target = Target::post(server.address, "/predict", "{}");
    let load = Load::open(1_000.0, 8).limit(Limit::Duration(Duration::from_secs(1)));
    let report = load.start(&target).unwrap().wait();
    // Exactly 1,000 requests are due within the second; a busy machine may miss the last few.
    assert!((900..=1_000).contains(&report.ok), "{report:?}");
    assert_eq!(report.failed, 0);
    assert!((0.95..2.0).contains(&report.elapsed_s), "{}", report.elapsed_s);
}

#[test]
fn a_stall_is_caught_up_and_shows_in_the_latency() {
    let stall = Duration::from_millis(300);
    let server = start(move |n| {
        if n == 20 {
            Act::Slow(stall)
        } else {
            Act::Answer("1")
        }
    });
    let target = Target::post(server.address, "/predict", "{}");
    let load = Load::open(200.0, 1).limit(Limit::Requests(200));
    let report = load.start(&target).unwrap().wait();
    assert_eq!((report.ok, server.requests.load(Ordering::SeqCst)), (200, 200));
    // Some 60 requests were due during the stall: they waited too, although none was under way.
    assert!(
        report.latency.max_ms >= 299.0 && report.latency.p90_ms >= 50.0,
        "{:?}",
        report.latency
    );
    assert!(report.elapsed_s < 4.0, "{}", report.elapsed_s);
}

#[test]
fn versions_have_a_first_and_a_last_time() {
    let server = start(|n| Act::Answer(if n < 100 { "1" } else { "2" }));
    let target = Target::post(server.address, "/predict", "{}");
    let load = Load::open(500.0, 1).limit(Limit::Requests(200));
    let report = load.start(&target).unwrap().wait();
    let (old, new) = (report.versions["1"], report.versions["2"]);
    assert_eq!((old.count, new.count), (100, 100));
    assert!(old.first_s < old.last_s && old.last_s < new.first_s && new.first_s < new.last_s);
    assert!((0.15..1.0).contains(&new.first_s), "{new:?}");
    let silent = Load::closed(2, Limit::Requests(50))
        .label(None)
        .start(&target)
        .unwrap()
        .wait();
    assert!(silent.ok == 50 && silent.versions.is_empty());
}

#[test]
fn it_runs_in_the_background_until_stopped() {
    let server = start(|_| Act::Answer("1"));
    let target = Target::post(server.address, "/predict", "{}");
    let running = Load::closed(4, Limit::Stopped).start(&target).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while running.report().ok < 1_000 {
        assert!(Instant::now() < deadline && !running.is_finished());
        std::thread::yield_now();
    }
    let report = running.stop();
    assert!(report.ok >= 1_000 && report.failed == 0, "{report:?}");
    // Nothing more comes: what was read by the server is what was reported.
    assert_eq!(server.requests.load(Ordering::SeqCst), report.sent);

    let slow = Load::open(0.1, 2).start(&target).unwrap();
    let before = Instant::now();
    slow.stop();
    assert!(before.elapsed() < Duration::from_secs(2));
}

#[test]
fn bodies_come_in_a_cycle() {
    let server = start(|_| Act::Answer("1"));
    let bodies: Vec<String> = (0..3).map(|i| format!("[{i}]")).collect();
    let target = Target::cycle(server.address, "/predict", bodies);
    let report = Load::closed(1, Limit::Requests(7)).start(&target).unwrap().wait();
    assert_eq!(report.ok, 7);
    let seen = server.bodies.lock().unwrap().join(" ");
    assert_eq!(seen, "[0] [1] [2] [0] [1] [2] [0]");
}

#[test]
fn impossible_loads_are_refused() {
    let target = Target::get("127.0.0.1:9".parse().unwrap(), "/");
    let errors = [
        Load::closed(0, Limit::Stopped),
        Load::open(0.0, 1),
        Load::open(f64::NAN, 1),
        Load::open(f64::INFINITY, 1),
    ]
    .map(|load| load.start(&target).unwrap_err().to_string());
    assert_eq!(errors[0], "load has 0 connections, expected 1 to 10000");
    assert!(
        errors[1..]
            .iter()
            .all(|error| error.starts_with("load has a rate of ")),
        "{errors:?}"
    );
}

//! Rude clients, many at a time: what they cost is bounded, and the others do not notice.

use crate::{
    client::Client,
    fixture,
    process::Process,
    server::{Server, eventually},
};
use inference_api::process::raise_open_files;
use std::{
    collections::BTreeSet,
    io::Write,
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

const ROW: &str = r#"{"features":[5.1,3.5,1.4,0.2]}"#;

/// Connections that do nothing.
const IDLE: u64 = 10_000;

fn head(more: &str, length: usize) -> String {
    format!(
        "POST /predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n{more}content-length: {length}\r\n\r\n"
    )
}

#[test]
fn a_compressed_body_is_refused_before_it_is_read() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--request-timeout-seconds", "20"]);
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
        let begun = Instant::now();
        let mut client = server.client();
        // Ten bytes that would become ten gigabytes; the rest of them never comes.
        let bomb = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
        client.write(head(&format!("content-encoding: {coding}\r\n"), 10_000_000).as_bytes());
        client.write(&bomb);
        let answer = client.read().unwrap();
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (415, Some("unsupported_media_type")),
            "{coding}"
        );
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    assert_eq!(server.client().predict(ROW).status, 200);
}

#[test]
fn slow_heads_and_bodies_end_and_hurt_nobody() {
    let directory = fixture::directory();
    let flags = ["--header-timeout-seconds", "1", "--request-timeout-seconds", "1"];
    let server = Server::start(directory.path(), &flags);
    let begun = Instant::now();
    let mut slow: Vec<Client> = (0..200).map(|_| server.client()).collect();
    for (i, client) in slow.iter_mut().enumerate() {
        let head = head("", ROW.len());
        client.write(if i % 2 == 0 {
            &head.as_bytes()[..30]
        } else {
            head.as_bytes()
        });
    }
    let mut polite = server.client();
    let mut worst = Duration::ZERO;
    // A byte now and then does not put the deadline off.
    for _ in 0..20 {
        for client in &mut slow {
            let _ = client.0.write_all(b" ");
        }
        let asked = Instant::now();
        assert_eq!(polite.predict(ROW).status, 200);
        worst = worst.max(asked.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
    for client in &mut slow {
        let status = client.read().map(|answer| answer.status);
        assert!(matches!(status, None | Some(408)), "{status:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(worst < Duration::from_millis(500), "{worst:?}");
}

#[test]
fn ten_thousand_idle_connections_cost_bounded_memory() {
    let wanted = IDLE + 500;
    let limit = raise_open_files(wanted).unwrap_or(0);
    if limit < wanted {
        eprintln!("SKIPPED guard_clients: {limit} files may be open here, {wanted} are needed");
        return;
    }
    let directory = fixture::directory();
    let address = free_address();
    let process = Process::listening(directory.path(), address, &[("MAX_CONNECTIONS", "10400")]);
    let mut first = Client::connect(address);
    assert_eq!(first.predict(ROW).status, 200);
    let before = resident_kib(process.id());
    let begun = Instant::now();
    let mut idle: Vec<Client> = Vec::new();
    for _ in 0..IDLE {
        let mut client = Client::connect(address);
        assert_eq!(client.predict(ROW).status, 200);
        idle.push(client);
    }
    let opened = begun.elapsed();
    let each = (resident_kib(process.id()) - before) as f64 / IDLE as f64;
    let asked = Instant::now();
    for _ in 0..100 {
        assert_eq!(first.predict(ROW).status, 200);
    }
    let answered = asked.elapsed() / 100;
    println!(
        "{IDLE} idle connections: opened in {opened:?}, {each:.1} KiB each, one more request {answered:?}"
    );
    assert!(each < 24.0, "{each:.1} KiB for each idle connection");
    assert!(answered < Duration::from_millis(50), "{answered:?}");
    // One of the many still works, and all are given back.
    assert_eq!(idle[4711].predict(ROW).status, 200);
    drop(idle);
    eventually("all are gone", || {
        let text = Client::connect(address).get("/metrics").body;
        let open = text
            .lines()
            .find_map(|line| line.strip_prefix("open_connections "));
        open.unwrap().parse::<u32>().unwrap() < 10
    });
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn resident_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn who_hangs_up_amid_a_body_leaves_nothing_behind() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--api-keys", "one"]);
    for round in 0..300 {
        let key = ["", "x-api-key: one\r\n", "x-api-key: wrong\r\n"][round % 3];
        let mut client = server.client();
        client.write(format!("{}{{\"features\":[5.1,", head(key, 900_000)).as_bytes());
    }
    let mut client = server.client();
    eventually("all are noticed", || {
        let text = client.get("/metrics").body;
        text.contains("requests_in_flight 0\n") && text.contains("open_connections 1\n")
    });
    let answer = client.send(
        "POST",
        "/predict",
        "x-api-key: one\r\ncontent-type: application/json\r\n",
        ROW.as_bytes(),
    );
    assert_eq!(answer.status, 200);
}

#[test]
fn labels_are_a_closed_set_whatever_is_sent() {
    let directory = fixture::directory();
    let server = Server::start(
        directory.path(),
        &[
            "--api-keys",
            "ada=one",
            "--rate-limit-per-s",
            "50",
            "--rate-limit-burst",
            "5",
        ],
    );
    let series = |client: &mut Client| -> BTreeSet<String> {
        let text = client.get("/metrics").body;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
            .collect()
    };
    let mut client = server.client();
    let before = series(&mut client);
    let odd = [
        "/predict?label=odd-1",
        "/odd-2",
        "/metrics/odd-3",
        "/%6fdd-4",
        "/predict/../odd-5",
        "*",
        "http://odd-6/predict",
        "//odd-7",
    ];
    for (i, path) in odd.into_iter().enumerate() {
        for method in ["GET", "POST", "ODD-8", "OPTIONS", "TRACE", "PROPFIND"] {
            for key in ["one", "odd-9", "ada"] {
                let headers = format!(
                    "x-api-key: {key}\r\ncontent-type: odd/odd-{i}\r\norigin: odd-10\r\nuser-agent: odd-11\r\nx-forwarded-for: odd-12\r\nodd-13: odd-14\r\nx-request-id: odd-15\r\n"
                );
                let mut client = server.client();
                client.write(
                    format!("{method} {path} HTTP/1.1\r\nhost: odd-16\r\n{headers}connection: close\r\n\r\n")
                        .as_bytes(),
                );
                let answer = client.read().unwrap();
                assert!(
                    answer.status >= 400 && answer.json()["code"].is_string(),
                    "{answer:?}"
                );
            }
        }
    }
    for body in [ROW, "{\"odd-17\":1}", "odd-18"] {
        let headers = "x-api-key: one\r\ncontent-type: application/json\r\n";
        client.send("POST", "/predict", headers, body.as_bytes());
    }
    // The beginning of HTTP/2, which is not spoken here.
    server.client().write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(
        series(&mut client),
        before,
        "no series comes or goes with what is asked"
    );
    assert!(!client.get("/metrics").body.contains("odd"));
}

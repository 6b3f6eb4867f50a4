//! `/drift/events`: who is told what, for how long, and what it costs the others.

use crate::{
    client::Client,
    fixture, plain,
    server::{Server, eventually},
};
use serde_json::{Value, json};
use std::{
    io::Read,
    net::SocketAddr,
    time::{Duration, Instant},
};

const ROW: &str = r#"{"features":[5.1,3.5,1.4,0.2]}"#;
const MOST: usize = 64;

/// A stream, read as it comes.
struct Events {
    client: Client,
    head: String,
    /// Chunks put together, as far as they were not yet looked at.
    text: String,
    bytes: Vec<u8>,
    over: bool,
}

impl Events {
    fn open(address: SocketAddr, headers: &str) -> Events {
        let mut client = Client::connect(address);
        let request = format!("GET /drift/events HTTP/1.1\r\nhost: test\r\n{headers}\r\n");
        client.write(request.as_bytes());
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(client.0.read(&mut byte).unwrap(), 1, "the head ends early");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let (text, bytes, over) = (String::new(), Vec::new(), false);
        Events {
            client,
            head,
            text,
            bytes,
            over,
        }
    }

    /// Chunks that have come whole.
    fn unchunk(&mut self) {
        while let Some(end) = self.bytes.windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&self.bytes[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            if self.bytes.len() < end + 2 + size + 2 {
                return;
            }
            self.text += std::str::from_utf8(&self.bytes[end + 2..end + 2 + size]).unwrap();
            self.bytes.drain(..end + 2 + size + 2);
            self.over |= size == 0;
        }
    }

    /// The next event (name and data) or comment, within a time; none where the stream is over.
    fn next(&mut self, within: Duration) -> Option<(String, Value)> {
        let deadline = Instant::now() + within;
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let Some(event) = event.strip_prefix("event: ") else {
                    assert!(event.starts_with(':'), "{event:?}");
                    return Some((event, Value::Null));
                };
                let (name, data) = event.split_once("\ndata: ").unwrap();
                return Some((name.to_owned(), serde_json::from_str(data).unwrap()));
            }
            if self.over {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no event within {within:?}");
            self.client.0.set_read_timeout(Some(left)).unwrap();
            let mut piece = [0; 4096];
            let read = self.client.0.read(&mut piece).expect("an event in time");
            self.over |= read == 0;
            self.bytes.extend_from_slice(&piece[..read]);
            self.unchunk();
        }
    }

    /// The next event of a name.
    fn next_of(&mut self, name: &str) -> Value {
        loop {
            let (found, data) = self.next(Duration::from_secs(10)).expect("the stream goes on");
            if found == name {
                return data;
            }
        }
    }

    /// Whether the stream ends soon, as it should: with its last chunk.
    fn ends(mut self) -> bool {
        while self.next(Duration::from_secs(5)).is_some() {}
        self.over
    }
}

fn rows(first: usize, count: usize, shift: f64) -> String {
    let row = |i: usize| {
        let mut row = fixture::reference_row(i * 17 % fixture::REFERENCE_ROWS);
        row[2] += shift;
        row
    };
    json!({ "instances": (first..first + count).map(row).collect::<Vec<_>>() }).to_string()
}

fn status_of(server: &Server) -> Value {
    server.client().get("/drift/status").json()
}

#[test]
fn changes_are_told_as_they_come() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut events = Events::open(server.address, "");
    for header in [
        "content-type: text/event-stream\r\n",
        "cache-control: no-store\r\n",
        "x-accel-buffering: no\r\n",
        "transfer-encoding: chunked\r\n",
    ] {
        assert!(events.head.contains(header), "{header}: {}", events.head);
    }
    let model = status_of(&server)["model"].clone();
    assert!(model.is_string());
    assert_eq!(
        events.next(Duration::from_secs(5)).unwrap(),
        (
            "drift".to_owned(),
            json!({"model": model, "drift_detected": false, "episode": null})
        )
    );
    let begun = Instant::now();
    let mut client = server.client();
    let (mut windows, mut last) = (0, 0);
    for sent in 1..=40 {
        client.predict(&rows(3 * sent, 3, 0.0));
        std::thread::sleep(Duration::from_millis(10));
        if sent % 10 == 0 {
            let window = events.next_of("window");
            windows += 1;
            last = window["total"].as_u64().unwrap();
            assert_eq!(window["rows"], last.min(100));
            assert!(window["version"].is_u64());
        }
    }
    // The last state is told, however fast it came.
    while last < 120 {
        last = events.next_of("window")["total"].as_u64().unwrap();
        windows += 1;
    }
    assert_eq!(last, 120);
    let most = begun.elapsed().as_millis() / 250 + 2;
    assert!(windows <= most, "{windows} in {:?}", begun.elapsed());

    let begun = Instant::now();
    client.predict(&rows(0, 60, 4.0));
    let drift = events.next_of("drift");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let status = status_of(&server);
    assert_eq!(
        drift,
        json!({"model": model, "drift_detected": true, "episode": status["episode"]})
    );
    assert_eq!(drift["episode"]["open"], true);
    // Who comes later is told what is.
    assert_eq!(Events::open(server.address, "").next_of("drift"), drift);
}

#[test]
fn a_model_without_reference_never_drifts() {
    let server = Server::start(&plain::corpus("minmaxscaler_multi_f32"), &[]);
    let mut events = Events::open(server.address, "");
    let info = server.client().get("/model/info").json();
    assert_eq!(
        events.next_of("drift"),
        json!({"model": info["digests"]["model"], "drift_detected": false, "episode": null})
    );
}

#[test]
fn so_many_and_no_more_and_others_are_served() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--max-concurrent-requests", "1"]);
    let mut open: Vec<_> = (0..MOST)
        .map(|_| {
            let mut events = Events::open(server.address, "");
            events.next_of("drift");
            events
        })
        .collect();
    let mut client = server.client();
    let refused = client.get("/drift/events");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.json()["code"], "overloaded");
    // Streams are not requests in flight.
    assert_eq!(client.predict(ROW).status, 200);
    assert!(client.get("/metrics").body.contains("requests_in_flight 0\n"));
    for events in &mut open {
        assert_eq!(events.next_of("window")["total"], 1);
    }
    open.pop();
    eventually("a place is free again", || {
        let mut client = server.client();
        client.write(b"GET /drift/events HTTP/1.1\r\nhost: test\r\n\r\n");
        let mut first = [0; 12];
        client.0.read_exact(&mut first).unwrap();
        &first == b"HTTP/1.1 200"
    });
}

/// Fifteen seconds pass until there is a sign of life.
#[test]
fn no_time_out_cuts_it() {
    let directory = fixture::directory();
    let flags = [
        "--request-timeout-seconds",
        "0.2",
        "--idle-timeout-seconds",
        "0.2",
        "--header-timeout-seconds",
        "0.2",
    ];
    let server = Server::start(directory.path(), &flags);
    let mut events = Events::open(server.address, "");
    events.next_of("drift");
    let begun = Instant::now();
    let (comment, _) = events.next(Duration::from_secs(30)).unwrap();
    assert_eq!(comment, ": still there");
    assert!(begun.elapsed() > Duration::from_secs(14), "{:?}", begun.elapsed());
    server.client().predict(ROW);
    assert_eq!(events.next_of("window")["total"], 1);
}

#[test]
fn the_drain_ends_it() {
    let directory = fixture::directory();
    let mut server = Server::start(directory.path(), &["--drain-seconds", "2"]);
    let mut events = Events::open(server.address, "");
    events.next_of("drift");
    let mut open = server.client();
    open.get("/livez");
    let begun = Instant::now();
    server.terminate();
    assert!(events.ends());
    // At its begin: who follows has the whole period to find another replica.
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let refused = open.get("/drift/events");
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (503, &json!("draining"))
    );
    server.join().unwrap();
}

#[test]
fn who_does_not_read_holds_nobody_up() {
    let directory = fixture::directory();
    let mut server = Server::start(directory.path(), &["--drain-seconds", "0.1"]);
    let _deaf = Events::open(server.address, "");
    let mut client = server.client();
    for _ in 0..200 {
        assert_eq!(client.predict(&rows(0, 5, 0.0)).status, 200);
    }
    drop(client);
    let begun = Instant::now();
    server.terminate();
    server.join().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn the_connection_goes_on_where_it_can() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--idle-timeout-seconds", "2"]);
    let mut client = server.client();
    client.write(b"HEAD /drift/events HTTP/1.1\r\nhost: test\r\n\r\n");
    let head = client.read_without_body().unwrap();
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, Some("text/event-stream"))
    );
    assert_eq!(client.get("/livez").status, 200);
    // And idle it is idle again.
    let begun = Instant::now();
    assert!(client.is_closed());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn it_is_for_those_with_a_key() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--api-keys", "ada=secret"]);
    let mut client = server.client();
    for path in ["/drift/events", "/drift/report", "/drift/status"] {
        assert_eq!(client.get(path).status, 401, "{path}");
    }
    // What has no data needs none.
    assert_eq!(client.get("/drift").status, 200);
    let mut events = Events::open(server.address, "authorization: Bearer secret\r\n");
    assert_eq!(events.next_of("drift")["drift_detected"], false);
}

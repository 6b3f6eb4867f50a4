//! Several replicas, one answer.

use crate::{
    client::Client,
    fixture,
    server::{Server, eventually},
};
use drift::{Method, two_sample};
use inference_api::Sockets;
use serde_json::{Value, json};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

const TOKEN: &str = "a-token-of-some-length";

/// Sockets that replicas will find each other on, and the token they share.
struct Fleet {
    folder: TempDir,
    model: TempDir,
}

impl Fleet {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        fs::write(folder.path().join("peers"), "").unwrap();
        let model = fixture::directory();
        Fleet { folder, model }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Tells everybody where everybody is.
    fn list(&self, addresses: &[SocketAddr]) {
        let lines: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        fs::write(self.file("peers.new"), lines.join("\n")).unwrap();
        fs::rename(self.file("peers.new"), self.file("peers")).unwrap();
    }

    fn start_with(&self, model: &Path, more: &[&str]) -> (Server, SocketAddr) {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let replicas = bind();
        let address = replicas.local_addr().unwrap();
        let sockets = Sockets {
            service: bind(),
            shared: false,
            probe: None,
            grpc: None,
            admin: None,
            replicas: Some(replicas),
        };
        let (peers, token) = (self.file("peers"), self.file("token"));
        let flags = [
            "--drift-peers-file",
            peers.to_str().unwrap(),
            "--drift-token-file",
            token.to_str().unwrap(),
            "--drift-listen",
            "127.0.0.1:0",
            "--drift-exchange-seconds",
            "0.05",
        ];
        let flags: Vec<&str> = flags.into_iter().chain(more.iter().copied()).collect();
        let server = Server::start_with(sockets, model, &flags);
        server.wait_ready();
        (server, address)
    }

    fn start(&self) -> (Server, SocketAddr) {
        self.start_with(self.model.path(), &[])
    }
}

fn status(server: &Server) -> Value {
    server.client().get("/drift/status").json()
}

/// What must be the same on all replicas.
fn answer(server: &Server) -> Value {
    let mut status = status(server);
    let fields = status.as_object_mut().unwrap();
    fields.retain(|name, _| ["drift_detected", "samples", "features", "window"].contains(&name.as_str()));
    status
}

fn row(i: usize) -> [f64; 4] {
    fixture::reference_row(i * 31 % 47)
}

#[test]
fn all_replicas_give_the_answer_of_the_pooled_rows() {
    let fleet = Fleet::new();
    let (servers, addresses): (Vec<Server>, Vec<SocketAddr>) = (0..3).map(|_| fleet.start()).unzip();
    fleet.list(&addresses);
    let mut clients: Vec<Client> = servers.iter().map(Server::client).collect();
    // One after the other, so that their order is known; the newest 100 of 160 are the window.
    for i in 0..160 {
        clients[i * 7 % 3].predict(&json!({ "features": row(i) }).to_string());
    }
    eventually("all have all rows", || {
        servers.iter().all(|server| {
            let window = &status(server)["window"];
            window["total"] == 160 && window["rows"] == 100
        })
    });
    let answers: Vec<Value> = servers.iter().map(answer).collect();
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    for feature in 0..4 {
        let reference: Vec<f64> = (0..fixture::REFERENCE_ROWS)
            .map(|i| fixture::reference_row(i)[feature])
            .collect();
        let pooled: Vec<f64> = (60..160).map(|i| row(i)[feature]).collect();
        let expected = two_sample(&reference, &pooled, Method::Auto).unwrap();
        let found = &answers[0]["features"][format!("feature_{feature}")];
        assert_eq!(found["ks_stat"].as_f64(), Some(expected.statistic));
        assert_eq!(found["p_value"].as_f64(), Some(expected.p_value));
    }
    let replicas = &status(&servers[0])["replicas"];
    assert_eq!(
        (&replicas["merged"], &replicas["exchange"], &replicas["alone"]),
        (&json!(3), &json!(true), &json!(false)),
        "{replicas}"
    );
    assert_eq!(replicas["unreachable"], json!([]));
    assert!(
        clients[0]
            .get("/metrics")
            .body
            .contains("\ndrift_replicas_merged 3\n")
    );
}

#[test]
fn a_drift_seen_by_one_replica_is_one_episode_of_all() {
    let fleet = Fleet::new();
    let (servers, addresses): (Vec<Server>, Vec<SocketAddr>) = (0..2).map(|_| fleet.start()).unzip();
    fleet.list(&addresses);
    let rows: Vec<[f64; 4]> = (0..100).map(|_| [20.0, 20.0, 20.0, 20.0]).collect();
    servers[0]
        .client()
        .predict(&json!({ "instances": rows }).to_string());
    eventually("both have the episode", || {
        servers.iter().all(|server| {
            status(server)["episode"]["open"] == true && status(server)["drift_detected"] == true
        })
    });
    let episodes: Vec<Value> = servers
        .iter()
        .map(|server| status(server)["episode"].clone())
        .collect();
    assert_eq!(episodes[0]["number"], 1);
    eventually("they agree on when it was opened", || {
        status(&servers[0])["episode"] == status(&servers[1])["episode"]
    });
}

#[test]
fn the_window_is_handed_over() {
    let fleet = Fleet::new();
    let (first, first_address) = fleet.start();
    fleet.list(&[first_address]);
    let rows: Vec<[f64; 4]> = (0..120).map(row).collect();
    first.client().predict(&json!({ "instances": rows }).to_string());
    let before = answer(&first);
    let (second, second_address) = fleet.start();
    fleet.list(&[first_address, second_address]);
    eventually("the new one has the window", || answer(&second) == before);
    // What comes last is not lost with the replica that saw it.
    first.client().predict(&json!({ "features": row(3) }).to_string());
    drop(first);
    eventually("the last row too", || status(&second)["window"]["total"] == 121);
    fleet.list(&[second_address]);
    eventually("and nobody is missed", || {
        let replicas = &status(&second)["replicas"];
        replicas["unreachable"] == json!([]) && replicas["alone"] == false
    });
    // A replica of another model has nothing to do with it.
    let other = fixture::directory();
    let mut changed = fs::read(other.path().join("model.onnx")).unwrap();
    let threshold = 2.75_f32.to_le_bytes();
    let place = changed.windows(4).position(|bytes| bytes == threshold).unwrap();
    changed[place..place + 4].copy_from_slice(&2.625_f32.to_le_bytes());
    fs::write(other.path().join("model.onnx"), &changed).unwrap();
    let mut manifest = fixture::manifest();
    manifest.model_digest = contract::sha256_hex(&changed);
    fixture::write_manifest(other.path(), &manifest);
    let (third, third_address) = fleet.start_with(other.path(), &[]);
    fleet.list(&[second_address, third_address]);
    third.client().predict(&json!({ "features": row(5) }).to_string());
    eventually("it has asked", || {
        let replicas = &status(&third)["replicas"];
        replicas["unreachable"] == json!([]) && status(&third)["window"]["total"] == 1
    });
    assert_eq!(status(&second)["window"]["total"], 121);
}

#[test]
fn a_replica_that_is_cut_off_says_so_and_goes_on() {
    let fleet = Fleet::new();
    let (server, address) = fleet.start();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fleet.list(&[address, gone]);
    let rows: Vec<[f64; 4]> = (0..100).map(row).collect();
    server.client().predict(&json!({ "instances": rows }).to_string());
    eventually("it says so", || status(&server)["replicas"]["alone"] == true);
    let status = status(&server);
    assert_eq!(status["samples"], 100);
    let unreachable = &status["replicas"]["unreachable"][0];
    assert_eq!(unreachable["address"], gone.to_string());
    assert!(
        unreachable["error"].as_str().unwrap().contains("refused"),
        "{unreachable}"
    );
    assert!(
        server
            .client()
            .get("/metrics")
            .body
            .contains("\ndrift_replicas_unreachable 1\n")
    );
}

#[test]
fn rows_are_exchanged_with_those_who_know_the_token_alone() {
    let fleet = Fleet::new();
    let (server, address) = fleet.start();
    let ask = |address: SocketAddr, method: &str, token: &str, body: &str| {
        let head = format!("authorization: Bearer {token}\r\n");
        Client::connect(address).send(method, "/drift/exchange", &head, body.as_bytes())
    };
    for method in ["POST", "PUT"] {
        assert_eq!(ask(address, method, "a-token-of-some-lengtH", "").status, 401);
        assert_eq!(ask(address, method, "", "").status, 401);
        // With the token, what is no frame is refused by name and changes nothing.
        for body in [
            "",
            "12345678",
            "\u{2}\0\0\0\0\0\0\0{}",
            "\u{ff}\u{ff}\u{ff}\u{ff}",
        ] {
            let answer = ask(address, method, TOKEN, body);
            assert_eq!(
                (answer.status, answer.json()["code"].clone()),
                (400, json!("invalid_request"))
            );
        }
        // Nobody else's port knows of it, and this port knows nothing else.
        assert_eq!(ask(server.address, method, TOKEN, "").status, 404);
    }
    assert_eq!(Client::connect(address).get("/readyz").status, 404);
    assert_eq!(status(&server)["samples"], 0);
    let alone = Server::start(fleet.model.path(), &[]);
    assert_eq!(ask(alone.address, "POST", TOKEN, "").status, 404);
}

#[test]
fn the_window_outlives_a_restart() {
    let fleet = Fleet::new();
    let file = fleet.file("window");
    let flags = ["--drift-state-file", file.to_str().unwrap()];
    let mut server = Server::start(fleet.model.path(), &flags);
    let rows: Vec<[f64; 4]> = (0..70).map(|_| [20.0, 20.0, 20.0, 20.0]).collect();
    server.client().predict(&json!({ "instances": rows }).to_string());
    let before = answer(&server);
    let episode = status(&server)["episode"].clone();
    assert_eq!(episode["open"], true);
    server.terminate();
    server.join().unwrap();
    let server = Server::start(fleet.model.path(), &flags);
    assert_eq!(answer(&server), before);
    assert_eq!(status(&server)["episode"], episode);
    drop(server);
    // Half a file is no window, and no reason not to serve.
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let server = Server::start(fleet.model.path(), &flags);
    assert_eq!(status(&server)["samples"], 0);
}

#[test]
fn what_is_missing_is_said_at_the_start() {
    let fleet = Fleet::new();
    let refused = |flags: &[&str]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Server::start_on(listener, false, fleet.model.path(), flags);
        server.join().unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused(&["--drift-peers", "localhost:1"]), @"--drift-peers (DRIFT_PEERS) or --drift-peers-file (DRIFT_PEERS_FILE) is given without --drift-token-file (DRIFT_TOKEN_FILE): expected a file with a token that all replicas have");
    let short = fleet.file("short");
    fs::write(&short, "secret").unwrap();
    let error = refused(&["--drift-token-file", short.to_str().unwrap()]);
    insta::assert_snapshot!(error.replace(short.to_str().unwrap(), "FILE"), @"--drift-token-file (DRIFT_TOKEN_FILE) FILE: expected at least 11 printable ASCII characters, no spaces");
}

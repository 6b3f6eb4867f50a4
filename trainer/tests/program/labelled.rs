//! The loop where nobody drops files: an API answers drifting rows, is told what was right, and the trainer learns from it.

use crate::support::program::{Said, trainer_in};
use inference_api::{Config, Sockets, serve};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::oneshot;

const KEY: &str = "a-token-of-some-length";
const IRIS: &str = include_str!("../../data/iris.csv");

/// The real API on a port of its own, in a thread.
struct Api {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Api {
    fn start(model: &Path, flags: &[&str]) -> Api {
        let service = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = service.local_addr().unwrap();
        let given = [
            "inference-api",
            "--drain-seconds",
            "0.1",
            "--model",
            model.to_str().unwrap(),
        ];
        let config = Config::read(given.iter().chain(flags)).unwrap();
        let sockets = Sockets {
            service,
            shared: false,
            probe: None,
            grpc: None,
            admin: None,
            replicas: None,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(serve(config, sockets, async {
                let _ = stopped.await;
            }))
        });
        let api = Api {
            address,
            stop: Some(stop),
            thread: Some(thread),
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while api.send("GET", "/readyz", "x", "").0 != 200 {
            assert!(Instant::now() < deadline, "not ready within 20 s");
            std::thread::sleep(Duration::from_millis(10));
        }
        api
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn send(&self, method: &str, path: &str, id: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: {id}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    /// Asks about rows of a shifted world and tells what was right.
    fn labelled_traffic(&self, from: usize, count: usize) {
        let rows: Vec<&str> = IRIS.lines().skip(1).collect();
        for i in from..from + count {
            let cells: Vec<&str> = rows[i * 37 % rows.len()].split(',').collect();
            let features: Vec<f64> = cells[..4]
                .iter()
                .map(|cell| cell.parse::<f64>().unwrap() + 2.0)
                .collect();
            let id = format!("r{i}");
            let (status, said) = self.send(
                "POST",
                "/predict",
                &id,
                &json!({ "features": features }).to_string(),
            );
            assert_eq!(status, 200, "{said}");
            let label = json!({"request_id": id, "label": cells[4]}).to_string();
            let (status, said) = self.send("POST", "/feedback", "x", &label);
            assert_eq!(status, 200, "{said}");
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A data folder with the first batch, a model of it, and files with the key.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/batch-0001.csv"), IRIS).unwrap();
        fs::write(folder.path().join("key"), format!("{KEY}\n")).unwrap();
        let place = Place(folder);
        place
            .trainer(&["train", "--data", "data", "--out", "model", "--trees", "10"])
            .expect(0);
        place
    }

    fn trainer(&self, args: &[&str]) -> Said {
        trainer_in(self.0.path(), args, &[])
    }

    fn load(&self, api: &str, more: &[&str]) -> Said {
        let args = [
            "load",
            "--data",
            "data",
            "--run-dir",
            "run",
            "--from-api",
            api,
            "--api-key-file",
            "key",
        ];
        self.trainer(&[&args[..], more].concat())
    }

    fn api(&self, more: &[&str]) -> Api {
        let key = self.0.path().join("key");
        let flags = ["--capture", "on", "--capture-token-file", key.to_str().unwrap()];
        Api::start(&self.0.path().join("model"), &[&flags[..], more].concat())
    }

    fn batches(&self) -> Vec<String> {
        let files = fs::read_dir(self.0.path().join("data")).unwrap();
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn manifest(&self, of: &str) -> Value {
        let path = self.0.path().join(of).join("manifest.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }
}

#[test]
fn labels_close_the_loop() {
    let place = Place::new();
    let api = place.api(&[]);
    // Too few labels are no batch, and no reason not to go on.
    api.labelled_traffic(0, 5);
    let said = place.load(&api.url(), &[]).expect(0).json();
    assert_eq!(
        (&said["labelled"]["state"], &said["labelled"]["rows"]),
        (&json!("too-few"), &json!(5))
    );
    assert_eq!(place.batches(), ["batch-0001.csv"]);

    api.labelled_traffic(5, 115);
    let (_, status) = api.send("GET", "/drift/status", "x", "");
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["drift_detected"], true);
    assert_eq!(status["performance"]["rows"], 120);
    assert_eq!(status["performance"]["drift"], true, "{}", status["performance"]);

    let said = place.load(&api.url(), &[]).expect(0);
    assert!(!said.stdout.contains(KEY) && !said.stderr.contains(KEY));
    let said = said.json();
    let labelled = &said["labelled"];
    assert_eq!(
        (&labelled["state"], &labelled["rows"], &labelled["known_rows"]),
        (&json!("added"), &json!(120), &json!(0))
    );
    assert_eq!(labelled["from"], format!("{}/feedback/labelled", api.url()));
    let name = labelled["file"].as_str().unwrap().to_owned();
    assert_eq!(place.batches(), ["batch-0001.csv", &name]);
    let files = &said["dataset"]["files"];
    assert_eq!(
        (&files[1]["name"], &files[1]["digest"]),
        (&labelled["file"], &labelled["digest"])
    );
    let written = fs::read(place.0.path().join("data").join(&name)).unwrap();
    assert_eq!(labelled["digest"], contract::sha256_hex(&written));

    // Another model, of both batches; the shifted world is its drift reference.
    place
        .trainer(&["train", "--run-dir", "run", "--trees", "10"])
        .expect(0);
    let (before, after) = (place.manifest("model"), place.manifest("run/model"));
    assert_ne!(before["model_digest"], after["model_digest"]);
    assert_eq!(after["dataset"]["files"][1]["name"], name);
    assert_eq!(after["dataset"]["rows"], 270);
    assert_eq!(after["drift_reference"]["sources"], json!([name]));

    // The same again is there already; what came since is a batch without what was there.
    let said = place.load(&api.url(), &[]).expect(0).json();
    assert_eq!(
        (&said["labelled"]["state"], &said["labelled"]["known_rows"]),
        (&json!("already"), &json!(120))
    );
    assert_eq!(place.batches().len(), 2);
    api.labelled_traffic(120, 30);
    let said = place.load(&api.url(), &[]).expect(0).json();
    assert_eq!(
        (
            &said["labelled"]["state"],
            &said["labelled"]["rows"],
            &said["labelled"]["known_rows"]
        ),
        (&json!("added"), &json!(30), &json!(120))
    );
    assert_eq!(said["dataset"]["rows"], 300);
    assert_eq!(place.batches().len(), 3);
}

#[test]
fn what_cannot_be_a_batch_is_refused_and_leaves_no_file() {
    let place = Place::new();
    let refused = |said: Said, code: u8| {
        let reason = said.expect(code).json()["reason"].as_str().unwrap().to_owned();
        assert_eq!(place.batches(), ["batch-0001.csv"]);
        let address = reason.find("http://").map(|at| {
            let end = reason[at..]
                .find("/feedback")
                .map_or(reason.len(), |end| at + end);
            reason[at..end].to_owned()
        });
        address.map_or(reason.clone(), |address| reason.replace(&address, "API"))
    };
    let api = place.api(&[]);
    api.labelled_traffic(0, 40);
    fs::write(place.0.path().join("wrong"), "another-token-of-some-length").unwrap();
    let args = [
        "load",
        "--data",
        "data",
        "--run-dir",
        "run",
        "--from-api",
        &api.url(),
    ];
    let with = |more: &[&str]| place.trainer(&[&args[..], more].concat());
    insta::assert_snapshot!(refused(with(&["--api-key-file", "wrong"]), 10), @"cannot fetch API/feedback/labelled: it answered 401: expected --api-key-file (API_KEY_FILE) with the token of its CAPTURE_TOKEN_FILE, or with one of its API keys");
    insta::assert_snapshot!(refused(with(&["--api-key-file", "absent"]), 2), @"--api-key-file (API_KEY_FILE) absent: No such file or directory (os error 2)");
    let file = [
        "load",
        "--data",
        "data/batch-0001.csv",
        "--run-dir",
        "run",
        "--from-api",
        &api.url(),
    ];
    insta::assert_snapshot!(refused(place.trainer(&file), 2), @"--from-api (FROM_API) adds a batch to a folder: expected --data (DATA) to name one");
    // A folder of another schema.
    fs::create_dir(place.0.path().join("other")).unwrap();
    let other = IRIS.replacen("petal_width", "petal_weight", 1);
    fs::write(place.0.path().join("other/batch-0001.csv"), other).unwrap();
    let other = [
        "load",
        "--data",
        "other",
        "--run-dir",
        "run",
        "--from-api",
        &api.url(),
        "--api-key-file",
        "key",
    ];
    let said = place.trainer(&other).expect(10);
    assert!(
        said.stderr.contains("all files need one schema"),
        "{}",
        said.stderr
    );
    assert_eq!(fs::read_dir(place.0.path().join("other")).unwrap().count(), 1);
    drop(api);

    let never = place.api(&["--capture-except", "petal_width"]);
    never.labelled_traffic(0, 40);
    insta::assert_snapshot!(refused(place.load(&never.url(), &[]), 10), @"cannot fetch API/feedback/labelled: the API never keeps petal_width (CAPTURE_EXCEPT), and missing values are refused: expected --missing (MISSING) drop, mean or median");
    let said = place.load(&never.url(), &["--missing", "mean"]).expect(0).json();
    assert_eq!(said["labelled"]["state"], "added");
    fs::remove_file(
        place
            .0
            .path()
            .join("data")
            .join(said["labelled"]["file"].as_str().unwrap()),
    )
    .unwrap();
    drop(never);

    let off = Api::start(&place.0.path().join("model"), &[]);
    insta::assert_snapshot!(refused(place.load(&off.url(), &[]), 10), @"cannot fetch API/feedback/labelled: it answered 404: it keeps no inputs, expected CAPTURE=on there");
}

#[test]
fn bytes_that_are_not_what_their_digest_says_are_refused() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 4096];
        let read = stream.read(&mut asked).unwrap();
        let asked = String::from_utf8_lossy(&asked[..read]).to_lowercase();
        assert!(
            asked.contains(&format!("authorization: bearer {KEY}\r\n")),
            "{asked}"
        );
        let body = IRIS;
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-digest: sha-256=:AAAA:\r\n";
        write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let said = place.load(&url, &[]).expect(10);
    server.join().unwrap();
    assert!(said.stderr.contains("expected sha-256=:AAAA:"), "{}", said.stderr);
    assert_eq!(place.batches(), ["batch-0001.csv"]);
}

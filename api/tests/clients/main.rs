//! The protocols' own clients from PyPI, against the program as it is shipped. What they send and
//! what they make of the answers is theirs; what is expected comes from onnxruntime on the same file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "the tests of the API use all of it")]
#[path = "../api/fixture.rs"]
mod fixture;

use std::{
    io::Read,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const READY_WITHIN: Duration = Duration::from_secs(20);

/// Exported models: forest with a ZipMap of strings, doubles, missing values, one input for each
/// column with strings among them, two outputs in one, integers beside floats.
const MODELS: [&str; 7] = [
    "forest_zip_words_f32",
    "logistic_zip_binary_f32",
    "logistic_words_f64",
    "hist_binary_nan_f32",
    "columns_one",
    "columns_passthrough",
    "multi_output_two_f32",
];

/// The clients' Python, or the reason why there is none.
fn python() -> Option<PathBuf> {
    let found = std::env::var_os("DRIFTLESS_CLIENTS_PYTHON").map(PathBuf::from);
    let found = found.filter(|path| path.is_file());
    assert!(
        found.is_some() || std::env::var_os("DRIFTLESS_STRICT").is_none(),
        "DRIFTLESS_CLIENTS_PYTHON names no Python"
    );
    found
}

/// The server over one model file.
struct Server {
    child: Child,
    http: SocketAddr,
    grpc: SocketAddr,
}

impl Server {
    fn start(model: &Path, name: &str, flags: &[&str]) -> Server {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (http, grpc) = (free(), free());
        let child = Command::new(env!("CARGO_BIN_EXE_inference-api"))
            .env_clear()
            .args(["--name", name, "--model"])
            .arg(model)
            .args(["--listen", &http.to_string(), "--grpc-listen", &grpc.to_string()])
            .args(flags)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { child, http, grpc };
        let start = Instant::now();
        while !server.is_ready() {
            assert!(start.elapsed() < READY_WITHIN, "{name} is not ready");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    fn is_ready(&self) -> bool {
        use std::io::Write;
        let Ok(mut stream) = std::net::TcpStream::connect(self.http) else {
            return false;
        };
        let mut answer = String::new();
        stream
            .write_all(b"GET /v2/health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .and_then(|()| stream.read_to_string(&mut answer))
            .is_ok_and(|_| answer.starts_with("HTTP/1.1 200"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn corpus(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.join(format!("crates/onnx/fuzz/corpus/plan/{name}.onnx"))
}

/// Runs a program of the clients' environment; its words are the test's when it fails.
fn run(python: &Path, args: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/clients.py");
    let out = Command::new(python)
        .arg(script)
        .args(args)
        // Clients that find a proxy in the surroundings would use it.
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success(),
        "{args:?}\n{said}{}",
        String::from_utf8_lossy(&out.stderr)
    );
    println!("{}", said.trim());
}

#[test]
fn every_client_gets_what_onnxruntime_gives() {
    let Some(python) = python() else {
        return eprintln!("SKIPPED every_client_gets_what_onnxruntime_gives: no DRIFTLESS_CLIENTS_PYTHON");
    };
    for name in MODELS {
        let model = corpus(name);
        let server = Server::start(&model, name, &[]);
        let (http, grpc) = (server.http.to_string(), server.grpc.to_string());
        run(&python, &["infer", model.to_str().unwrap(), name, &http, &grpc]);
    }
}

/// Every check of schemathesis: what the document allows is answered with 200, what it does not is
/// refused, and answers are as they are described. The rest is in the files beside this.
fn check_document(python: &Path, model: &Path, name: &str, operations: u32) {
    // Bodies as large as the schema allows must fit into what a request may be.
    let server = Server::start(model, name, &["--max-instances", "20", "--max-batch-rows", "20"]);
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    // It leaves a folder of its own where it is started.
    let folder = tempfile::tempdir().unwrap();
    let out = Command::new(python.with_file_name("schemathesis"))
        .current_dir(folder.path())
        .arg("--config-file")
        .arg(files.join("schemathesis.toml"))
        // A stream has no end to wait for; `drift_events` of the API's tests reads it.
        .args([
            "run",
            "--checks",
            "all",
            "--exclude-path",
            "/drift/events",
            "--url",
        ])
        .arg(format!("http://{}", server.http))
        .arg(format!("http://{}/openapi.json", server.http))
        .env("PYTHONPATH", &files)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&out.stderr)
    );
    // A document without operations would pass as well.
    assert!(
        said.contains(&format!("{operations} selected / {} total", operations + 1)),
        "{said}"
    );
    let counts = said.lines().find(|line| line.contains(" generated, "));
    println!("{name}: {}", counts.unwrap_or_default().trim());
}

#[test]
fn the_published_document_is_what_is_served() {
    let Some(python) = python() else {
        return eprintln!("SKIPPED the_published_document_is_what_is_served: no DRIFTLESS_CLIENTS_PYTHON");
    };
    let iris = fixture::directory();
    check_document(&python, iris.path(), "iris", 25);
    // Strings, integers and numbers, one input each: /predict is not for them.
    check_document(&python, &corpus("columns_one"), "columns", 24);
}

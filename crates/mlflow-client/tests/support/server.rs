//! A real MLflow server on a random loopback port, with its data in a temporary folder.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Stopped, with all its processes, when dropped.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:<port>`.
    pub address: String,
    _data: tempfile::TempDir,
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .expect("a workspace")
        .join("target/tools")
}

/// Starts a server, or says in one line that `test` is skipped for want of one.
pub fn start(test: &str) -> Option<Server> {
    let places = ["mlflow/bin/mlflow", "oracle/bin/mlflow"].map(|place| tools().join(place));
    let Some(program) = places.into_iter().find(|place| place.is_file()) else {
        assert!(
            std::env::var_os("DRIFTLESS_STRICT").is_none(),
            "{test}: no MLflow environment"
        );
        eprintln!("SKIPPED {test}: no MLflow environment; run cargo xtask test");
        return None;
    };
    let data = tempfile::tempdir().expect("a temporary folder");
    let log = data.path().join("server.log");
    // Free now, and nobody else asks for it in the moment until the server binds it.
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a free port")
        .port();
    let child = Command::new(program)
        .args([
            "server",
            "--host",
            "127.0.0.1",
            "--workers",
            "1",
            "--serve-artifacts",
            "--port",
        ])
        .arg(port.to_string())
        .arg("--backend-store-uri")
        .arg(format!("sqlite:///{}", data.path().join("mlflow.db").display()))
        .arg("--artifacts-destination")
        .arg(data.path().join("artifacts"))
        .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .stdin(Stdio::null())
        .stdout(File::create(&log).expect("a log"))
        .stderr(File::options().append(true).open(&log).expect("a log"))
        .process_group(0)
        .spawn()
        .expect("the server starts");
    let server = Server {
        child,
        address: format!("http://127.0.0.1:{port}"),
        _data: data,
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    while !answers(port) {
        let text = || std::fs::read_to_string(&log).unwrap_or_default();
        assert!(Instant::now() < deadline, "no answer within 120 s:\n{}", text());
        std::thread::sleep(Duration::from_millis(100));
    }
    Some(server)
}

fn answers(port: u16) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    ask().is_ok_and(|text| text.contains(" 200 ") && text.ends_with("OK"))
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server's worker is a second process of the same group.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

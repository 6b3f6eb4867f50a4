//! The binary itself: sockets handed over, signals, exit codes, log lines.

use crate::{client::Client, fixture, server::eventually};
use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs::File,
    io::{Read, Seek},
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Output},
    time::Duration,
};
use traffic::{Load, Target};

/// A child that does not outlive its test, and its stdout.
pub struct Process(Child, File);

impl Process {
    fn spawn(command: &mut Command) -> Process {
        let log = tempfile::tempfile().unwrap();
        Process(command.stdout(log.try_clone().unwrap()).spawn().unwrap(), log)
    }

    /// The binary on an address of its own, once it is ready.
    pub fn listening(model: &Path, address: SocketAddr, variables: &[(&str, &str)]) -> Process {
        let mut command = command(model);
        command.envs(variables.iter().copied());
        let process = Process::spawn(command.args(["--listen", &address.to_string()]));
        eventually("it answers", || {
            std::net::TcpStream::connect(address).is_ok()
                && Client::connect(address).get("/readyz").status == 200
        });
        process
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
    }

    /// Its exit code and its log.
    fn finish(mut self) -> (Option<i32>, Vec<Value>) {
        let code = self.0.wait().unwrap().code();
        let mut text = String::new();
        self.1.rewind().unwrap();
        self.1.read_to_string(&mut text).unwrap();
        (code, lines(&text))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn command(model: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inference-api"));
    command
        .env_clear()
        .env("MODEL_DIR", model)
        .env("DRAIN_SECONDS", "0.3");
    command
}

/// Hands both sockets over as the local engine does.
fn start(model: &Path, service: &TcpListener, probe: TcpListener) -> Process {
    let mut command = command(model);
    let fd = |listener: TcpListener, child_fd| FdMapping {
        parent_fd: OwnedFd::from(listener),
        child_fd,
    };
    command
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", "http:probe")
        .env("LOG_REQUESTS", "all");
    command
        .fd_mappings(vec![fd(service.try_clone().unwrap(), 3), fd(probe, 4)])
        .unwrap();
    Process::spawn(&mut command)
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn rollout_of_processes_on_one_socket_refuses_nobody() {
    let old_directory = fixture::directory();
    let new_directory = fixture::directory_with(|manifest| manifest.model_version = Some(4));
    let (service, address) = listener();
    let run = |directory: &tempfile::TempDir| {
        let (probe, probe_address) = listener();
        let process = start(directory.path(), &service, probe);
        eventually("ready by its probe", || {
            Client::connect(probe_address).get("/readyz").status == 200
        });
        process
    };
    let mut live = run(&old_directory);
    let load = Load::open(1_000.0, 16)
        .start(&Target::post(
            address,
            "/predict",
            r#"{"features":[5.1250000123,3.5,1.4,0.2]}"#,
        ))
        .unwrap();
    let mut logs = Vec::new();
    for directory in [&new_directory, &old_directory, &new_directory] {
        let next = run(directory);
        let before = load.report().ok;
        live.terminate();
        let (code, log) = std::mem::replace(&mut live, next).finish();
        assert_eq!(code, Some(0));
        logs.extend(log);
        eventually("traffic goes on", || load.report().ok > before + 200);
    }
    let report = load.stop();
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    assert_eq!(report.versions.len(), 2);
    // What was logged has request ids and times, and none of the values sent.
    let answered: Vec<_> = logs
        .iter()
        .filter(|line| line["event"] == "request" && line["endpoint"] == "/predict")
        .collect();
    assert!(answered.len() > 100);
    for line in answered {
        assert!(
            line["request_id"].as_str().is_some_and(|id| !id.is_empty())
                && line["latency_ms"].as_f64().is_some(),
            "{line}"
        );
        assert!(!line.to_string().contains("5.1250000123"), "{line}");
    }
    let drained = |line: &&Value| line["event"] == "stop" && line["level"] == "INFO";
    assert_eq!(logs.iter().filter(drained).count(), 3);
}

#[test]
fn errors_are_logged_without_what_was_sent() {
    let directory = fixture::directory();
    let (service, address) = listener();
    let (probe, probe_address) = listener();
    let mut command = command(directory.path());
    let fd = |listener: TcpListener, child_fd| FdMapping {
        parent_fd: OwnedFd::from(listener),
        child_fd,
    };
    // Without names the first socket is http; sampling is the default.
    command
        .env("LISTEN_FDS", "2")
        .fd_mappings(vec![fd(service, 3), fd(probe, 4)])
        .unwrap();
    let process = Process::spawn(&mut command);
    eventually("ready", || {
        Client::connect(probe_address).get("/readyz").status == 200
    });
    let mut client = Client::connect(address);
    for _ in 0..5 {
        assert_eq!(client.predict(r#"{"features":[5.1,3.5,1.4,0.2]}"#).status, 200);
    }
    assert_eq!(
        client
            .predict(r#"{"features":["secret-value",7.7777700001,1.4,0.2]}"#)
            .status,
        422
    );
    assert_eq!(client.get("/secret-path").status, 404);
    drop(client);
    process.terminate();
    let (code, log) = process.finish();
    assert_eq!(code, Some(0));
    let requests: Vec<_> = log.iter().filter(|line| line["event"] == "request").collect();
    let statuses: Vec<_> = requests
        .iter()
        .map(|line| line["status"].as_u64().unwrap())
        .collect();
    assert_eq!(
        statuses,
        [200, 422, 404],
        "the first of a thousand, and every error"
    );
    assert_eq!(requests[1]["code"], "not_a_number");
    assert_eq!(requests[1]["request_id"], "test");
    let text = format!("{log:?}");
    assert!(
        !text.contains("secret") && !text.contains("7.7777700001"),
        "{text}"
    );
    assert!(
        log.iter()
            .any(|line| line["event"] == "ready" && line["model_version"] == "3")
    );
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

#[test]
fn what_cannot_start_says_why() {
    let directory = fixture::directory();
    let (_held, address) = listener();
    let missing = output(&mut command(Path::new("nowhere")));
    assert_eq!(missing.status.code(), Some(1));
    let last = lines(&String::from_utf8(missing.stdout).unwrap()).pop().unwrap();
    assert_eq!(
        last["error"],
        "model nowhere is refused: cannot read nowhere: No such file or directory (os error 2)"
    );
    let taken = output(command(directory.path()).env("LISTEN_ADDRESS", address.to_string()));
    let last = lines(&String::from_utf8(taken.stdout).unwrap()).pop().unwrap();
    assert_eq!(
        last["error"],
        format!(
            "cannot listen on {address} (--listen, LISTEN_ADDRESS): Address already in use (os error 98)"
        )
    );
    let taken = output(command(directory.path()).args([
        "--listen",
        "127.0.0.1:0",
        "--grpc-listen",
        &address.to_string(),
    ]));
    assert_eq!(taken.status.code(), Some(1));
    let last = lines(&String::from_utf8(taken.stdout).unwrap()).pop().unwrap();
    assert_eq!(
        last["error"],
        format!(
            "cannot listen on {address} (--grpc-listen, GRPC_LISTEN_ADDRESS): Address already in use (os error 98)"
        )
    );
    let unnamed = output(
        command(directory.path())
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDNAMES", "grpc"),
    );
    let last = lines(&String::from_utf8(unnamed.stdout).unwrap()).pop().unwrap();
    assert_eq!(
        last["error"],
        "LISTEN_FDNAMES is \"grpc\", expected a socket named http among the 1 of LISTEN_FDS"
    );
    let variable = output(command(directory.path()).env("DRIFT_THRESHOLD", "2"));
    assert_eq!(variable.status.code(), Some(2));
    assert!(
        String::from_utf8(variable.stderr)
            .unwrap()
            .contains("invalid value '2' for '--drift-threshold <P>'")
    );
    let level = output(command(directory.path()).env("LOG_LEVEL", "info,=,"));
    assert_eq!(level.status.code(), Some(2));
    let help = output(
        Command::new(env!("CARGO_BIN_EXE_inference-api"))
            .env_clear()
            .arg("--help"),
    );
    insta::assert_snapshot!(String::from_utf8(help.stdout).unwrap());
}

#[test]
fn alone_it_binds_its_address() {
    let directory = fixture::directory();
    let (free, address) = listener();
    drop(free);
    let (free, grpc_address) = listener();
    drop(free);
    let grpc = grpc_address.to_string();
    let variables = [("GRPC_LISTEN_ADDRESS", grpc.as_str()), ("LOG_REQUESTS", "all")];
    let process = Process::listening(directory.path(), address, &variables);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut client = crate::grpc::client(grpc_address).await;
        let row = [5.125, 3.5, 1.4, 0.2];
        client.model_infer(crate::grpc::typed(&row)).await.unwrap();
        let mut wrong = crate::grpc::typed(&row);
        wrong.inputs[0].name = "secret".to_owned();
        client.model_infer(wrong).await.unwrap_err();
    });
    drop(runtime);
    process.terminate();
    let begun = std::time::Instant::now();
    let (code, log) = process.finish();
    assert_eq!(code, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5));
    let calls: Vec<_> = log
        .iter()
        .filter(|line| line["endpoint"] == "/inference.GRPCInferenceService/ModelInfer")
        .map(|line| (line["status"].as_u64(), line["code"].as_str()))
        .collect();
    assert_eq!(calls, [(Some(200), None), (Some(400), Some("unknown_tensor"))]);
    let text = format!("{log:?}");
    assert!(!text.contains("secret") && !text.contains("5.125"), "{text}");
}

#[test]
fn keys_are_named_in_the_log_and_never_shown() {
    let directory = fixture::directory();
    let (free, address) = listener();
    drop(free);
    let file = directory.path().join("keys");
    std::fs::write(&file, "grace=quite-hidden\n").unwrap();
    let variables = [
        ("API_KEYS", "ada=very-hidden"),
        ("API_KEYS_FILE", file.to_str().unwrap()),
        ("LOG_REQUESTS", "all"),
        ("LOG_LEVEL", "debug"),
    ];
    let process = Process::listening(directory.path(), address, &variables);
    let mut client = Client::connect(address);
    for (key, status) in [("very-hidden", 404), ("quite-hidden", 404), ("guess-hidden", 401)] {
        let answer = client.send("GET", "/hidden", &format!("x-api-key: {key}\r\n"), b"");
        assert_eq!(answer.status, status);
    }
    std::fs::write(&file, "grace=also-hidden\nbroken hidden\n").unwrap();
    // Two looks at the file, so that a second complaint would be seen.
    std::thread::sleep(Duration::from_millis(2500));
    drop(client);
    process.terminate();
    let (_, log) = process.finish();
    let keys: Vec<_> = log
        .iter()
        .filter(|line| line["endpoint"] == "other")
        .map(|line| &line["key"])
        .collect();
    assert_eq!(
        keys,
        ["ada", "grace"]
            .map(Value::from)
            .iter()
            .chain([&Value::Null])
            .collect::<Vec<_>>()
    );
    let text = format!("{log:?}");
    assert!(!text.contains("hidden"), "{text}");
    let reloads: Vec<_> = log.iter().filter(|line| line["event"] == "reload").collect();
    assert_eq!(reloads.len(), 1, "said once: {reloads:?}");
    let error = reloads[0]["error"].as_str().unwrap();
    assert!(
        error.contains("line 2") && error.contains("API_KEYS_FILE"),
        "{error}"
    );
    let help = output(
        Command::new(env!("CARGO_BIN_EXE_inference-api"))
            .env_clear()
            .env("API_KEYS", "ada=very-hidden")
            .arg("--help"),
    );
    assert!(!String::from_utf8(help.stdout).unwrap().contains("hidden"));
}

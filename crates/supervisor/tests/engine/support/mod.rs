//! One helper between the tests and the real engine: a state folder with a bare repository and an
//! image layout made here, the engine's own binary, and a client that counts failures.

pub mod load;
pub mod repository;

use engine::{AppStatus, Engine, EngineClient, Health, Run, Status, Sync};
use oci::{LayerFiles, Layout, image::ImageConfig};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

/// Whatever is waited for comes within this, or the test fails saying what it saw.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// kubectl of the oracle environment or of PATH. Without one the test is left out aloud, unless
/// DRIFTLESS_STRICT=1.
pub fn kubectl() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pinned = workspace.join("target/tools/oracle/bin/kubectl");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(pinned)
        .chain(std::env::split_paths(&path).map(|folder| folder.join("kubectl")))
        .find(|candidate| candidate.is_file());
    let strict = std::env::var("DRIFTLESS_STRICT").is_ok_and(|value| value == "1");
    assert!(found.is_some() || !strict, "no kubectl; run cargo xtask test");
    if found.is_none() {
        eprintln!("SKIPPED kubectl: no kubectl; run cargo xtask test");
    }
    found
}

pub struct World {
    pub folder: tempfile::TempDir,
    pub home: PathBuf,
    pub offset: i32,
    engine: Option<Child>,
    pub client: Option<EngineClient>,
}

impl World {
    /// A state folder without an engine; the Service's nodePort is 30080.
    pub fn new(kubectl: &Path, stand_ins: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap().join("state");
        std::fs::create_dir_all(&home).unwrap();
        let offset = i32::from(free_port()) - 30080;
        let config = format!(
            "kubectl: {}\nport_offset: {offset}\nvariables:\n  TEST_SERVER: {}\n{stand_ins}",
            kubectl.display(),
            env!("CARGO_BIN_EXE_engine-test-server"),
        );
        std::fs::write(folder.path().join("engine.yaml"), config).unwrap();
        repository::init(&home);
        World {
            folder,
            home,
            offset,
            engine: None,
            client: None,
        }
    }

    /// Stores an image that answers with `version`; more variables tell it to misbehave.
    pub fn image(&self, version: &str, env: &[(&str, &str)]) -> String {
        let store = Layout::open_or_create(self.home.join("images")).unwrap();
        // Small images: the program itself lies outside, and exec keeps pid and descriptors.
        let script = "#!/bin/sh\nexec \"$TEST_SERVER\" \"$@\"\n";
        let layer = LayerFiles::new().file("server", 0o755, script).unwrap();
        let mut variables = BTreeMap::from([("TEST_VERSION".to_owned(), version.to_owned())]);
        variables.extend(
            env.iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        let config = ImageConfig {
            working_dir: "/".into(),
            entrypoint: vec!["/server".into()],
            env: variables,
            ..ImageConfig::default()
        };
        let digest = oci::image::build_base(&store, "api", &[layer], &config).unwrap();
        format!("api@{digest}")
    }

    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        repository::commit(&self.home, files)
    }

    /// Commits an overlay `work` of one object file with the image `api` under its digest.
    pub fn commit_work(&self, image: &str, objects: &str) -> String {
        let digest = image.split_once('@').unwrap().1;
        let overlay = format!(
            "kind: Kustomization\nnamespace: training\nresources: [objects.yaml]\nimages: [{{name: api, digest: \"{digest}\"}}]\n"
        );
        self.commit(&[
            ("kustomize/overlays/local/work/kustomization.yaml", &overlay),
            ("kustomize/overlays/local/work/objects.yaml", objects),
        ])
    }

    /// Starts the engine and waits until it answers.
    pub fn start(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("stderr")).unwrap();
        let engine = Command::new(env!("CARGO_BIN_EXE_driftless-engine"))
            .arg("--state")
            .arg(&self.home)
            .arg("--config")
            .arg(self.folder.path().join("engine.yaml"))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let pid = engine.id();
        self.engine = Some(engine);
        self.client = Some(until("the engine to answer", || {
            let client = EngineClient::open(&self.home)
                .ok()
                .filter(|client| client.endpoint().pid == pid);
            client
                .filter(|client| client.status().is_ok())
                .ok_or_else(|| self.stderr())
        }));
    }

    pub fn engine(&self) -> &EngineClient {
        self.client.as_ref().expect("started")
    }

    pub fn engine_pid(&self) -> u32 {
        self.engine.as_ref().expect("started").id()
    }

    /// SIGKILL, as the kernel's out-of-memory killer would.
    pub fn kill_engine(&mut self) {
        let mut engine = self.engine.take().unwrap();
        engine.kill().unwrap();
        engine.wait().unwrap();
        self.client = None;
    }

    /// `POST /v1/shutdown`, then waits for its end.
    pub fn shut_down(&mut self) {
        self.engine().shutdown().unwrap();
        let mut engine = self.engine.take().unwrap();
        let status = until("the engine's end", || engine.try_wait().unwrap().ok_or("it runs"));
        assert!(status.success(), "{status}");
        self.client = None;
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    pub fn status(&self) -> Status {
        self.engine().status().unwrap()
    }

    pub fn app(&self, name: &str) -> AppStatus {
        self.status()
            .app(name)
            .cloned()
            .unwrap_or_else(|| panic!("no {name}"))
    }

    /// Waits until the application is in a state; fails with the last one seen.
    pub fn wait_app(&self, what: &str, name: &str, is: impl Fn(&AppStatus) -> bool) -> AppStatus {
        until(what, || {
            let status = self.status();
            match status.app(name) {
                Some(app) if is(app) => Ok(app.clone()),
                Some(app) => Err(format!("{} {app:?}", app.summary())),
                None => Err(format!("no {name}")),
            }
        })
    }

    pub fn wait_live(&self, name: &str, commit: &str) -> AppStatus {
        self.wait_app(&format!("{name} live at {commit}"), name, |app| {
            app.is_live_at(commit)
        })
    }

    pub fn wait_degraded(&self, name: &str, commit: &str) -> AppStatus {
        let degraded = |app: &AppStatus| app.health == Health::Degraded && app.revision == commit;
        let app = self.wait_app("Degraded", name, degraded);
        assert_eq!(app.sync, Sync::OutOfSync);
        app
    }

    pub fn wait_run(&self, id: &str) -> Run {
        engine::wait_run(self.engine(), id, DEADLINE, |_| {}).unwrap()
    }

    pub fn port(&self) -> u16 {
        u16::try_from(30080 + self.offset).unwrap()
    }

    pub fn get(&self, path: &str) -> Result<String, String> {
        get(self.port(), path)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            if std::thread::panicking() {
                let log = std::fs::read_to_string(self.home.join("engine/engine.log")).unwrap_or_default();
                eprintln!("engine.log:\n{log}\nstderr:\n{}", self.stderr());
            }
            let ended = self
                .client
                .as_ref()
                .is_some_and(|client| client.shutdown().is_ok());
            let deadline = Instant::now() + DEADLINE;
            while ended && matches!(engine.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = engine.kill();
            let _ = engine.wait();
        }
    }
}

/// A port below those that the kernel gives to outgoing connections, so that none of the many of
/// a test takes it before the engine does.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 11_000) as u16;
    let candidates =
        std::iter::repeat_with(|| 20_000 + (start + NEXT.fetch_add(7, Ordering::SeqCst)) % 12_000);
    let mut candidates = candidates.take(1000);
    candidates
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// Asks until there is an answer; fails with the last refusal.
pub fn until<T, E: std::fmt::Display>(what: &str, mut ask: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(last) if Instant::now() > deadline => panic!("{what} did not come; last seen: {last}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// One request on a connection of its own; every refusal, reset and status but 200 is an error.
pub fn get(port: u16, path: &str) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(text)?;
    stream.set_read_timeout(Some(DEADLINE)).map_err(text)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .map_err(text)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(text)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(format!("{answer:?}")),
    }
}

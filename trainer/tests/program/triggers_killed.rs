//! A real `trainer trigger` against a real local engine, both killed at every point and started again.

use crate::support::program::trainer_in;
use crate::support::world::{commit, git};
use engine::{Engine, EngineClient, RunPhase};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// After each step of a trigger that starts a run.
const POINTS: [&str; 6] = ["read", "ask", "write", "start", "read-again", "mark"];
const MODEL: &str = "sha256:7f3a2c1b00000000000000000000000000000000000000000000000000000000";
const SOON: Duration = Duration::from_secs(30);
const HOME: &str = "TRIGGERS_KILLED_ENGINE_HOME";

/// Not a test but the engine: this program again, so that it can be killed.
#[test]
fn the_engine() {
    if let Some(folder) = std::env::var_os(HOME) {
        let folder = PathBuf::from(folder);
        supervisor::run(&folder.join("state"), &folder.join("engine.yaml"), None).unwrap();
    }
}

fn kubectl() -> Option<PathBuf> {
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/oracle/bin/kubectl");
    let search = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(pinned)
        .chain(std::env::split_paths(&search).map(|folder| folder.join("kubectl")))
        .find(|candidate| candidate.is_file());
    assert!(
        found.is_some() || std::env::var_os("DRIFTLESS_STRICT").is_none(),
        "no kubectl"
    );
    if found.is_none() {
        eprintln!("SKIPPED triggers_killed: no kubectl; run cargo xtask test");
    }
    found
}

struct World {
    folder: tempfile::TempDir,
    engine: Option<Child>,
    api: MockServer,
    runtime: tokio::runtime::Runtime,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            let _ = EngineClient::open(&self.home()).map(|engine| engine.shutdown());
            let end = Instant::now() + SOON;
            while matches!(engine.try_wait(), Ok(None)) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = engine.kill();
            let _ = engine.wait();
        }
    }
}

impl World {
    /// An engine whose one template writes down that it ran.
    fn new(kubectl: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("state");
        std::fs::create_dir_all(&home).unwrap();
        let store = oci::Layout::open_or_create(home.join("images")).unwrap();
        let script = "#!/bin/sh\nprintf '%s\\n' \"$RUN_NONCE\" >> \"$DRIFTLESS_HOME/trace\"\necho '{}'\n";
        let layer = oci::LayerFiles::new().file("job", 0o755, script).unwrap();
        let config = oci::ImageConfig {
            entrypoint: vec!["/job".to_owned()],
            ..oci::ImageConfig::default()
        };
        let digest = oci::image::build_base(&store, "trainer", &[layer], &config).unwrap();
        git(
            &home,
            &["init", "--quiet", "--bare", "--initial-branch=main", "gitops.git"],
        );
        git(folder.path(), &["clone", "--quiet", "state/gitops.git", "clone"]);
        let overlay = folder.path().join("clone/kustomize/overlays/local/training");
        std::fs::create_dir_all(&overlay).unwrap();
        let kustomization = format!(
            "kind: Kustomization\nnamespace: training\nresources: [cronjob.yaml]\nimages: [{{name: trainer, digest: \"{digest}\"}}]\n"
        );
        std::fs::write(overlay.join("kustomization.yaml"), kustomization).unwrap();
        let cron = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: training}\nspec:\n  suspend: true\n  \
            schedule: '0 3 * * *'\n  concurrencyPolicy: Forbid\n  successfulJobsHistoryLimit: 20\n  jobTemplate:\n    spec:\n      \
            backoffLimit: 0\n      template: {spec: {restartPolicy: Never, containers: [{name: trainer, image: trainer}]}}\n";
        std::fs::write(overlay.join("cronjob.yaml"), cron).unwrap();
        commit(&folder.path().join("clone"), "Begin");
        let yaml = format!("kubectl: {}\n", kubectl.display());
        std::fs::write(folder.path().join("engine.yaml"), yaml).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let api = runtime.block_on(MockServer::start());
        let mut world = World {
            folder,
            engine: None,
            api,
            runtime,
        };
        world.start_engine();
        world
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn start_engine(&mut self) {
        let engine = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "triggers_killed::the_engine"])
            .env(HOME, self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = engine.id();
        self.engine = Some(engine);
        self.until("the engine runs the template", || {
            let client = EngineClient::open(&self.home()).ok()?;
            // A successor knows its templates once it has compared: then it refuses this for its name alone.
            let refused = client.start_run_named("training", "nonsense", &[], &[]).err()?;
            let known = refused.to_string().contains("expected training-");
            (known && client.endpoint().pid == pid).then_some(())
        });
    }

    fn kill_engine(&mut self) {
        let mut engine = self.engine.take().unwrap();
        engine.kill().unwrap();
        engine.wait().unwrap();
    }

    fn client(&self) -> EngineClient {
        EngineClient::open(&self.home()).unwrap()
    }

    fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + SOON;
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            let log = || std::fs::read_to_string(self.home().join("engine/engine.log")).unwrap_or_default();
            let status = || EngineClient::open(&self.home()).and_then(|engine| engine.status());
            assert!(
                Instant::now() < end,
                "{what}: not within {SOON:?}\n{}\n{:?}",
                log(),
                status()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn drifts(&self, number: u64) {
        let status = json!({"drift_detected": true, "samples": 100, "features": {}, "model": MODEL,
            "episode": {"number": number, "opened_at_ms": 1_763_740_800_000_u64, "since_rows": 170, "open": true}});
        self.runtime.block_on(async {
            self.api.reset().await;
            let answer = ResponseTemplate::new(200).set_body_json(status);
            let mock = Mock::given(path("/drift/status")).respond_with(answer);
            mock.mount(&self.api).await;
        });
    }

    fn trigger(&self, killed_at: Option<&str>) -> crate::support::program::Said {
        let file = self.home().join("engine.json").display().to_string();
        let (api, point) = (
            self.api.uri(),
            format!("trigger:{}", killed_at.unwrap_or_default()),
        );
        let flags = [
            "trigger",
            "--cooldown",
            "0s",
            "--daily-cap",
            "99",
            "--breaker-after",
            "99",
        ];
        let env = [
            ("API_URL", api.as_str()),
            ("DRIFTLESS_ENGINE_FILE", &file),
            ("DRIFTLESS_EXIT_AFTER", &point),
        ];
        trainer_in(self.folder.path(), &flags, &env)
    }

    /// Names of the runs that ran, in their order.
    fn ran(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.home().join("trace")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn all_over(&self) {
        self.until("all runs are over", || {
            let runs = self.client().status().ok()?.runs;
            runs.iter()
                .all(|run| run.phase == RunPhase::Succeeded)
                .then_some(())
        });
    }

    fn ledger(&self) -> Value {
        let record = self.client().record(engine::DRIFT_LEDGER).unwrap();
        serde_json::from_str(&record.text.unwrap()).unwrap()
    }
}

#[test]
fn one_run_for_each_episode_wherever_a_trigger_dies() {
    let Some(kubectl) = kubectl() else { return };
    let mut world = World::new(&kubectl);
    let mut expected = Vec::new();
    for (number, point) in (1..).zip(POINTS) {
        world.drifts(number);
        let said = world.trigger(Some(point));
        assert_eq!(said.code, None, "{point}: {said:?}");
        world.all_over();
        // The engine goes, too, with all that it has in memory.
        world.kill_engine();
        let said = world.trigger(None).expect(1);
        assert!(
            said.stderr.contains("does not answer"),
            "{point}: {}",
            said.stderr
        );
        world.start_engine();
        // Again, where there is anything left to die at.
        world.trigger(Some(point));
        // The event of the API, the clock and a person's hand at once.
        std::thread::scope(|scope| {
            let racers: Vec<_> = (0..4).map(|_| scope.spawn(|| world.trigger(None))).collect();
            for racer in racers {
                let said = racer.join().unwrap().expect(0).json();
                let run = format!("training-7f3a2c1b-e{number}-t63340");
                assert_eq!(said["run_id"], run.as_str(), "{point}: {said}");
            }
        });
        world.all_over();
        expected.push(format!("training-7f3a2c1b-e{number}-t63340"));
        assert_eq!(world.ran(), expected, "{point}");
        let said = world.trigger(None).expect(0).json();
        assert_eq!(said["verdict"], "already-handled", "{point}: {said}");
    }
    let ledger = world.ledger();
    let entries = ledger["entries"].as_array().unwrap();
    let runs: Vec<&str> = entries
        .iter()
        .map(|entry| entry["run"].as_str().unwrap())
        .collect();
    assert_eq!(runs, expected);
    assert!(
        entries.iter().all(|entry| entry["state"]["is"] == "promoted"),
        "{ledger}"
    );
}

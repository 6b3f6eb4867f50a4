//! A clone in a temporary folder and a scripted world around it. Git and files are real.

// Each test binary uses its own part of this.
#![allow(unused, reason = "shared between test binaries")]

pub mod cluster;

use engine::{AppStatus, Health, Run, Status, Sync};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use xtask::{
    ctx::Ctx,
    exec::{Answer, Cmd, Executor, Fake, FakeEngine, Output, Real},
    flags::{self, Globals},
    report::{Report, Style},
};

pub const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
pub const RELEASE: &str = "kustomize/overlays/local/inference-api/release/kustomization.yaml";

pub struct Clone {
    pub dir: tempfile::TempDir,
}

impl Clone {
    /// A clone with one commit on `main`.
    pub fn new() -> Self {
        let clone = Clone {
            dir: tempfile::tempdir().unwrap(),
        };
        clone.git(&["init", "--quiet", "--initial-branch=main"]);
        clone.put(".gitignore", "/target\n/.driftless\n");
        clone.put("xtask/Cargo.toml", "");
        clone.put("xtask/python/mlflow.lock", "mlflow==1 --hash=sha256:00\n");
        clone.put("xtask/python/oracle.lock", "scipy==1 --hash=sha256:00\n");
        clone.put("trainer/data/iris.csv", "a,b,species\n1,2,x\n");
        for app in ["training", "drift-monitor", "inference-api", "mlflow"] {
            clone.put(
                &format!("kustomize/overlays/local/{app}/kustomization.yaml"),
                "kind: Kustomization\n",
            );
            clone.put(
                &format!("kustomize/overlays/local/{app}/release/kustomization.yaml"),
                "kind: Component\n",
            );
        }
        clone.commit("first");
        clone
    }

    pub fn root(&self) -> PathBuf {
        // Temporary folders may be behind a link.
        self.dir.path().canonicalize().unwrap()
    }

    pub fn put(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(self.dir.path(), args)
    }

    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn state(&self) -> PathBuf {
        self.root().join(".driftless")
    }

    pub fn bare(&self) -> PathBuf {
        self.state().join("gitops.git")
    }

    /// A context with this executor, quiet.
    pub fn ctx(&self, exec: Arc<dyn Executor>) -> Ctx {
        let mut ctx = Ctx::new(self.root(), &globals(&[]), exec, Report::new(Style::Quiet));
        // Whatever the tests themselves run under.
        ctx.target = self.root().join("target");
        ctx.any_head = false;
        ctx
    }

    /// A world in which everything works, whose engine follows `main`.
    pub fn world(&self) -> Fake {
        let (root, bare) = (self.root(), self.bare());
        let fake = Fake::new()
            .file("/proc/meminfo", "MemTotal: 9 kB\nMemAvailable: 8000000 kB\n")
            .says("python3", &["--version"], 0, "Python 3.11.7\n", "")
            .says("python3", &["-c"], 0, "", "")
            .says("git", &["--version"], 0, "git version 2.39.5\n", "")
            .says("df", &[], 0, "Filesystem\n/dev/x 99999 1 88888 1% /\n", "")
            .says("kustomize", &["version"], 0, "v5.8.1\n", "")
            .says("kubectl", &["version"], 0, "Kustomize Version: v5.8.1\n", "")
            .process(builds(root.clone()))
            .process(move |cmd| trainer(cmd, &root))
            .exchange(|request| {
                Some(Ok(Answer {
                    status: 200,
                    body: answer(&request.url),
                }))
            });
        let handle = fake.engine_handle();
        handle.world().git_url = bare.display().to_string();
        let first = ("batch-0001.csv".to_owned(), "a,b,species\n1,2,x\n".to_owned());
        handle.world().data.extend([first]);
        let follow = bare.clone();
        handle.world().look = Box::new(move |status| look(status, &follow));
        handle.world().on_start = Box::new(move |template, _| {
            promote(&bare, 1, "0a1b2c3");
            Ok(FakeEngine::ended(
                template,
                0,
                r#"{"status":"done","tag":"m1-0a1b2c3","metrics":{"accuracy":0.97}}"#,
            ))
        });
        fake
    }
}

pub fn globals(args: &[&str]) -> Globals {
    flags::parse(["cargo xtask"].iter().chain(args)).unwrap().globals
}

pub fn git(dir: &Path, args: &[&str]) -> String {
    let identity = [
        "-c",
        "user.name=Person",
        "-c",
        "user.email=person@driftless.invalid",
        "-c",
        "commit.gpgSign=false",
    ];
    let cmd = Cmd::reads("git").args(["-C"]).path(dir).args(identity).args(args);
    let output = Real.run(&cmd).unwrap();
    assert!(output.ok(), "{cmd}: {output:?}");
    output.stdout.trim().to_owned()
}

/// What cargo, venv and pip leave behind.
fn builds(
    root: PathBuf,
) -> impl Fn(&Cmd) -> Option<Result<Output, xtask::exec::ExecError>> + Send + std::marker::Sync {
    move |cmd| {
        let put = |path: PathBuf| {
            if !path.exists() {
                Real.write(&path, b"#!", 0o755).unwrap();
            }
        };
        if cmd.starts_with("cargo", &["build"]) {
            let target = root
                .join("target")
                .join(xtask::tools::release_triple())
                .join("release");
            ["inference-api", "trainer", "driftless-engine", "bench", "e2e"]
                .map(|name| put(target.join(name)));
            if cmd.args.iter().any(|arg| arg == "cluster") {
                put(target.join("driftless-cluster"));
            }
        } else if cmd.starts_with("python3", &["-m", "venv"]) {
            put(PathBuf::from(cmd.args.last().unwrap()).join("bin/pip"));
        } else if cmd.starts_with("pip", &["install"]) {
            let bin = PathBuf::from(&cmd.program).parent().unwrap().to_owned();
            ["mlflow", "kubectl", "python"].map(|name| put(bin.join(name)));
        } else if !cmd.starts_with("driftless-engine", &[]) {
            return None;
        }
        Some(Ok(Output::default()))
    }
}

fn trainer(cmd: &Cmd, root: &Path) -> Option<Result<Output, xtask::exec::ExecError>> {
    if cmd.starts_with("trainer", &["champion"]) {
        return Some(Ok(Output::default()));
    }
    cmd.starts_with("trainer", &["image"]).then(|| {
        let index = root.join(".driftless/images/index.json");
        let text = format!("\"inference-api:base\" \"trainer:dev\" {DIGEST}");
        Real.write(&index, text.as_bytes(), 0o644).unwrap();
        Ok(Output {
            stdout: format!("{{\"digest\":\"{DIGEST}\"}}"),
            ..Output::default()
        })
    })
}

fn answer(url: &str) -> String {
    if url.ends_with("/model/info") {
        return r#"{"name":"iris-model","model_version":"1","task":"classification","algorithm":"random-forest",
            "features":[{"name":"a","dtype":"float64","min":0,"max":2}],"digests":{"model":"sha256:00"},
            "image_tag":"m1-0a1b2c3"}"#
            .to_owned();
    }
    "{\"prediction\":0}".to_owned()
}

/// Everything that `main` says is live at once.
pub fn look(status: &mut Status, bare: &Path) {
    let head = git(bare, &["rev-parse", "refs/heads/main"]);
    let released = git(bare, &["show", &format!("main:{RELEASE}")]).contains("digest");
    status.revision = head.clone();
    status.apps = ["drift-monitor", "inference-api", "mlflow", "training"]
        .map(|name| app(name, &head))
        .to_vec();
    status.apps[1].replicas_wanted = u32::from(released);
}

pub fn app(name: &str, head: &str) -> AppStatus {
    AppStatus {
        name: name.to_owned(),
        sync: Sync::Synced,
        health: Health::Healthy,
        revision: head.to_owned(),
        live_revision: head.to_owned(),
        message: String::new(),
        images: vec![],
        replicas_wanted: 1,
        replicas: vec![],
        address: Some(format!("http://127.0.0.1/{name}")),
        stand_in: None,
        conditions: vec![],
        not_honoured: vec![],
        next_schedule: None,
    }
}

/// A promotion as the trainer commits it.
pub fn promote(bare: &Path, version: u64, commit: &str) -> String {
    promote_in(bare, "local", version, commit)
}

/// The release file of an environment.
pub fn release(environment: &str) -> String {
    contract::names::release_file(environment)
}

/// The same in another environment.
pub fn promote_in(bare: &Path, environment: &str, version: u64, commit: &str) -> String {
    let work = tempfile::tempdir().unwrap();
    git(
        work.path(),
        &[
            "clone",
            "--quiet",
            "--branch",
            "main",
            &bare.display().to_string(),
            ".",
        ],
    );
    let tag = format!("m{version}-{commit}");
    let text = format!(
        "kind: Component\nimages:\n  - name: inference-api\n    newName: inference-api\n    digest: \"sha256:{}\"\n\
         patches:\n  - patch: |-\n      spec:\n        template:\n          metadata:\n            annotations:\n\
         \x20             \"driftless.dev/image-tag\": \"{tag}\"\n",
        version.to_string().repeat(64)
    );
    fs::write(work.path().join(release(environment)), text).unwrap();
    let subject = format!("promote({environment}): inference-api {tag}\n\nMetrics: accuracy=0.9{version}\n");
    git(
        work.path(),
        &["commit", "--quiet", "--all", "--message", &subject],
    );
    git(work.path(), &["push", "--quiet", "origin", "HEAD:main"]);
    git(work.path(), &["rev-parse", "HEAD"])
}

/// A world that is up, for another executor.
pub fn running(clone: &Clone) -> Fake {
    xtask::cmd::up::command(
        &clone.ctx(Arc::new(clone.world())),
        &xtask::flags::UpFlags::default(),
    )
    .unwrap();
    let world = clone.world();
    world.engine_handle().world().running = true;
    world
}

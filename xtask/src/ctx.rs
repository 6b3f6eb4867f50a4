//! What every command can reach: where things are, the executor, the reporter.

use crate::{
    exec::{Cmd, Executor, Output, Request},
    failure::{Failure, Id, Outcome},
    flags::{GROUPS, Globals},
    known,
    report::Report,
    world::Cluster,
};
use engine::{Engine, EngineError};
use serde::de::DeserializeOwned;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Passed to every step and command.
pub struct Ctx {
    /// Root of the clone.
    pub root: PathBuf,
    /// Where cargo puts what it builds.
    pub target: PathBuf,
    /// The state folder, absolute (`.driftless`).
    pub state: PathBuf,
    /// The overlays that are rendered.
    pub environment: String,
    /// The cluster, where the engine is one.
    pub cluster: Option<Cluster>,
    /// Added to every port.
    pub port_offset: u16,
    /// Results as JSON.
    pub json: bool,
    /// The output of other programs is shown.
    pub verbose: bool,
    /// Published from any commit, also one without a branch (CI, the world of e2e).
    pub any_head: bool,
    /// The outside world.
    pub exec: Arc<dyn Executor>,
    /// Progress.
    pub report: Arc<Report>,
}

impl Ctx {
    /// A context over the clone at `root`.
    pub fn new(root: PathBuf, globals: &Globals, exec: Arc<dyn Executor>, report: Report) -> Self {
        let absolute = |path: &Path| {
            if path.is_absolute() {
                path.to_owned()
            } else {
                root.join(path)
            }
        };
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| absolute(Path::new(&dir)));
        Ctx {
            target,
            state: absolute(globals.state.as_deref().unwrap_or(Path::new(".driftless"))),
            environment: globals
                .cluster
                .environment
                .clone()
                .unwrap_or_else(|| "local".to_owned()),
            cluster: None,
            port_offset: globals.port_offset,
            json: globals.json,
            verbose: globals.verbose,
            // A checkout of CI has no branch by design.
            any_head: std::env::var_os("CI").is_some(),
            root,
            exec,
            report: Arc::new(report),
        }
    }

    /// The same clone with a world in another folder and on other ports, published from any commit.
    pub fn elsewhere(&self, state: PathBuf, port_offset: u16) -> Self {
        Ctx {
            root: self.root.clone(),
            target: self.target.clone(),
            state,
            environment: "local".to_owned(),
            cluster: None,
            port_offset,
            json: self.json,
            verbose: self.verbose,
            any_head: true,
            exec: Arc::clone(&self.exec),
            report: Arc::clone(&self.report),
        }
    }

    /// The same clone with a cluster, whose state is in a folder of its own.
    pub fn with_cluster(self, state: PathBuf, cluster: Cluster) -> Self {
        Ctx {
            state,
            environment: cluster.environment.clone(),
            cluster: Some(cluster),
            ..self
        }
    }

    /// The cluster, for what is only called where there is one.
    ///
    /// # Errors
    /// `cluster-not-named`.
    pub fn the_cluster(&self) -> Outcome<&Cluster> {
        self.cluster.as_ref().ok_or_else(|| {
            Failure::new(Id::ClusterNotNamed, "find the cluster").because("the engine is the local one")
        })
    }

    /// A command line as it must be typed for this world: `cargo xtask status` with the flags that
    /// name the cluster.
    pub fn typed(&self, text: &str) -> String {
        let Some(cluster) = &self.cluster else {
            return text.to_owned();
        };
        let mut typed = String::new();
        let mut pieces = text.split("cargo xtask ");
        typed.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                .unwrap_or(piece.len());
            let (task, rest) = piece.split_at(end);
            typed.push_str(&format!("cargo xtask {task}"));
            let known = GROUPS.iter().any(|(_, names)| names.contains(&task));
            // Said twice it would be wrong, and in prose (`the other cargo xtask`) too.
            if known && !rest.starts_with(" --engine") {
                typed.push_str(&format!(" {}", cluster.flags()));
            }
            typed.push_str(rest);
        }
        typed
    }

    /// A release binary of ours.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target
            .join(crate::tools::release_triple())
            .join("release")
            .join(name)
    }

    /// A Python environment of ours.
    pub fn venv(&self, name: &str) -> PathBuf {
        self.root.join("target/tools").join(name)
    }

    /// The bare repository of the local engine; for a cluster, the local copy of the repository that
    /// it follows.
    pub fn bare(&self) -> PathBuf {
        self.state.join("gitops.git")
    }

    /// The image layout of the local engine.
    pub fn images(&self) -> PathBuf {
        self.state.join("images")
    }

    /// The data place of the local engine.
    pub fn data(&self) -> PathBuf {
        self.state.join("data/iris")
    }

    /// A path as a person would type it from the root of the clone.
    pub fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }

    /// Runs a command that must end with 0.
    ///
    /// # Errors
    /// `id` (or the entry that its output is known for) with the last lines of its output.
    pub fn must(&self, id: Id, attempted: &str, cmd: &Cmd) -> Outcome<Output> {
        let output = self.ran(id, attempted, cmd)?;
        if output.ok() {
            return Ok(output);
        }
        let id = known::entry(&format!("{}\n{}", output.stderr, output.stdout), id);
        let last = output
            .tail(1)
            .pop()
            .unwrap_or_else(|| "it said nothing".to_owned());
        Err(Failure::new(id, attempted)
            .because(format!("`{cmd}` ended with {}", output.code))
            .because(last)
            .detail(output.tail(12)))
    }

    /// Runs a command whose exit code the caller reads.
    ///
    /// # Errors
    /// `tool-missing`, or `id` when it could not be run or did not end in time.
    pub fn ran(&self, id: Id, attempted: &str, cmd: &Cmd) -> Outcome<Output> {
        if self.verbose {
            self.report.say(format!("+ {cmd}"));
        }
        let result = self.exec.run(cmd);
        if let (true, Ok(output)) = (self.verbose, &result) {
            for line in output.stdout.lines().chain(output.stderr.lines()) {
                self.report.say(format!("  {line}"));
            }
        }
        result.map_err(|error| {
            let id = match &error {
                crate::exec::ExecError::NotFound(_) => Id::ToolMissing,
                crate::exec::ExecError::Deadline { .. } => Id::DeadlinePassed,
                crate::exec::ExecError::Io { .. } => id,
            };
            let failure = Failure::new(id, attempted).because(&error);
            match std::error::Error::source(&error) {
                Some(source) => failure.because(source),
                None => failure,
            }
        })
    }

    /// Writes a file; a full disk has its own id.
    ///
    /// # Errors
    /// `disk-full` or `id`.
    pub fn write(&self, id: Id, path: &Path, text: &str, mode: u32) -> Outcome<()> {
        self.exec.write(path, text.as_bytes(), mode).map_err(|error| {
            let full = error.kind() == std::io::ErrorKind::StorageFull;
            Failure::new(
                if full { Id::DiskFull } else { id },
                format!("write {}", self.short(path)),
            )
            .because(error)
        })
    }

    /// Whether a dry run has no program to look with yet: an earlier step would have brought it.
    pub fn cannot_look(&self, cmd: &Cmd) -> bool {
        self.exec.pretends() && self.exec.find(&cmd.program).is_none()
    }

    /// Contents of a text file, `None` when it is not there.
    pub fn read_text(&self, path: &Path) -> Option<String> {
        self.exec
            .read(path)
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The engine, which must answer.
    ///
    /// # Errors
    /// `engine-not-running` or `engine-refused`.
    pub fn engine(&self) -> Outcome<Box<dyn Engine>> {
        let engine = self
            .exec
            .engine(&self.state)
            .map_err(engine_failure("reach the engine"))?;
        if !self.exec.pretends() {
            engine
                .status()
                .map_err(engine_failure("ask the engine for its status"))?;
        }
        Ok(engine)
    }

    /// JSON of one of our services.
    ///
    /// # Errors
    /// `id` when it does not answer, or not with JSON of that shape.
    pub fn get_json<T: DeserializeOwned>(&self, id: Id, url: &str) -> Outcome<T> {
        let attempted = format!("GET {url}");
        let fail = |cause: String| Failure::new(id, attempted.clone()).because(cause);
        let answer = self.exec.http(&Request::get(url)).map_err(fail)?;
        if !answer.ok() {
            return Err(fail(format!("HTTP {} {}", answer.status, answer.body)));
        }
        answer.json().map_err(fail)
    }

    /// Prints a result to standard output.
    pub fn result(&self, text: &str) {
        self.exec.print(text);
    }
}

/// Turns what an engine said into a failure.
pub fn engine_failure(attempted: &str) -> impl Fn(EngineError) -> Failure {
    let attempted = attempted.to_owned();
    move |error| {
        let id = match &error {
            EngineError::Unreachable { .. } => Id::EngineNotRunning,
            EngineError::Refused { .. } | EngineError::Answer { .. } => Id::EngineRefused,
            EngineError::Deadline { .. } => Id::DeadlinePassed,
        };
        Failure::new(id, attempted.clone()).because(error)
    }
}

/// The root of the clone that `start` lies in.
///
/// # Errors
/// `not-a-clone`.
pub fn find_root(start: &Path) -> Outcome<PathBuf> {
    start
        .ancestors()
        .find(|dir| dir.join("xtask/Cargo.toml").is_file() && dir.join("kustomize/overlays").is_dir())
        .map(Path::to_owned)
        .ok_or_else(|| {
            Failure::new(Id::NotAClone, "find the root of the repository")
                .because(format!(
                    "neither {} nor a folder above it holds xtask/ and kustomize/overlays/",
                    start.display()
                ))
                .in_step("start")
        })
}

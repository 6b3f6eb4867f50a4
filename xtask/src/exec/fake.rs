//! The executor of tests: processes, HTTP and the engine answer from a script.
//!
//! Files and the `git` program are real (tests give it temporary folders); any other program that
//! the script does not know is missing.

mod engine;

pub use self::engine::FakeEngine;

use super::{Answer, Cmd, Effect, ExecError, Executor, Lock, Output, Real, Request};
use ::engine::{Engine, EngineError};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

type Script<I, O> = Box<dyn Fn(&I) -> Option<O> + Send + Sync>;

/// A scripted world.
pub struct Fake {
    processes: Vec<Script<Cmd, Result<Output, ExecError>>>,
    exchanges: Vec<Script<Request, Result<Answer, String>>>,
    files: BTreeMap<PathBuf, String>,
    digests: BTreeMap<String, String>,
    missing: BTreeSet<String>,
    taken_ports: BTreeSet<u16>,
    engine: FakeEngine,
    changes: Mutex<Vec<String>>,
    printed: Mutex<Vec<String>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// A world with every program on PATH, all ports free and no engine.
    pub fn new() -> Self {
        Fake {
            processes: Vec::new(),
            exchanges: Vec::new(),
            files: BTreeMap::new(),
            digests: BTreeMap::new(),
            missing: BTreeSet::new(),
            taken_ports: BTreeSet::new(),
            engine: FakeEngine::default(),
            changes: Mutex::default(),
            printed: Mutex::default(),
        }
    }

    /// Answers commands; the last script added is asked first, `None` passes on.
    pub fn process(
        mut self,
        script: impl Fn(&Cmd) -> Option<Result<Output, ExecError>> + Send + Sync + 'static,
    ) -> Self {
        self.processes.push(Box::new(script));
        self
    }

    /// Answers a command that begins so with an exit code, standard output and standard error.
    pub fn says(
        self,
        program: &'static str,
        args: &'static [&'static str],
        code: i32,
        out: &str,
        err: &str,
    ) -> Self {
        let output = Output {
            code,
            stdout: out.to_owned(),
            stderr: err.to_owned(),
        };
        self.process(move |cmd| cmd.starts_with(program, args).then(|| Ok(output.clone())))
    }

    /// Answers HTTP; the last script added is asked first, `None` passes on.
    pub fn exchange(
        mut self,
        script: impl Fn(&Request) -> Option<Result<Answer, String>> + Send + Sync + 'static,
    ) -> Self {
        self.exchanges.push(Box::new(script));
        self
    }

    /// Puts other contents into a file that cannot be in a temporary folder (`/proc/meminfo`).
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(PathBuf::from(path), text.to_owned());
        self
    }

    /// Gives files of this name a digest that is not theirs: nobody can write a file for a pin.
    pub fn digest(mut self, name: &str, hex: &str) -> Self {
        self.digests.insert(name.to_owned(), hex.to_owned());
        self
    }

    /// Takes a program off PATH.
    pub fn without(mut self, program: &str) -> Self {
        self.missing.insert(program.to_owned());
        self
    }

    /// Lets another program listen on a port.
    pub fn taken_port(mut self, port: u16) -> Self {
        self.taken_ports.insert(port);
        self
    }

    /// An engine that other worlds share.
    pub fn with_engine(mut self, engine: FakeEngine) -> Self {
        self.engine = engine;
        self
    }

    /// The engine of this world.
    pub fn engine_handle(&self) -> FakeEngine {
        self.engine.clone()
    }

    /// Every change so far, in order; empties the list.
    pub fn take_changes(&self) -> Vec<String> {
        std::mem::take(
            &mut self
                .changes
                .lock()
                .expect("no test panics while it holds the list"),
        )
    }

    /// Every line of results so far; empties the list.
    pub fn take_printed(&self) -> Vec<String> {
        std::mem::take(
            &mut *self
                .printed
                .lock()
                .expect("no test panics while it holds the list"),
        )
    }

    fn changed(&self, what: String) {
        self.changes
            .lock()
            .expect("no test panics while it holds the list")
            .push(what);
    }
}

impl Executor for Fake {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        if cmd.effect == Effect::Changes {
            self.changed(cmd.to_string());
        }
        if let Some(answer) = self.processes.iter().rev().find_map(|script| script(cmd)) {
            return answer;
        }
        if cmd.program == "git" && !self.missing.contains("git") {
            return Real.run(cmd);
        }
        Err(ExecError::NotFound(cmd.program.clone()))
    }

    fn start(&self, cmd: &Cmd, _log: &Path) -> Result<(), ExecError> {
        self.changed(cmd.to_string());
        match self.processes.iter().rev().find_map(|script| script(cmd)) {
            Some(Ok(_)) => {
                self.engine.world().running = true;
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => Err(ExecError::NotFound(cmd.program.clone())),
        }
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        let known =
            !self.missing.contains(program) && (!program.contains('/') || Path::new(program).exists());
        known.then(|| {
            if program.contains('/') {
                PathBuf::from(program)
            } else {
                Path::new("/usr/bin").join(program)
            }
        })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.files.get(path) {
            Some(text) => Ok(text.clone().into_bytes()),
            None => Real.read(path),
        }
    }

    fn sha256(&self, path: &Path) -> io::Result<String> {
        let bytes = self.read(path)?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let known = self.digests.get(&name).cloned();
        Ok(known.unwrap_or_else(|| contract::sha256_hex(&bytes)))
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.changed(format!("write {}", path.display()));
        Real.write(path, bytes, mode)
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        if path.exists() {
            self.changed(format!("remove {}", path.display()));
        }
        Real.remove_tree(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        if path.exists() {
            self.changed(format!("remove {}", path.display()));
        }
        Real.remove_file(path)
    }

    fn port_is_free(&self, port: u16) -> bool {
        !self.taken_ports.contains(&port)
    }

    fn http(&self, request: &Request) -> Result<Answer, String> {
        self.exchanges
            .iter()
            .rev()
            .find_map(|script| script(request))
            .unwrap_or_else(|| Err("connection refused".to_owned()))
    }

    fn engine(&self, _state: &Path) -> Result<Box<dyn Engine>, EngineError> {
        if self.engine.world().running {
            Ok(Box::new(self.engine.clone()))
        } else {
            Err(EngineError::Unreachable {
                engine: "local".to_owned(),
                address: "engine.json".to_owned(),
                cause: "no such file".to_owned(),
            })
        }
    }

    fn stop_engine(&self, _state: &Path) -> Result<(), EngineError> {
        self.changed("stop the engine".to_owned());
        self.engine.world().running = false;
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        Real.lock(path)
    }

    fn print(&self, line: &str) {
        self.printed
            .lock()
            .expect("no test panics while it holds the list")
            .push(line.to_owned());
    }

    fn pause(&self, _what: &str, _time: Duration) -> bool {
        true
    }
}

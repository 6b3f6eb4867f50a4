//! The executor of tests: processes, HTTP and the engine answer from a script.
//!
//! Files and the `git` program are real (tests give it temporary folders); any other program that
//! the script does not know is missing.

use super::{Answer, Cmd, Effect, ExecError, Executor, Lock, Output, Real, Request};
use engine::{Engine, EngineError, Run, RunPhase, Status};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

type Script<I, O> = Box<dyn Fn(&I) -> Option<O> + Send + Sync>;

/// A scripted world.
pub struct Fake {
    processes: Vec<Script<Cmd, Result<Output, ExecError>>>,
    exchanges: Vec<Script<Request, Result<Answer, String>>>,
    files: BTreeMap<PathBuf, String>,
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

type OnStart = Box<dyn FnMut(&str, &[String]) -> Result<Run, EngineError> + Send>;

/// State of a scripted engine.
pub struct EngineWorld {
    /// Whether it answers.
    pub running: bool,
    /// What it says; `look` may change it before each answer.
    pub status: Status,
    /// Called before each status answer.
    pub look: Box<dyn FnMut(&mut Status) + Send>,
    /// Makes the run that a start results in.
    pub on_start: OnStart,
    /// Address of the repository it follows.
    pub git_url: String,
    /// Log lines of everything.
    pub log: Vec<String>,
}

/// A scripted engine, shared between a test and the executor.
#[derive(Clone)]
pub struct FakeEngine(Arc<Mutex<EngineWorld>>);

impl Default for FakeEngine {
    fn default() -> Self {
        FakeEngine(Arc::new(Mutex::new(EngineWorld {
            running: false,
            status: Status {
                engine: "local".into(),
                revision: String::new(),
                apps: vec![],
                runs: vec![],
            },
            look: Box::new(|_| ()),
            on_start: Box::new(|template, _| Ok(FakeEngine::ended(template, 0, ""))),
            git_url: String::new(),
            log: Vec::new(),
        })))
    }
}

impl FakeEngine {
    /// Its state, to arrange or look at.
    pub fn world(&self) -> MutexGuard<'_, EngineWorld> {
        self.0.lock().expect("no test panics while it holds the engine")
    }

    /// A run of `template` that ended so.
    pub fn ended(template: &str, code: i32, stdout: &str) -> Run {
        Run {
            id: format!("{template}-1"),
            template: template.to_owned(),
            phase: if code == 0 {
                RunPhase::Succeeded
            } else {
                RunPhase::Failed
            },
            exit_code: Some(code),
            attempts: 1,
            started_at: "2026-01-01T00:00:00Z".to_owned(),
            finished_at: Some("2026-01-01T00:00:01Z".to_owned()),
            stdout: stdout.to_owned(),
            log_tail: vec!["last line of the run".to_owned()],
        }
    }

    fn refused(request: &str) -> EngineError {
        EngineError::Refused {
            request: request.to_owned(),
            message: "no such thing".to_owned(),
        }
    }
}

impl Engine for FakeEngine {
    fn name(&self) -> &str {
        "local"
    }
    fn environment(&self) -> &str {
        "local"
    }
    fn status(&self) -> Result<Status, EngineError> {
        let mut guard = self.world();
        let world = &mut *guard;
        (world.look)(&mut world.status);
        Ok(world.status.clone())
    }
    fn refresh(&self) -> Result<(), EngineError> {
        Ok(())
    }
    fn start_run(
        &self,
        template: &str,
        args: &[String],
        _: &[(String, String)],
    ) -> Result<String, EngineError> {
        let mut guard = self.world();
        let world = &mut *guard;
        let run = (world.on_start)(template, args)?;
        let id = run.id.clone();
        world.status.runs.insert(0, run);
        Ok(id)
    }
    fn run(&self, id: &str) -> Result<Run, EngineError> {
        let found = self.world().status.runs.iter().find(|run| run.id == id).cloned();
        found.ok_or_else(|| Self::refused(id))
    }
    fn logs(&self, of: &str, tail: usize) -> Result<Vec<String>, EngineError> {
        let world = self.world();
        let known = world.status.app(of).is_some() || world.status.runs.iter().any(|run| run.id == of);
        known
            .then(|| world.log[world.log.len().saturating_sub(tail)..].to_vec())
            .ok_or_else(|| Self::refused(of))
    }
    fn address(&self, app: &str) -> Result<String, EngineError> {
        let address = self.world().status.app(app).and_then(|app| app.address.clone());
        address.ok_or_else(|| Self::refused(app))
    }
    fn git_url(&self) -> Result<String, EngineError> {
        Ok(self.world().git_url.clone())
    }
    fn data_names(&self) -> Result<Vec<String>, EngineError> {
        Ok(vec!["batch-0001.csv".to_owned()])
    }
    fn data(&self, name: &str) -> Result<String, EngineError> {
        Err(Self::refused(name))
    }
    fn add_data(&self, name: &str, _: &str) -> Result<(), EngineError> {
        Err(Self::refused(name))
    }
    fn kill(&self, of: &str) -> Result<(), EngineError> {
        Err(Self::refused(of))
    }
    fn suspend(&self, app: &str, _: bool) -> Result<(), EngineError> {
        Err(Self::refused(app))
    }
}

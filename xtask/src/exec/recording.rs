//! The executor of `--dry-run`: looking is done, changing is written down.

use super::{Answer, Cmd, Effect, ExecError, Executor, Lock, Output, Request};
use engine::{Engine, EngineError, Record, Run, RunPhase, Status};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

/// Lines of a plan, shared with whoever prints it.
#[derive(Clone, Default)]
struct Plan(Arc<Mutex<Vec<String>>>);

impl Plan {
    fn add(&self, line: String) {
        self.0
            .lock()
            .expect("no thread panics while it holds the plan")
            .push(line);
    }
}

/// Wraps the executor that looks.
pub struct Recording<E> {
    inner: E,
    plan: Plan,
    /// Prefixes written as placeholders, longest first: plans read the same on every machine.
    short: Vec<(String, &'static str)>,
}

impl<E: Executor> Recording<E> {
    /// A recorder over `inner`; paths below `root` are written relative to it.
    pub fn new(inner: E, root: &Path) -> Self {
        Recording {
            inner,
            plan: Plan::default(),
            short: vec![
                (format!("{}/", root.display()), ""),
                (root.display().to_string(), "."),
            ],
        }
    }

    /// What would have been done so far, in order; empties the plan.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(
            &mut *self
                .plan
                .0
                .lock()
                .expect("no thread panics while it holds the plan"),
        )
    }

    fn add(&self, line: String) {
        let short = self
            .short
            .iter()
            .fold(line, |line, (from, to)| line.replace(from, to));
        self.plan.add(short);
    }
}

impl<E: Executor> Executor for Recording<E> {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        match cmd.effect {
            Effect::Reads => self.inner.run(cmd),
            Effect::Changes => {
                self.add(format!("run    {cmd}"));
                Ok(Output {
                    stdout: cmd.pretended.clone(),
                    ..Output::default()
                })
            }
        }
    }

    fn start(&self, cmd: &Cmd, log: &Path) -> Result<(), ExecError> {
        self.add(format!("start  {cmd} >> {}", log.display()));
        Ok(())
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        self.inner.find(program)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.inner.read(path)
    }

    fn sha256(&self, path: &Path) -> io::Result<String> {
        self.inner.sha256(path)
    }

    fn write(&self, path: &Path, bytes: &[u8], _mode: u32) -> io::Result<()> {
        self.add(format!(
            "write  {} ({} lines)",
            path.display(),
            String::from_utf8_lossy(bytes).lines().count()
        ));
        Ok(())
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        if path.exists() {
            self.add(format!("remove {}", path.display()));
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        if path.exists() {
            self.add(format!("remove {}", path.display()));
        }
        Ok(())
    }

    fn port_is_free(&self, port: u16) -> bool {
        self.inner.port_is_free(port)
    }

    fn http(&self, request: &Request) -> Result<Answer, String> {
        match &request.body {
            None => self.inner.http(request),
            Some(body) => {
                self.add(format!("post   {} {body}", request.url));
                Ok(Answer {
                    status: 200,
                    body: "{}".to_owned(),
                })
            }
        }
    }

    fn engine(&self, state: &Path) -> Result<Box<dyn Engine>, EngineError> {
        Ok(Box::new(Pretending {
            inner: self.inner.engine(state).ok(),
            plan: self.plan.clone(),
        }))
    }

    fn stop_engine(&self, _state: &Path) -> Result<(), EngineError> {
        self.add("engine stop it and all it started".to_owned());
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<Lock>> {
        Ok(Some(Lock { _file: None }))
    }

    fn print(&self, line: &str) {
        self.inner.print(line);
    }

    fn pause(&self, what: &str, _time: Duration) -> bool {
        self.add(format!("wait   {what}"));
        false
    }

    fn pretends(&self) -> bool {
        true
    }
}

/// An engine whose changes are written down.
struct Pretending {
    inner: Option<Box<dyn Engine>>,
    plan: Plan,
}

impl Pretending {
    fn look<T>(&self, ask: impl FnOnce(&dyn Engine) -> Result<T, EngineError>) -> Result<T, EngineError> {
        match &self.inner {
            Some(engine) => ask(engine.as_ref()),
            None => Err(EngineError::Unreachable {
                engine: "local".to_owned(),
                address: "the state folder".to_owned(),
                cause: "it would have been started by an earlier step".to_owned(),
            }),
        }
    }
}

impl Engine for Pretending {
    fn name(&self) -> &str {
        self.inner.as_deref().map_or("local", Engine::name)
    }
    fn environment(&self) -> &str {
        self.inner.as_deref().map_or("local", Engine::environment)
    }
    fn status(&self) -> Result<Status, EngineError> {
        self.look(|engine| engine.status())
    }
    fn refresh(&self) -> Result<(), EngineError> {
        Ok(())
    }
    fn start_run(
        &self,
        template: &str,
        args: &[String],
        env: &[(String, String)],
    ) -> Result<String, EngineError> {
        let mut line = format!("engine start a run of {template}");
        for arg in args {
            line.push_str(&format!(" {arg}"));
        }
        for (name, value) in env {
            line.push_str(&format!(" {name}={value}"));
        }
        self.plan.add(line);
        Ok(format!("{template}-of-a-dry-run"))
    }
    fn start_run_named(
        &self,
        template: &str,
        _: &str,
        args: &[String],
        env: &[(String, String)],
    ) -> Result<String, EngineError> {
        self.start_run(template, args, env)
    }
    fn record(&self, name: &str) -> Result<Record, EngineError> {
        self.look(|engine| engine.record(name))
    }
    fn put_record(&self, name: &str, _: &str, _: &str) -> Result<bool, EngineError> {
        self.plan.add(format!("engine keep the record {name}"));
        Ok(true)
    }
    fn run(&self, id: &str) -> Result<Run, EngineError> {
        Ok(Run {
            id: id.to_owned(),
            template: id.trim_end_matches("-of-a-dry-run").to_owned(),
            phase: RunPhase::Succeeded,
            exit_code: Some(0),
            attempts: 1,
            started_at: String::new(),
            finished_at: None,
            stdout: String::new(),
            log_tail: Vec::new(),
        })
    }
    fn logs(&self, of: &str, tail: usize) -> Result<Vec<String>, EngineError> {
        self.look(|engine| engine.logs(of, tail))
    }
    fn address(&self, app: &str) -> Result<String, EngineError> {
        self.look(|engine| engine.address(app))
    }
    fn git_url(&self) -> Result<String, EngineError> {
        self.look(|engine| engine.git_url())
    }
    fn data_names(&self) -> Result<Vec<String>, EngineError> {
        self.look(|engine| engine.data_names())
    }
    fn data(&self, name: &str) -> Result<String, EngineError> {
        self.look(|engine| engine.data(name))
    }
    fn add_data(&self, name: &str, _: &str) -> Result<(), EngineError> {
        self.plan.add(format!("engine add the batch {name}"));
        Ok(())
    }
    fn kill(&self, of: &str) -> Result<(), EngineError> {
        self.plan.add(format!("engine kill {of}"));
        Ok(())
    }
    fn suspend(&self, app: &str, suspended: bool) -> Result<(), EngineError> {
        self.plan.add(format!(
            "engine {} {app}",
            if suspended { "suspend" } else { "resume" }
        ));
        Ok(())
    }
}

//! A scripted engine, for tests.

use engine::{Engine, EngineError, Record, Run, RunPhase, Status};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

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
    /// The data place: batches by name.
    pub data: BTreeMap<String, String>,
    /// What it keeps, by name.
    pub records: BTreeMap<String, Record>,
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
            data: BTreeMap::new(),
            records: BTreeMap::new(),
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
    fn start_run_named(
        &self,
        template: &str,
        name: &str,
        args: &[String],
        env: &[(String, String)],
    ) -> Result<String, EngineError> {
        if self.run(name).is_ok() {
            return Ok(name.to_owned());
        }
        self.start_run(template, args, env)?;
        let mut world = self.world();
        if let Some(run) = world.status.runs.first_mut() {
            name.clone_into(&mut run.id);
        }
        Ok(name.to_owned())
    }
    fn record(&self, name: &str) -> Result<Record, EngineError> {
        Ok(self.world().records.get(name).cloned().unwrap_or_default())
    }
    fn put_record(&self, name: &str, expected: &str, text: &str) -> Result<bool, EngineError> {
        let mut world = self.world();
        let record = world.records.entry(name.to_owned()).or_default();
        if record.version != expected {
            return Ok(false);
        }
        record.version.push('1');
        record.text = Some(text.to_owned());
        Ok(true)
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
        Ok(self.world().data.keys().cloned().collect())
    }
    fn data(&self, name: &str) -> Result<String, EngineError> {
        let found = self.world().data.get(name).cloned();
        found.ok_or_else(|| Self::refused(name))
    }
    fn add_data(&self, name: &str, text: &str) -> Result<(), EngineError> {
        self.world().data.insert(name.to_owned(), text.to_owned());
        Ok(())
    }
    fn kill(&self, of: &str) -> Result<(), EngineError> {
        Err(Self::refused(of))
    }
    fn suspend(&self, app: &str, _: bool) -> Result<(), EngineError> {
        Err(Self::refused(app))
    }
}

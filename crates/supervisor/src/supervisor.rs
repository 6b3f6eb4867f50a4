//! The engine's one task: events in, steps out. Nothing here blocks or waits.

mod answers;
mod compared;
mod tidy;

use crate::{
    app::App,
    config::Config,
    context::{Context, Event},
    home::Home,
    procfs,
    runs::Runs,
    server::Question,
    state::{self, Saved},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// `main` is looked at, and what is due is done, this often.
pub const TICK: Duration = Duration::from_millis(50);
const TIDY_EVERY: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug)]
pub struct Supervisor {
    context: Context,
    apps: BTreeMap<String, App>,
    runs: Runs,
    /// Head of `main` as last seen.
    head: String,
    /// Head that `apps` were compared with, empty before the first comparison.
    compared: String,
    /// `main` cannot be read.
    look_error: Option<String>,
    /// Its commit cannot be read.
    compare_error: Option<String>,
    /// State could not be written.
    state_error: Option<String>,
    looking: bool,
    comparing: bool,
    compare_after: Instant,
    tidied: Instant,
    /// Set once everything is to end.
    pub ending: bool,
}

impl Supervisor {
    /// Takes up what a predecessor left. Ends processes of it that nobody knows any more.
    pub fn new(home: &Home, config: Config, saved: Saved, events: mpsc::Sender<Event>) -> Self {
        let mut context = Context::new(home.path.clone(), config, events);
        let same_boot = saved.boot_id == procfs::boot_id();
        let mut apps = BTreeMap::new();
        for (name, mut saved) in saved.apps {
            if !same_boot {
                saved
                    .deployments
                    .values_mut()
                    .for_each(|deployment| deployment.replicas.clear());
            }
            context.services.extend(saved.services.clone());
            let app = App::restore(&name, saved, &mut context);
            apps.insert(name, app);
        }
        let mut unfinished = saved.runs;
        if !same_boot {
            // The attempt is over, but nothing with its pid now is it.
            unfinished
                .iter_mut()
                .filter_map(|run| run.unfinished.as_mut()?.attempt.as_mut())
                .for_each(|identity| {
                    identity.start_ticks = 0;
                });
        }
        let runs = Runs::restore(unfinished, &mut context);
        let long_ago = Instant::now();
        let supervisor = Supervisor {
            context,
            apps,
            runs,
            head: saved.revision,
            compared: String::new(),
            look_error: None,
            compare_error: None,
            state_error: None,
            looking: false,
            comparing: false,
            compare_after: long_ago,
            tidied: long_ago,
            ending: false,
        };
        supervisor.end_strays();
        supervisor
    }

    /// Handles one event and does what is then due.
    pub fn handle(&mut self, event: Event) {
        match event {
            Event::Head(head) => self.head_seen(head),
            Event::Compared(comparison) => self.take_in(comparison),
            Event::Prepared(image, result) => self.context.prepared(image, result),
            Event::Ended(key, ended) => {
                let of_run = self.runs.ended(key, ended, &mut self.context);
                let mut deployments = self
                    .apps
                    .values_mut()
                    .flat_map(|app| app.deployments.values_mut());
                if !of_run && !deployments.any(|d| d.ended(key, ended, &mut self.context)) {
                    tracing::debug!(key, "a process that is not known any more ended");
                }
            }
            Event::Probed(key, word) => {
                let mut deployments = self
                    .apps
                    .values_mut()
                    .flat_map(|app| app.deployments.values_mut());
                if !deployments.any(|d| d.probed(key, &word, &mut self.context)) {
                    tracing::debug!(key, "a probe of a process that is not known any more");
                }
            }
            Event::Asked(Question { ask, answer }) => {
                let answered = self.answer(ask);
                // Whoever asked may have gone.
                let _ = answer.send(answered);
            }
        }
        self.step();
    }

    /// Does what is due by the clock.
    pub fn tick(&mut self) {
        if !self.ending {
            self.look();
        }
        self.step();
        if self.tidied.elapsed() >= TIDY_EVERY {
            self.tidied = Instant::now();
            self.tidy();
        }
    }

    fn step(&mut self) {
        for app in self.apps.values_mut() {
            app.step(self.ending, &mut self.runs, &mut self.context);
        }
        self.apps
            .retain(|_, app| !(app.removed && app.deployments.is_empty()));
        self.runs.step(&mut self.context);
        if std::mem::take(&mut self.context.dirty) {
            self.remember();
        }
    }

    fn remember(&mut self) {
        let saved = Saved {
            boot_id: procfs::boot_id(),
            revision: self.head.clone(),
            apps: self
                .apps
                .iter()
                .map(|(name, app)| (name.clone(), app.saved()))
                .collect(),
            runs: self.runs.saved(),
            ..Saved::default()
        };
        let path = state::path(&self.context.home);
        let error = state::write(&self.context.home, &saved).err();
        let error = error.map(|error| format!("cannot write {}: {error}", path.display()));
        if error.is_some() && error != self.state_error {
            tracing::error!(error, "what runs keeps running");
        }
        self.state_error = error;
    }

    /// Ends everything; [`Supervisor::is_over`] says when that is done.
    pub fn end(&mut self) {
        if std::mem::replace(&mut self.ending, true) {
            return;
        }
        tracing::info!("everything is stopped");
        self.runs.stop_all("the engine was shut down", self.context.now());
        self.step();
    }

    /// Whether nothing that was started is left.
    pub fn is_over(&self) -> bool {
        let left = self.apps.values().flat_map(|app| app.deployments.values());
        self.ending
            && !self.runs.any_running()
            && left
                .into_iter()
                .all(|d| d.replicas.values().all(|r| r.identity().is_none()))
    }

    /// Ends processes that bear this state folder's mark and belong to nothing that is known:
    /// started in the instant before an engine was killed, or escaped from their group.
    pub fn end_strays(&self) {
        let replicas = self
            .apps
            .values()
            .flat_map(|app| app.deployments.values())
            .flat_map(|d| d.replicas.values());
        let known: Vec<u32> = replicas
            .filter_map(|replica| Some(replica.identity()?.pid))
            .collect();
        let family: Vec<u32> = known.iter().flat_map(|pid| procfs::group_members(*pid)).collect();
        for stray in procfs::supervised(&self.context.home) {
            if !family.contains(&stray.pid)
                && let Some(process) = crate::process::adopt(stray, false)
            {
                tracing::warn!(pid = stray.pid, "a process of an earlier engine is ended");
                process.kill();
            }
        }
    }
}

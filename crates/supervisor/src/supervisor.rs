//! The engine's one task: events in, steps out. Nothing here blocks or waits.

use crate::{
    app::{App, wish_of},
    attempt,
    compare::{self, Compared, Comparison, Outcome},
    config::Config,
    context::{Context, Event, ImageState},
    git::Source,
    home::Home,
    image, logs, procfs,
    runs::Runs,
    server::{Answer, Ask, Question, Refusal, RunRequest},
    services::ServicePort,
    state::{self, Saved},
    status,
};
use engine::{Condition, Status};
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// `main` is looked at, and what is due is done, this often.
pub const TICK: Duration = Duration::from_millis(50);
/// Overlays that could not be compared are tried again after so long.
const COMPARE_AGAIN: Duration = Duration::from_secs(3);
const TIDY_EVERY: Duration = Duration::from_secs(2);
/// Log files kept for one application.
const LOGS_MAX: usize = 12;
/// Unpacked images kept besides those in use, so that a revert need not unpack.
const SPARE_IMAGES: usize = 3;

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

    fn look(&mut self) {
        if !std::mem::replace(&mut self.looking, true) {
            let source = Source {
                repository: self.context.home.join("gitops.git"),
            };
            let events = self.context.events.clone();
            tokio::spawn(async move {
                let looked =
                    tokio::task::spawn_blocking(move || source.head().map_err(|error| error.to_string()));
                let head = looked.await.unwrap_or_else(|panicked| Err(panicked.to_string()));
                drop(events.send(Event::Head(head)).await);
            });
        }
    }

    fn head_seen(&mut self, head: Result<String, String>) {
        self.looking = false;
        match head {
            Err(reason) => {
                if self.look_error.as_ref() != Some(&reason) {
                    tracing::error!(reason, "main cannot be read; what runs keeps running");
                }
                self.look_error = Some(reason);
            }
            Ok(head) => {
                self.look_error = None;
                let again = self.compare_error.is_some() || self.apps.values().any(|app| app.error.is_some());
                let due = self.compared != head || (again && self.compare_after <= Instant::now());
                self.head = head;
                if due && !self.comparing && !self.ending {
                    self.compare();
                }
            }
        }
    }

    fn compare(&mut self) {
        self.comparing = true;
        let known = self
            .apps
            .iter()
            .map(|(name, app)| (name.clone(), app.identity.clone()))
            .collect();
        let (home, config) = (self.context.home.clone(), self.context.config.clone());
        let (events, head) = (self.context.events.clone(), self.head.clone());
        tokio::spawn(async move {
            let comparison = compare::compare(home, config, head, known).await;
            drop(events.send(Event::Compared(comparison)).await);
        });
    }

    fn take_in(&mut self, comparison: Comparison) {
        self.comparing = false;
        self.compare_after = Instant::now() + COMPARE_AGAIN;
        if self.ending {
            return;
        }
        let Comparison { head, apps } = comparison;
        let first_time = self.compared != head;
        self.compared.clone_from(&head);
        self.context.dirty = true;
        let compared = match apps {
            Ok(compared) => compared,
            Err(reason) => {
                tracing::error!(
                    commit = head,
                    reason,
                    "the commit cannot be read; what runs keeps running"
                );
                self.compare_error = Some(reason);
                return;
            }
        };
        self.compare_error = None;
        if first_time {
            tracing::info!(commit = head, "compared");
        }
        for app in self
            .apps
            .values_mut()
            .filter(|app| !compared.contains_key(&app.name))
        {
            app.remove(&self.context);
        }
        for (name, made) in compared {
            self.take_in_one(&name, made, &head);
        }
        self.context.services = self.apps.values().flat_map(|app| app.services.clone()).collect();
    }

    fn take_in_one(&mut self, name: &str, made: Compared, head: &str) {
        let outcome = match made.outcome {
            Outcome::Planned(plan) => match self.taken_port(&plan.services, name) {
                Some(reason) => Outcome::Failed(reason),
                None => Outcome::Planned(plan),
            },
            other => other,
        };
        let app = self.apps.entry(name.to_owned()).or_insert_with(|| App::new(name));
        app.removed = false;
        head.clone_into(&mut app.revision);
        match outcome {
            Outcome::Unchanged => {}
            Outcome::Planned(plan) => {
                app.identity = made.identity;
                app.plan(*plan, &self.context);
            }
            Outcome::Failed(reason) => {
                if app.error.as_ref() != Some(&reason) {
                    tracing::error!(
                        app = name,
                        commit = head,
                        reason,
                        "cannot be compared; what runs keeps running"
                    );
                }
                app.identity.clear();
                app.error = Some(reason);
            }
        }
    }

    /// A port of this machine can be that of one Service only.
    fn taken_port(&self, wanted: &[ServicePort], name: &str) -> Option<String> {
        let others = || {
            self.apps
                .values()
                .filter(|app| app.name != name)
                .flat_map(|app| &app.services)
        };
        wanted.iter().enumerate().find_map(|(index, port)| {
            let same = |other: &&ServicePort| other.host_port == port.host_port;
            let other = others()
                .find(same)
                .or_else(|| wanted[..index].iter().find(same))?;
            Some(format!(
                "Service {} wants port {} of this machine, which Service {} in {} has",
                port.service, port.host_port, other.service, other.namespace
            ))
        })
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        if self.ending && !matches!(ask, Ask::Status | Ask::Shutdown) {
            return Err(Refusal::conflict("the engine is ending".to_owned()));
        }
        let json = |error: serde_json::Error| Refusal::conflict(error.to_string());
        match ask {
            Ask::Status => serde_json::to_value(self.status()).map_err(json),
            Ask::Refresh => {
                self.look();
                Ok(serde_json::json!({}))
            }
            Ask::StartRun(request) => self.start_run(request),
            Ask::Run(id) => {
                let run = self.runs.find(&id, &self.context);
                let run = run.ok_or_else(|| Refusal::not_found(format!("no run {id:?}")))?;
                serde_json::to_value(run).map_err(json)
            }
            Ask::Logs(of, count) => serde_json::to_value(self.logs(&of, count)?).map_err(json),
            Ask::Kill(of) => self.kill(&of),
            Ask::Suspend(name, suspended) => {
                let app = self.apps.get_mut(&name).ok_or_else(|| no_app(&name))?;
                app.suspended = suspended;
                self.context.dirty = true;
                Ok(serde_json::json!({}))
            }
            Ask::Shutdown => {
                self.end();
                Ok(serde_json::json!({}))
            }
        }
    }

    fn status(&self) -> Status {
        let apps = self.apps.values().map(|app| {
            let error = self.look_error.as_ref().or(self.compare_error.as_ref());
            let mut status = status::of(app, error.map(String::as_str), &self.context);
            status
                .conditions
                .extend(self.state_error.iter().map(|error| Condition {
                    kind: "StateError".to_owned(),
                    message: error.clone(),
                }));
            status
        });
        Status {
            engine: "local".to_owned(),
            revision: self.head.clone(),
            apps: apps.collect(),
            runs: self.runs.list(),
        }
    }

    fn start_run(&mut self, request: RunRequest) -> Answer {
        let cron = self
            .apps
            .values()
            .find_map(|app| app.crons.get(&request.template));
        let Some(cron) = cron else {
            return Err(Refusal::not_found(format!(
                "no CronJob {:?} in the overlays",
                request.template
            )));
        };
        let wish = wish_of(cron, request.args, request.env, false);
        let run = self.runs.request(wish, &mut self.context)?;
        serde_json::to_value(run).map_err(|error| Refusal::conflict(error.to_string()))
    }

    fn logs(&self, of: &str, count: usize) -> Result<Vec<String>, Refusal> {
        if let Some(run) = self.runs.find(of, &self.context) {
            return Ok(attempt::lines(&run, &self.context.home, count));
        }
        let app = self.apps.get(of).ok_or_else(|| no_app(of))?;
        let replicas = app
            .deployments
            .values()
            .flat_map(|deployment| deployment.replicas.values());
        let mut lines: Vec<String> = replicas
            .flat_map(|replica| logs::tail(&replica.log, count))
            .collect();
        let surplus = lines.len().saturating_sub(count);
        Ok(lines.split_off(surplus))
    }

    fn kill(&mut self, of: &str) -> Answer {
        let killed = match self.runs.kill(of) {
            Some(killed) => killed,
            None => {
                let app = self.apps.get(of).ok_or_else(|| no_app(of))?;
                // One that serves, since that is what a test of the bad days means.
                let member = app.deployments.values().find_map(|deployment| {
                    let ready = deployment.members.iter().find(|m| m.ready);
                    deployment.replicas.get(&ready.or(deployment.members.first())?.id)
                });
                member.map(crate::replica::Replica::kill).is_some()
            }
        };
        match killed {
            true => Ok(serde_json::json!({})),
            false => Err(Refusal::conflict(format!("no process of {of:?} runs"))),
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

    fn tidy(&mut self) {
        let limits: BTreeMap<String, (usize, usize)> = self
            .apps
            .values()
            .flat_map(|app| app.crons.iter())
            .map(|(name, cron)| (name.clone(), (cron.plan.keep_succeeded, cron.plan.keep_failed)))
            .collect();
        self.runs.forget(
            |template| limits.get(template).copied().unwrap_or((3, 3)),
            &mut self.context,
        );
        let replicas = || {
            self.apps
                .values()
                .flat_map(|a| a.deployments.values())
                .flat_map(|d| d.replicas.values())
        };
        let mut used: Vec<_> = replicas().map(|replica| replica.log.clone()).collect();
        used.extend(self.runs.files_in_use());
        let needed: Vec<String> = self
            .apps
            .values()
            .flat_map(App::images)
            .chain(self.runs.images())
            .collect();
        self.context.images.retain(|image, _| needed.contains(image));
        let mut digests: Vec<String> = replicas().map(|replica| replica.image.clone()).collect();
        digests.extend(self.context.images.values().filter_map(ImageState::digest));
        // One that is just being unpacked is not known by its digest yet.
        let may_sweep = !self
            .context
            .images
            .values()
            .any(|image| matches!(image, ImageState::Preparing));
        digests.extend(needed);
        let names: Vec<String> = self.apps.keys().cloned().collect();
        let home = self.context.home.clone();
        tokio::task::spawn_blocking(move || {
            for path in &used {
                logs::bound(path);
            }
            let used: Vec<&Path> = used.iter().map(std::path::PathBuf::as_path).collect();
            for name in names {
                logs::prune(&home.join("logs").join(name), LOGS_MAX, &used);
            }
            if may_sweep {
                image::sweep(&home, &digests, SPARE_IMAGES);
            }
        });
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

fn no_app(name: &str) -> Refusal {
    Refusal::not_found(format!("no application or run {name:?}"))
}

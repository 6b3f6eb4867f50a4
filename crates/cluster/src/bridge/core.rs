//! The bridge's memory, and its one task: look, judge, ask Argo CD to look again where that is due.

mod ask;
mod troubles;

use super::{
    address::Addresses,
    git::Git,
    runs,
    traffic::{self, Reached, Traffic},
    usage::Usage,
};
use crate::{
    Error, Kind, Result,
    argo::Application,
    jobs,
    live::{Look, Moment, Tracker, Verdict},
    nudge::{self, Now, Nudges, Reason},
    schedule,
    snapshot::{Reader, Snapshot},
    view,
    workload::Workload,
};
use engine::{Run, Status};
use k8s_openapi::api::batch::v1::Job;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, Semaphore};

/// Between two looks of the bridge's own while something is on its way.
const BUSY: Duration = Duration::from_millis(100);
/// As that, while all is live at the head of main.
const IDLE: Duration = Duration::from_secs(1);
/// Age of the head of main after which it is read again unasked.
const HEAD_AGE: Duration = Duration::from_millis(1500);
/// An image that could not be fetched because the registry did not answer may be there soon.
const PATIENCE: Duration = Duration::from_secs(12);
/// Ended runs that are remembered.
const ENDED_MAX: usize = 100;
/// Lines of a guilty pod's log that are told.
const LOG_LINES: i64 = 20;

/// See the module.
#[derive(Debug)]
pub struct Core {
    /// `minikube` or `cluster`.
    pub engine: String,
    /// Folder under `kustomize/overlays`.
    pub environment: String,
    /// Reads the cluster.
    pub reader: Reader,
    /// Reads the repository.
    pub git: Git,
    /// Where Services answer on this machine.
    pub addresses: Addresses,
    usage: Usage,
    memory: Mutex<Memory>,
    /// One reading at a time: more would only make each slower.
    one: Semaphore,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Memory {
    tracker: Tracker,
    traffic: Traffic,
    nudges: Nudges,
    head: Option<String>,
    /// When the reading of `head` began.
    head_at: Option<Moment>,
    refreshed_at: Option<Moment>,
    /// When a trouble that may pass was first seen, by pod.
    troubles: BTreeMap<String, Moment>,
    /// Log tails of guilty pods, by pod and restarts.
    logs: BTreeMap<(String, i32), Vec<String>>,
    /// What was last complained about, so that it is not repeated with each look.
    complaints: BTreeMap<&'static str, String>,
    /// Runs that were seen at their end: their Jobs are deleted after some more.
    ended: BTreeMap<String, Run>,
    /// Answer of the last reading, with when that began.
    last: Option<(Moment, Status)>,
}

/// What one look found besides the status.
struct Seen {
    status: Status,
    due: Vec<Due>,
    /// All Jobs, where one of them waits for its turn.
    jobs: Vec<Job>,
    namespaces: BTreeSet<String>,
    quiet: bool,
}

/// A refresh that is due.
struct Due {
    app: String,
    revision: String,
    resource_version: String,
    ticket: Option<u64>,
    reason: Reason,
}

impl Core {
    /// A bridge that has not looked yet.
    pub fn new(engine: &str, environment: &str, reader: Reader, git: Git, addresses: Addresses) -> Self {
        Core {
            engine: engine.to_owned(),
            environment: environment.to_owned(),
            reader,
            git,
            addresses,
            usage: Usage::default(),
            memory: Mutex::default(),
            one: Semaphore::new(1),
            wake: Notify::new(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Status from a reading that began after this call.
    ///
    /// # Errors
    /// What the API server said.
    pub async fn status(&self) -> Result<Status> {
        let asked = self.reader.now();
        let seen = self.look(Some(asked)).await?;
        if !seen.due.is_empty() {
            self.wake.notify_one();
        }
        Ok(seen.status)
    }

    /// Main may have moved.
    pub fn refresh(&self) {
        self.memory().refreshed_at = Some(self.reader.now());
        self.wake.notify_one();
    }

    /// Looks and asks until the program ends.
    pub async fn run(&self) {
        loop {
            self.read_head().await;
            let pause = match self.look(None).await {
                Ok(seen) => {
                    let due = seen.due.iter().map(|due| self.ask(due));
                    futures_util::future::join_all(due).await;
                    if let Err(error) = runs::let_go(&self.reader, &seen.jobs).await {
                        self.complain("waiting runs", &error);
                    }
                    self.usage.read(&self.reader, &seen.namespaces).await;
                    if seen.quiet { IDLE } else { BUSY }
                }
                Err(error) => {
                    self.complain("no reading", &error);
                    Duration::from_secs(1)
                }
            };
            let _ = tokio::time::timeout(pause, self.wake.notified()).await;
        }
    }

    /// Reads the head of main where somebody asked for it or it is old.
    async fn read_head(&self) {
        let now = self.reader.now();
        let due = {
            let memory = self.memory();
            let asked = memory
                .refreshed_at
                .is_some_and(|at| memory.head_at.is_none_or(|read| read <= at));
            asked
                || memory
                    .head_at
                    .is_none_or(|read| now.saturating_sub(read) >= HEAD_AGE)
        };
        if !due {
            return;
        }
        let head = self.git.head().await;
        let mut memory = self.memory();
        memory.head_at = Some(now);
        match head {
            Ok(head) => memory.head = Some(head),
            Err(error) => {
                drop(memory);
                self.complain("head of main", &error);
            }
        }
    }

    /// Once for each cause: what is down is down for many looks.
    fn complain(&self, what: &'static str, error: &Error) {
        let text = error.to_string();
        let mut memory = self.memory();
        if memory.complaints.get(what) != Some(&text) {
            tracing::warn!("{what}: {text}");
            memory.complaints.insert(what, text);
        }
    }

    /// The run of that id with its output.
    ///
    /// # Errors
    /// `NotFound`, or what the API server said.
    pub async fn find_run(&self, id: &str) -> Result<Run> {
        let found = runs::find(&self.reader, id).await?;
        let mut memory = self.memory();
        match found {
            Some(run) => {
                if run.finished_at.is_some() {
                    if memory.ended.len() >= ENDED_MAX {
                        memory.ended.clear();
                    }
                    memory.ended.insert(run.id.clone(), run.clone());
                }
                Ok(run)
            }
            None => {
                let none = || Error::new(Kind::NotFound, format!("no run {id:?}"));
                memory.ended.get(id).cloned().ok_or_else(none)
            }
        }
    }

    async fn look(&self, asked: Option<Moment>) -> Result<Seen> {
        let _one = self.one.acquire().await;
        if let (Some(asked), Some((at, status))) = (asked, &self.memory().last) {
            // Somebody else's reading, begun after this question.
            if *at > asked {
                return Ok(Seen {
                    status: status.clone(),
                    due: Vec::new(),
                    jobs: Vec::new(),
                    namespaces: BTreeSet::new(),
                    quiet: true,
                });
            }
        }
        let snapshot = self.reader.read().await?;
        Ok(self.judge(&snapshot).await)
    }

    async fn judge(&self, snapshot: &Snapshot) -> Seen {
        let mut status = Status {
            engine: self.engine.clone(),
            revision: String::new(),
            apps: Vec::new(),
            runs: runs::list(snapshot),
        };
        let (mut due, mut quiet) = (Vec::new(), true);
        let head = self.memory().head.clone();
        let behind = nudge::behind(snapshot.apps.iter().map(|(app, _)| app), head.as_deref());
        for (app, steady) in &snapshot.apps {
            let (mut workloads, complete) = snapshot.workloads(app);
            self.lose_patience(snapshot.at, &mut workloads);
            let fingerprint = snapshot.fingerprint(app, &workloads);
            let release = self
                .git
                .release(&app.name, app.revision.as_deref(), &workloads, snapshot.at)
                .await;
            let look = Look {
                at: snapshot.at,
                app,
                workloads: &workloads,
                fingerprint: &fingerprint,
                complete,
                release: &release,
                steady: *steady,
            };
            let mut verdict = self.memory().tracker.look(look);
            let address = self.addresses.of(app, snapshot).await;
            self.follow_traffic(look, &mut verdict, address.as_deref()).await;
            let (reason, silent) = self.nudge(snapshot.at, app, &verdict, &workloads, behind);
            due.extend(reason.map(|reason| Due {
                app: app.name.clone(),
                revision: verdict.revision.clone(),
                resource_version: app.resource_version.clone(),
                ticket: verdict.ticket,
                reason,
            }));
            quiet &= verdict.live;
            let crons = snapshot.cron_jobs(app);
            let mut known = view::Known {
                app,
                workloads: &workloads,
                verdict: &verdict,
                log: &[],
                address,
                template_images: &schedule::images(&crons),
                next_schedule: schedule::next_of(&crons),
                silent_s: silent.map(|silent| silent.as_secs()),
            };
            let log = match view::guilty(&known) {
                Some(trouble) if trouble.has_log => self.log_of(app, trouble).await,
                _ => Vec::new(),
            };
            known.log = &log;
            status.apps.push(view::of(&known));
        }
        self.usage.tell(&mut status);
        let mut memory = self.memory();
        let there = |name: &str| snapshot.apps.iter().any(|(app, _)| app.name == name);
        memory.tracker.keep(there);
        memory.traffic.keep(there);
        memory.nudges.keep(there);
        status.revision = memory.head.clone().unwrap_or_default();
        quiet &= memory.head.is_some() && due.is_empty();
        memory.last = Some((snapshot.at, status.clone()));
        let all = || snapshot.namespaces.values().flat_map(|objects| &objects.jobs);
        let jobs: Vec<Job> = match all().any(jobs::waits) {
            true => all().cloned().collect(),
            false => Vec::new(),
        };
        // A run that waits is let go soon after the one before it ends.
        quiet &= jobs.is_empty();
        Seen {
            status,
            due,
            jobs,
            namespaces: snapshot.namespaces.keys().cloned().collect(),
            quiet,
        }
    }

    /// Live is what the address answers with, too.
    async fn follow_traffic(&self, look: Look<'_>, verdict: &mut Verdict, address: Option<&str>) {
        let app = look.app.name.as_str();
        let served = look.complete && look.workloads.iter().any(|w| w.pods.iter().any(|pod| pod.ready));
        let due = self
            .memory()
            .traffic
            .due(app, look.at, verdict, look.release, served);
        let reached = match (due, address, traffic::digest(app, look.workloads)) {
            (traffic::Due::Now, Some(address), Some(digest)) => Some(traffic::ask(address, digest).await),
            (traffic::Due::Later, Some(address), Some(_)) => {
                Some(Reached::Silent(format!("{address} may not lead to it yet")))
            }
            _ => None,
        };
        self.memory().traffic.judge(app, look.at, verdict, reached);
    }

    fn nudge(
        &self,
        at: Moment,
        app: &Application,
        verdict: &Verdict,
        workloads: &[Workload],
        release_behind: bool,
    ) -> (Option<Reason>, Option<Duration>) {
        let mut memory = self.memory();
        let head = memory.head.clone();
        let now = Now {
            at,
            app,
            verdict,
            at_rest: workloads.iter().all(|workload| workload.unsettled.is_none()),
            head: head.as_deref(),
            refreshed_at: memory.refreshed_at,
            release_behind,
        };
        let reason = memory.nudges.decide(now);
        (reason, memory.nudges.silent(&app.name, at))
    }
}

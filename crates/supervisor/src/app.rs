//! One application: its Deployments, CronJobs and Jobs, and what there is to say about them.

use crate::{
    context::{Context, ImageState},
    deployment::Deployment,
    plan::{AppPlan, Concurrency, CronPlan, JobPlan},
    runs::{Runs, Wish},
    schedule,
    services::ServicePort,
    state::{SavedApp, SavedJob},
};
use engine::{NotHonoured, RunPhase};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A CronJob and its clock.
#[derive(Debug)]
pub struct Cron {
    /// What the overlay says.
    pub plan: CronPlan,
    /// Starts after this were not looked at yet.
    seen: Timestamp,
    /// The next start by the schedule.
    pub next: Option<Timestamp>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct App {
    /// Sub-folder of the overlays.
    pub name: String,
    /// Identity of what it was made from; empty when it must be made again.
    pub identity: String,
    /// Commit last compared with.
    pub revision: String,
    /// Commit of what runs.
    pub live_revision: String,
    /// Why it cannot be compared.
    pub error: Option<String>,
    /// Stopped on purpose.
    pub suspended: bool,
    /// `main` does not have it any more.
    pub removed: bool,
    /// By name.
    pub deployments: BTreeMap<String, Deployment>,
    /// By name.
    pub crons: BTreeMap<String, Cron>,
    /// Jobs of the overlay.
    pub jobs: Vec<JobPlan>,
    /// Jobs that were started.
    pub started_jobs: BTreeMap<String, SavedJob>,
    /// Its ports on this machine.
    pub services: Vec<ServicePort>,
    /// What is not honoured.
    pub not_honoured: Vec<NotHonoured>,
}

impl App {
    /// Nothing known yet.
    pub fn new(name: &str) -> Self {
        App {
            name: name.to_owned(),
            ..App::default()
        }
    }

    /// Takes in a new plan.
    pub fn plan(&mut self, plan: AppPlan, context: &Context) {
        let now = context.now();
        let wanted: BTreeSet<String> = plan.deployments.iter().map(|d| d.pod.workload.clone()).collect();
        for deployment in self
            .deployments
            .values_mut()
            .filter(|d| !wanted.contains(&d.name))
        {
            deployment.want(None, now);
        }
        for made in plan.deployments {
            let name = made.pod.workload.clone();
            let new = || Deployment::new(&self.name, &name);
            self.deployments
                .entry(name.clone())
                .or_insert_with(new)
                .want(Some(made), now);
        }
        let mut before = std::mem::take(&mut self.crons);
        for made in plan.crons {
            let name = made.job.pod.workload.clone();
            // A changed schedule counts from now; what was missed by the old one stays missed.
            let seen = before
                .remove(&name)
                .filter(|cron| cron.plan.schedule == made.schedule && !cron.plan.suspend)
                .map_or_else(Timestamp::now, |cron| cron.seen);
            let next = schedule::next(&made.schedule, made.time_zone.as_deref(), seen);
            self.crons.insert(
                name,
                Cron {
                    plan: made,
                    seen,
                    next,
                },
            );
        }
        self.jobs = plan.jobs;
        self.services = plan.services;
        self.not_honoured = plan.not_honoured;
        self.error = None;
    }

    /// Takes in that `main` does not have it any more.
    pub fn remove(&mut self, context: &Context) {
        self.removed = true;
        self.plan(AppPlan::default(), context);
    }

    /// Carries out every step that is due; an `ending` engine only stops things.
    pub fn step(&mut self, ending: bool, runs: &mut Runs, context: &mut Context) {
        for deployment in self.deployments.values_mut() {
            deployment.step(self.suspended || ending, context);
        }
        self.deployments.retain(|_, deployment| !deployment.is_gone());
        if ending {
            return;
        }
        self.start_by_clock(Timestamp::now(), runs, context);
        self.start_jobs(runs, context);
        if self.live_revision != self.revision && self.is_synced(context) {
            self.live_revision.clone_from(&self.revision);
            context.dirty = true;
        }
    }

    fn start_by_clock(&mut self, now: Timestamp, runs: &mut Runs, context: &mut Context) {
        for (name, cron) in &mut self.crons {
            let Some(due) = cron.next.filter(|due| *due <= now) else {
                continue;
            };
            // Were several missed (the machine slept), one start makes up for all of them.
            cron.seen = now;
            cron.next = schedule::next(&cron.plan.schedule, cron.plan.time_zone.as_deref(), now);
            let late_s = now.duration_since(due).as_secs();
            let too_late = cron
                .plan
                .starting_deadline_s
                .is_some_and(|most| late_s > i64::from(most));
            if cron.plan.suspend || self.suspended || too_late {
                continue;
            }
            let wish = wish_of(cron, Vec::new(), BTreeMap::new(), true);
            if let Err(refusal) = runs.request(wish, context) {
                tracing::warn!(cron = name, reason = refusal.message, "not started");
            }
        }
    }

    fn start_jobs(&mut self, runs: &mut Runs, context: &mut Context) {
        for job in self.jobs.iter().filter(|_| !self.suspended) {
            let name = &job.pod.workload;
            match self
                .started_jobs
                .get_mut(name)
                .filter(|started| started.hash == job.hash)
            {
                Some(started) => {
                    if let Some(run) = runs
                        .find(&started.run, context)
                        .filter(|run| run.phase != started.phase)
                    {
                        started.phase = run.phase;
                        context.dirty = true;
                    }
                }
                None => {
                    let wish = Wish {
                        template: name.clone(),
                        job: job.clone(),
                        concurrency: Concurrency::Allow,
                        args: Vec::new(),
                        env: BTreeMap::new(),
                        by_clock: false,
                        name: None,
                    };
                    // Refused while its image is missing: asked again at the next step.
                    if let Ok(Some(run)) = runs.request(wish, context) {
                        let started = SavedJob {
                            hash: job.hash.clone(),
                            run: run.id,
                            phase: run.phase,
                        };
                        self.started_jobs.insert(name.clone(), started);
                    }
                }
            }
        }
    }

    /// Whether what runs, or would be started, is what `main` says.
    pub fn is_synced(&self, context: &mut Context) -> bool {
        self.error.is_none()
            && self
                .deployments
                .values()
                .all(|deployment| deployment.is_synced(context.now()))
            && self
                .template_images()
                .iter()
                .all(|image| matches!(context.image(image), ImageState::Ready(_)))
            && self.jobs.iter().all(|job| self.started(job).is_some())
    }

    /// The run of a Job of the overlay as it is now.
    pub fn started(&self, job: &JobPlan) -> Option<RunPhase> {
        let started = self.started_jobs.get(&job.pod.workload)?;
        (started.hash == job.hash).then_some(started.phase)
    }

    /// Images that its CronJobs run.
    pub fn template_images(&self) -> Vec<String> {
        let jobs = self.crons.values().map(|cron| &cron.plan.job);
        jobs.filter_map(|job| job.pod.container.image.clone()).collect()
    }

    /// All images it may need.
    pub fn images(&self) -> Vec<String> {
        let mut images = self.template_images();
        images.extend(self.jobs.iter().filter_map(|job| job.pod.container.image.clone()));
        for deployment in self.deployments.values() {
            let plans = deployment.live.iter().chain(deployment.wanted.iter());
            images.extend(plans.filter_map(|plan| plan.pod.container.image.clone()));
        }
        images
    }

    /// What a successor must know.
    pub fn saved(&self) -> SavedApp {
        SavedApp {
            live_revision: self.live_revision.clone(),
            suspended: self.suspended,
            deployments: self
                .deployments
                .iter()
                .map(|(name, d)| (name.clone(), d.saved()))
                .collect(),
            jobs: self.started_jobs.clone(),
            services: self.services.clone(),
        }
    }

    /// What a predecessor left.
    pub fn restore(name: &str, saved: SavedApp, context: &mut Context) -> Self {
        let mut app = App::new(name);
        app.revision.clone_from(&saved.live_revision);
        app.live_revision = saved.live_revision;
        app.suspended = saved.suspended;
        app.started_jobs = saved.jobs;
        app.services = saved.services;
        for (deployment, saved) in saved.deployments {
            let restored = Deployment::restore(name, &deployment, saved, context);
            app.deployments.insert(deployment, restored);
        }
        app
    }
}

/// A run of a CronJob.
pub fn wish_of(cron: &Cron, args: Vec<String>, env: BTreeMap<String, String>, by_clock: bool) -> Wish {
    Wish {
        template: cron.plan.job.pod.workload.clone(),
        job: cron.plan.job.clone(),
        concurrency: cron.plan.concurrency,
        args,
        env,
        by_clock,
        name: None,
    }
}

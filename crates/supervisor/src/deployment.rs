//! One Deployment: its releases, its replicas, and the steps of [`crate::rollout`] carried out.

mod events;
mod kept;
mod listed;

use crate::{
    context::{Context, ImageState},
    plan::DeploymentPlan,
    replica::{Replica, Sockets},
    rollout::{Action, Candidate, Member, Moment, Phase, Target, View, decide},
};
use std::{collections::BTreeMap, time::Duration};

/// Steps one event may cause; more would mean that they do not converge.
const STEPS_MAX: usize = 100;

/// A release on its way.
#[derive(Debug)]
pub struct OnItsWay {
    /// What it is.
    pub plan: DeploymentPlan,
    /// Its image can be run.
    pub prepared: bool,
    deadline: Moment,
    crashes: u32,
}

/// A release that was given up.
#[derive(Debug)]
pub struct Failed {
    hash: String,
    /// Why, with the last log lines.
    pub message: String,
    /// Tried again then: for reasons that lie outside the release.
    again: Option<Moment>,
}

/// See the module.
#[derive(Debug)]
pub struct Deployment {
    app: String,
    /// Its name.
    pub name: String,
    /// What `main` says; `None` once it is gone from there.
    pub wanted: Option<DeploymentPlan>,
    /// What serves.
    pub live: Option<DeploymentPlan>,
    /// What is to serve next.
    pub candidate: Option<OnItsWay>,
    /// What was to serve.
    pub failed: Option<Failed>,
    /// Where its replicas are.
    pub members: Vec<Member>,
    /// Their processes, by member.
    pub replicas: BTreeMap<u64, Replica>,
    /// Why the live release cannot be started, where it cannot.
    pub trouble: Option<String>,
    /// Since when not all live replicas are ready.
    pub unready_since: Option<Moment>,
    sockets: Sockets,
    /// What the last crashed replica said.
    last_words: Vec<String>,
    /// Restarts and crashes that the next replica takes over from one that had to be stopped.
    heritage: Option<(u32, u32)>,
    /// Image of the live release could not be made ready.
    live_prepared: bool,
    /// The list of replicas as it was last written.
    listed: Option<String>,
}

impl Deployment {
    /// Nothing wanted, nothing there.
    pub fn new(app: &str, name: &str) -> Self {
        Deployment {
            app: app.to_owned(),
            name: name.to_owned(),
            wanted: None,
            live: None,
            candidate: None,
            failed: None,
            members: Vec::new(),
            replicas: BTreeMap::new(),
            trouble: None,
            unready_since: None,
            sockets: Sockets::default(),
            last_words: Vec::new(),
            heritage: None,
            live_prepared: false,
            listed: None,
        }
    }

    /// Takes in what `main` says now.
    pub fn want(&mut self, plan: Option<DeploymentPlan>, now: Moment) {
        let Some(plan) = plan else {
            (self.wanted, self.live, self.candidate, self.failed) = (None, None, None, None);
            return;
        };
        if self.live.as_ref().is_some_and(|live| live.hash == plan.hash) {
            // Back to what runs, or only its number changed.
            self.live = Some(plan.clone());
            (self.candidate, self.failed) = (None, None);
        } else if let Some(same) = self.candidate.as_mut().filter(|c| c.plan.hash == plan.hash) {
            same.plan = plan.clone();
        } else if self.failed.as_ref().is_none_or(|failed| failed.hash != plan.hash) {
            self.failed = None;
            self.attempt(plan.clone(), now);
        }
        self.wanted = Some(plan);
    }

    fn attempt(&mut self, plan: DeploymentPlan, now: Moment) {
        let deadline = now + Duration::from_secs(u64::from(plan.progress_deadline_s));
        self.candidate = Some(OnItsWay {
            plan,
            prepared: false,
            deadline,
            crashes: 0,
        });
    }

    /// Whether what runs, and answers from now on, is what `main` says.
    pub fn is_synced(&self, now: Moment) -> bool {
        match (&self.wanted, &self.live) {
            (Some(wanted), Some(live)) => {
                let accepting = |replica: &Replica| replica.may_accept(&self.sockets, now);
                wanted.hash == live.hash && self.candidate.is_none() && !self.replicas.values().any(accepting)
            }
            (None, _) => self.members.is_empty(),
            _ => false,
        }
    }

    /// Whether nothing of it is left and nothing is wanted.
    pub fn is_gone(&self) -> bool {
        self.wanted.is_none() && self.members.is_empty()
    }

    /// Carries out every step that is due.
    pub fn step(&mut self, suspended: bool, context: &mut Context) {
        self.try_again(context.now());
        for _ in 0..STEPS_MAX {
            self.look_at_images(suspended, context);
            let now = context.now();
            let target = |plan: &DeploymentPlan, prepared| Target {
                release: plan.hash.clone(),
                replicas: plan.replicas as usize,
                prepared,
            };
            let live = self.live.as_ref().map(|plan| target(plan, self.live_prepared));
            let candidate = self.candidate.as_ref().map(|on| Candidate {
                target: target(&on.plan, on.prepared),
                deadline: on.deadline,
                crashes: on.crashes,
            });
            let stands_in = |plan: &DeploymentPlan| plan.stand_in.is_some();
            let view = View {
                suspended,
                exclusive: self.live.as_ref().is_some_and(stands_in)
                    || self.candidate.as_ref().is_some_and(|on| stands_in(&on.plan)),
                live: live.as_ref(),
                candidate: candidate.as_ref(),
                members: &self.members,
            };
            let actions = decide(&view, now);
            if actions.is_empty() {
                break;
            }
            for action in actions {
                self.apply(&action, context);
            }
        }
        self.note_readiness(context.now());
        self.list_replicas(context);
        self.sockets.keep(self.ports_in_use(suspended));
    }

    fn try_again(&mut self, now: Moment) {
        let due = self
            .failed
            .as_ref()
            .is_some_and(|failed| failed.again.is_some_and(|again| again <= now));
        if let Some(plan) = self.wanted.clone().filter(|_| due && self.candidate.is_none()) {
            self.attempt(plan, now);
        }
    }

    /// A release without wanted replicas needs no image, nor does a stand-in.
    fn look_at_images(&mut self, suspended: bool, context: &mut Context) {
        let needs_none = |plan: &DeploymentPlan| plan.replicas == 0 || plan.stand_in.is_some();
        if let Some(on) = self.candidate.as_mut().filter(|on| !on.prepared) {
            if needs_none(&on.plan) {
                on.prepared = true;
            } else if !suspended {
                match context.image(image_of(&on.plan)) {
                    ImageState::Preparing => {}
                    ImageState::Ready(_) => {
                        on.prepared = true;
                        // The deadline is for the replicas, not for the unpacking.
                        let deadline = Duration::from_secs(u64::from(on.plan.progress_deadline_s));
                        on.deadline = context.now() + deadline;
                    }
                    ImageState::Failed(reason, again) => self.give_up(reason, Some(again)),
                }
            }
        }
        self.trouble = None;
        self.live_prepared = match &self.live {
            None => false,
            Some(plan) if needs_none(plan) => true,
            Some(_) if suspended => self.live_prepared,
            Some(plan) => match context.image(image_of(plan)) {
                ImageState::Preparing => false,
                ImageState::Ready(_) => true,
                ImageState::Failed(reason, _) => {
                    self.trouble = Some(reason);
                    false
                }
            },
        };
    }

    fn apply(&mut self, action: &Action, context: &mut Context) {
        let now = context.now();
        context.dirty = true;
        match action {
            Action::Start(release) => {
                let Some(plan) = self.plan_of(release) else { return };
                let id = context.key();
                let mut member = Member::started(id, release.clone());
                if let Some((restarts, crashes)) = self.heritage.take() {
                    (member.restarts, member.crashes) = (restarts, crashes);
                }
                self.members.push(member);
                self.replicas
                    .insert(id, Replica::new(&self.app, &plan, id, context));
                self.run(id, &plan, context);
            }
            Action::Restart(id) => {
                let release = self.members.iter_mut().find(|m| m.id == *id).map(|member| {
                    member.restarted();
                    member.release.clone()
                });
                if let Some(plan) = release.and_then(|release| self.plan_of(&release)) {
                    self.run(*id, &plan, context);
                }
            }
            Action::Stop(id) => {
                let grace = self
                    .replicas
                    .get_mut(id)
                    .map_or(Duration::ZERO, |replica| replica.terminate(now));
                self.set_phase(
                    *id,
                    Phase::Stopping {
                        kill_at: now + grace,
                        killed: false,
                    },
                );
            }
            Action::Kill(id) => {
                if let Some(replica) = self.replicas.get(id) {
                    replica.kill();
                }
                self.set_phase(
                    *id,
                    Phase::Stopping {
                        kill_at: now,
                        killed: true,
                    },
                );
            }
            Action::Forget(id) => self.forget(*id),
            Action::Promote => {
                if let Some(on) = self.candidate.take() {
                    tracing::info!(
                        app = self.app,
                        deployment = self.name,
                        release = on.plan.hash,
                        "live"
                    );
                    self.live = Some(on.plan);
                    self.live_prepared = on.prepared;
                    self.failed = None;
                }
            }
            Action::GiveUp(why) => self.give_up_with_words(*why, now),
        }
    }

    fn plan_of(&self, release: &str) -> Option<DeploymentPlan> {
        let plans = self.live.iter().chain(self.candidate.as_ref().map(|on| &on.plan));
        plans.into_iter().find(|plan| plan.hash == release).cloned()
    }

    fn run(&mut self, id: u64, plan: &DeploymentPlan, context: &mut Context) {
        let Some(replica) = self.replicas.get_mut(&id) else {
            return;
        };
        if let Err(reason) = replica.start(plan, &mut self.sockets, context) {
            tracing::warn!(
                app = self.app,
                replica = replica.name,
                reason,
                "cannot be started"
            );
            self.crashed(id, vec![reason], context.now());
        }
    }

    fn set_phase(&mut self, id: u64, phase: Phase) {
        if let Some(member) = self.members.iter_mut().find(|m| m.id == id) {
            member.phase = phase;
            member.ready = false;
        }
    }

    fn forget(&mut self, id: u64) {
        self.members.retain(|m| m.id != id);
        self.replicas.remove(&id);
    }

    fn note_readiness(&mut self, now: Moment) {
        let all = self
            .live
            .as_ref()
            .is_none_or(|live| self.live_ready(live) >= live.replicas as usize);
        self.unready_since = if all {
            None
        } else {
            self.unready_since.or(Some(now))
        };
    }

    /// Ready replicas of the live release, those of an earlier engine included.
    pub fn live_ready(&self, live: &DeploymentPlan) -> usize {
        self.members
            .iter()
            .filter(|m| m.release == live.hash && m.ready)
            .count()
    }

    fn ports_in_use(&self, suspended: bool) -> Vec<u16> {
        let plans = self.live.iter().chain(self.candidate.as_ref().map(|on| &on.plan));
        let wanted = plans
            .filter(|plan| plan.replicas > 0 && !suspended)
            .filter_map(|plan| plan.host_port);
        wanted
            .chain(self.replicas.values().filter_map(|replica| replica.port))
            .collect()
    }
}

/// The image of its container.
pub fn image_of(plan: &DeploymentPlan) -> &str {
    plan.pod.container.image.as_deref().unwrap_or_default()
}

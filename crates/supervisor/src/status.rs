//! What is, in Argo CD's words. Asking changes nothing.

use crate::{
    app::App,
    context::{Context, ImageState},
    deployment::Deployment,
    rollout::{CRASHES_MAX, Moment, Phase},
};
use engine::{AppStatus, Condition, Health, Replica, RunPhase, Sync};
use std::time::Duration;

/// A part of an application, judged.
struct Verdict {
    health: Health,
    message: String,
}

impl Verdict {
    fn new(health: Health, message: impl Into<String>) -> Self {
        Verdict {
            health,
            message: message.into(),
        }
    }
}

/// Everything about one application. `git_error` says why `main` cannot be read, where it cannot.
pub fn of(app: &App, git_error: Option<&str>, context: &Context) -> AppStatus {
    let mut conditions = Vec::new();
    let error = git_error.or(app.error.as_deref());
    if let Some(message) = error {
        conditions.push(Condition {
            kind: "ComparisonError".to_owned(),
            message: message.to_owned(),
        });
    }
    let mut verdicts: Vec<Verdict> = Vec::new();
    for deployment in app.deployments.values() {
        verdicts.push(judge(deployment, app.suspended, context.now()));
        if let Some(failed) = &deployment.failed {
            conditions.push(Condition {
                kind: "DegradedRelease".to_owned(),
                message: failed.message.clone(),
            });
        }
    }
    verdicts.extend(app.template_images().iter().map(|image| template(image, context)));
    for job in &app.jobs {
        let name = &job.pod.workload;
        verdicts.push(match app.started(job) {
            None => Verdict::new(Health::Missing, format!("Job {name} was not started yet")),
            Some(RunPhase::Succeeded) => Verdict::new(Health::Healthy, ""),
            Some(RunPhase::Failed) => Verdict::new(Health::Degraded, format!("Job {name} failed")),
            Some(_) => Verdict::new(Health::Progressing, format!("Job {name} runs")),
        });
    }
    if app.suspended {
        verdicts.push(Verdict::new(Health::Suspended, "stopped on request"));
    }
    verdicts.sort_by_key(|verdict| severity(verdict.health));
    let worst = verdicts.last();
    let wanted: Vec<_> = app
        .deployments
        .values()
        .filter_map(|d| d.wanted.as_ref())
        .collect();
    let synced = app.live_revision == app.revision
        && app
            .deployments
            .values()
            .all(|deployment| deployment.is_synced(context.now()));
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    AppStatus {
        name: app.name.clone(),
        sync: match (error, synced) {
            (Some(_), _) => Sync::Unknown,
            (None, true) => Sync::Synced,
            (None, false) => Sync::OutOfSync,
        },
        health: worst.map_or(Health::Healthy, |verdict| verdict.health),
        revision: app.revision.clone(),
        live_revision: app.live_revision.clone(),
        message: error.map_or_else(
            || worst.map_or(String::new(), |v| first_line(&v.message)),
            first_line,
        ),
        images: images(app, context),
        replicas_wanted: wanted.iter().map(|plan| plan.replicas).sum(),
        replicas: app.deployments.values().flat_map(replicas).collect(),
        address: app.services.first().map(crate::services::ServicePort::address),
        stand_in: wanted
            .iter()
            .find_map(|plan| Some(plan.stand_in.as_ref()?.description.clone())),
        conditions,
        not_honoured: app.not_honoured.clone(),
        next_schedule: app
            .crons
            .values()
            .filter(|cron| !cron.plan.suspend && !app.suspended)
            .filter_map(|cron| cron.next)
            .min()
            .map(|next| next.to_string()),
    }
}

/// The worst word of its parts is the word for an application.
fn severity(health: Health) -> u8 {
    match health {
        Health::Healthy => 0,
        Health::Progressing => 1,
        Health::Missing => 2,
        Health::Degraded => 3,
        // Whoever stopped it knows why nothing else holds.
        Health::Suspended => 4,
    }
}

fn judge(deployment: &Deployment, suspended: bool, now: Moment) -> Verdict {
    if suspended {
        return Verdict::new(Health::Suspended, "");
    }
    if let Some(failed) = &deployment.failed {
        return Verdict::new(Health::Degraded, failed.message.clone());
    }
    if let Some(on) = &deployment.candidate {
        let what = if on.prepared {
            "new replicas start"
        } else {
            "its image is made ready"
        };
        return Verdict::new(Health::Progressing, what);
    }
    let Some(live) = &deployment.live else {
        return Verdict::new(Health::Progressing, "");
    };
    let ready = deployment.live_ready(live);
    if ready >= live.replicas as usize {
        return Verdict::new(Health::Healthy, "");
    }
    let counted = format!("{ready} of {} replicas ready", live.replicas);
    if let Some(trouble) = &deployment.trouble {
        let health = if deployment.members.is_empty() {
            Health::Missing
        } else {
            Health::Degraded
        };
        return Verdict::new(health, format!("{counted}: {trouble}"));
    }
    let crashes = deployment
        .members
        .iter()
        .map(|member| member.crashes)
        .max()
        .unwrap_or(0);
    if crashes >= CRASHES_MAX {
        return Verdict::new(
            Health::Degraded,
            format!("{counted}: crashed {crashes} times in a row"),
        );
    }
    let deadline = Duration::from_secs(u64::from(live.progress_deadline_s));
    let too_long = deployment
        .unready_since
        .is_some_and(|since| now.saturating_sub(since) >= deadline);
    Verdict::new(
        if too_long {
            Health::Degraded
        } else {
            Health::Progressing
        },
        counted,
    )
}

fn template(image: &str, context: &Context) -> Verdict {
    match context.images.get(image) {
        Some(ImageState::Ready(_)) => Verdict::new(Health::Healthy, ""),
        Some(ImageState::Failed(reason, _)) => Verdict::new(Health::Missing, reason.clone()),
        Some(ImageState::Preparing) | None => {
            Verdict::new(Health::Progressing, format!("image {image} is made ready"))
        }
    }
}

fn images(app: &App, context: &Context) -> Vec<String> {
    let mut images = Vec::new();
    for deployment in app.deployments.values() {
        // What is on its way out is not what runs.
        let staying = deployment
            .members
            .iter()
            .filter(|m| !matches!(m.phase, Phase::Stopping { .. }));
        images.extend(staying.filter_map(|m| Some(deployment.replicas.get(&m.id)?.image.clone())));
    }
    for image in app.template_images() {
        if let Some(ImageState::Ready(prepared)) = context.images.get(&image) {
            images.push(prepared.image.clone());
        }
    }
    images.sort();
    images.dedup();
    images
}

fn replicas(deployment: &Deployment) -> Vec<Replica> {
    let of = |member: &crate::rollout::Member| {
        let replica = deployment.replicas.get(&member.id)?;
        Some(Replica {
            name: replica.name.clone(),
            pid: replica.identity().map(|identity| identity.pid),
            ready: member.ready,
            restarts: member.restarts,
            image: replica.image.clone(),
            resident_bytes: None,
        })
    };
    deployment.members.iter().filter_map(of).collect()
}

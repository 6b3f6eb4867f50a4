//! Pure: one Application as `engine::AppStatus`.

use crate::{
    argo::{self, Application, Phase},
    live::Verdict,
    trouble::Trouble,
    workload::Workload,
};
use engine::{AppStatus, Condition, Health, Replica, Sync};

/// All that is known of one Application.
#[derive(Debug)]
pub struct Known<'a> {
    /// What Argo CD says.
    pub app: &'a Application,
    /// Its Deployments and StatefulSets.
    pub workloads: &'a [Workload],
    /// What the live rule says.
    pub verdict: &'a Verdict,
    /// Last log lines of the guilty pod, where there is one with a log.
    pub log: &'a [String],
    /// Base address for clients on this machine.
    pub address: Option<String>,
    /// Images of its CronJobs.
    pub template_images: &'a [String],
    /// Next start of its CronJobs.
    pub next_schedule: Option<String>,
    /// How long a refresh has been asked for that nobody took, where that is too long.
    pub silent_s: Option<u64>,
}

/// Kinds whose health Argo CD judges and this crate does not.
const JUDGED_BY_ARGO: &[&str] = &[
    "Application",
    "APIService",
    "DaemonSet",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "PersistentVolumeClaim",
];

/// The status that clients of the engine see.
pub fn of(known: &Known) -> AppStatus {
    let (app, verdict) = (known.app, known.verdict);
    let (mut health, mut why) = match verdict.live {
        true => (Health::Healthy, String::new()),
        false => health(known),
    };
    let compared = app.sync != argo::Sync::Unknown && !app.conditions.iter().any(|(kind, _)| is_fatal(kind));
    let mut sync = match (compared, verdict.live) {
        (false, _) => Sync::Unknown,
        (true, true) => Sync::Synced,
        (true, false) => sync(known),
    };
    // Argo CD says Synced for a release that cannot start. Whoever reads this status wants to know
    // whether what runs is what main says, as the local engine tells it.
    if health == Health::Degraded && sync == Sync::Synced && verdict.live_revision != verdict.revision {
        sync = Sync::OutOfSync;
    }
    if sync == Sync::Synced && health == Health::Healthy && !verdict.live {
        (health, why) = (Health::Progressing, verdict.why.clone());
    }
    let mut conditions: Vec<Condition> = app
        .conditions
        .iter()
        .filter(|(kind, _)| kind.ends_with("Error"))
        .map(|(kind, message)| condition(kind, message.clone()))
        .collect();
    if let (Health::Degraded, Some(trouble)) = (health, guilty(known)) {
        let mut text = trouble.line();
        for line in known.log {
            text.push('\n');
            text.push_str(line);
        }
        conditions.push(condition("DegradedRelease", text));
    }
    if let Some(seconds) = known.silent_s {
        let text = format!(
            "Argo CD's application controller has not taken a refresh for {seconds} s: it may not be running"
        );
        conditions.push(condition("ControllerSilent", text));
    }
    let message = match conditions.first() {
        Some(first) if !verdict.live && why.is_empty() || sync == Sync::Unknown => {
            first.message.lines().next().unwrap_or_default().to_owned()
        }
        _ if known.silent_s.is_some() && !verdict.live => {
            format!("{why} ({})", conditions.last().map_or("", |c| &c.message))
        }
        _ => why,
    };
    let mut images: Vec<String> = known.template_images.to_vec();
    images.extend(
        known
            .workloads
            .iter()
            .flat_map(|w| w.pods.iter().map(|pod| pod.image.clone())),
    );
    images.sort();
    images.dedup();
    AppStatus {
        name: app.name.clone(),
        sync,
        health,
        revision: verdict.revision.clone(),
        live_revision: verdict.live_revision.clone(),
        message,
        images,
        replicas_wanted: known.workloads.iter().map(|workload| workload.wanted).sum(),
        replicas: known
            .workloads
            .iter()
            .flat_map(|workload| workload.pods.iter().map(replica))
            .collect(),
        address: known.address.clone(),
        stand_in: None,
        conditions,
        not_honoured: Vec::new(),
        next_schedule: known.next_schedule.clone(),
    }
}

fn condition(kind: &str, message: String) -> Condition {
    Condition {
        kind: kind.to_owned(),
        message,
    }
}

/// With these Argo CD has compared nothing, whatever its other words say.
fn is_fatal(kind: &str) -> bool {
    matches!(kind, "ComparisonError" | "InvalidSpecError")
}

fn replica(pod: &crate::workload::Replica) -> Replica {
    Replica {
        name: pod.name.clone(),
        pid: None,
        ready: pod.ready,
        restarts: pod.restarts,
        image: pod.image.clone(),
        resident_bytes: None,
    }
}

/// Argo CD's word, where there is evidence for it.
fn sync(known: &Known) -> Sync {
    let verdict = known.verdict;
    let proven = verdict.applied && verdict.live_revision == verdict.revision;
    match known.app.sync {
        argo::Sync::Synced if proven => Sync::Synced,
        argo::Sync::Unknown => Sync::Unknown,
        _ => Sync::OutOfSync,
    }
}

/// Whether the workloads were made from the commit that the Application names. Right after a
/// comparison they are still those of the commit before, and so are their troubles.
fn is_of_its_commit(known: &Known) -> bool {
    let app = known.app;
    let by_operation = app.operation.as_ref().is_some_and(|operation| {
        operation.revision.is_some()
            && operation.revision == app.revision
            && app
                .resources
                .iter()
                .filter(|r| matches!(r.kind.as_str(), "Deployment" | "StatefulSet"))
                .all(|resource| operation.has_applied(resource))
    });
    known.verdict.applied || by_operation
}

/// The trouble to name.
pub fn guilty<'a>(known: &'a Known) -> Option<&'a Trouble> {
    let troubles = known
        .workloads
        .iter()
        .filter(|w| !w.stopped)
        .filter_map(|w| w.trouble.as_ref());
    troubles
        .filter(|trouble| trouble.lasting)
        .min_by_key(|trouble| !trouble.has_log)
}

/// The word, and why it is that word.
fn health(known: &Known) -> (Health, String) {
    let (app, verdict) = (known.app, known.verdict);
    let of_its_commit = is_of_its_commit(known);
    if known.workloads.iter().any(|workload| workload.stopped) {
        return (Health::Suspended, "stopped on request".to_owned());
    }
    if let Some(trouble) = guilty(known) {
        return match of_its_commit {
            true => (Health::Degraded, trouble.line()),
            false => (
                Health::Progressing,
                format!("the release before did not come up: {}", verdict.why),
            ),
        };
    }
    let failed = app.operation.as_ref().filter(|operation| {
        let current = operation.revision.is_some() && operation.revision == app.revision;
        operation.phase == Phase::Failed && current && app.sync != argo::Sync::Synced && !app.pending
    });
    if let Some(operation) = failed {
        return (
            Health::Degraded,
            format!("the sync failed: {}", operation.message),
        );
    }
    let others = app
        .resources
        .iter()
        .any(|r| JUDGED_BY_ARGO.contains(&r.kind.as_str()));
    let unsettled = known
        .workloads
        .iter()
        .find_map(|w| Some(format!("{}: {}", w.name, w.unsettled.as_ref()?)));
    match app.health {
        // Argo CD's health is that of its last comparison, and lags behind the workloads.
        argo::Health::Degraded if (others || known.workloads.is_empty()) && of_its_commit => {
            (Health::Degraded, "Argo CD says Degraded".to_owned())
        }
        argo::Health::Missing => (Health::Missing, verdict.why.clone()),
        argo::Health::Unknown if known.workloads.is_empty() => (Health::Missing, verdict.why.clone()),
        argo::Health::Suspended => (Health::Suspended, verdict.why.clone()),
        argo::Health::Healthy => match unsettled {
            Some(why) => (Health::Progressing, why),
            None => (Health::Healthy, verdict.why.clone()),
        },
        _ => (
            Health::Progressing,
            unsettled.unwrap_or_else(|| verdict.why.clone()),
        ),
    }
}

/// A CronJob whose last run failed makes its Application Degraded for Argo CD. A run's end is told
/// with the run; the template itself is well.
pub fn without_runs(mut app: Application) -> Application {
    let judged = |kind: &str| matches!(kind, "Deployment" | "StatefulSet") || JUDGED_BY_ARGO.contains(&kind);
    let only_templates =
        app.of_kind("CronJob").next().is_some() && !app.resources.iter().any(|r| judged(&r.kind));
    if only_templates && matches!(app.health, argo::Health::Degraded | argo::Health::Suspended) {
        app.health = argo::Health::Healthy;
    }
    app
}

#[cfg(test)]
mod tests;

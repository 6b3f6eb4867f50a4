use super::*;
use crate::argo::{Operation, Resource};
use proptest::prelude::*;

const MINE: &str = "1111111111111111111111111111111111111111";
const OLD: &str = "0000000000000000000000000000000000000000";

#[derive(Clone, Debug)]
struct World {
    app: Application,
    workloads: Vec<Workload>,
    verdict: Verdict,
    silent_s: Option<u64>,
}

fn resource(kind: &str) -> Resource {
    Resource {
        kind: kind.to_owned(),
        namespace: "serving".to_owned(),
        name: "api".to_owned(),
        status: "Synced".to_owned(),
        ..Resource::default()
    }
}

fn operation(phase: Phase, revision: &str, applied: bool) -> Operation {
    Operation {
        partial: false,
        phase,
        revision: Some(revision.to_owned()),
        started_at: "1".to_owned(),
        finished_at: String::new(),
        message: "said so".to_owned(),
        resources: applied.then(|| resource("Deployment")).into_iter().collect(),
    }
}

fn trouble(lasting: bool) -> Trouble {
    Trouble {
        pod: "api-1".to_owned(),
        container: "api".to_owned(),
        reason: "ErrImagePull".to_owned(),
        image: "none@sha256:1".to_owned(),
        detail: "not found".to_owned(),
        restarts: 0,
        has_log: false,
        lasting,
    }
}

impl World {
    /// Live at MINE.
    fn live() -> Self {
        World {
            app: Application {
                synced_whole: None,
                name: "api".to_owned(),
                resource_version: "1".to_owned(),
                namespace: "serving".to_owned(),
                repo_url: String::new(),
                target_revision: "main".to_owned(),
                sync: argo::Sync::Synced,
                revision: Some(MINE.to_owned()),
                health: argo::Health::Healthy,
                pending: false,
                operation: Some(operation(Phase::Succeeded, MINE, true)),
                refresh_asked: false,
                skipped: false,
                deleting: false,
                conditions: Vec::new(),
                resources: vec![resource("Deployment"), resource("Service")],
            },
            workloads: vec![Workload {
                kind: "Deployment",
                namespace: "serving".to_owned(),
                name: "api".to_owned(),
                wanted: 2,
                fingerprint: "f".to_owned(),
                images: Vec::new(),
                unsettled: None,
                trouble: None,
                stopped: false,
                pods: Vec::new(),
            }],
            verdict: Verdict {
                revision: MINE.to_owned(),
                live_revision: MINE.to_owned(),
                applied: true,
                live: true,
                why: String::new(),
                ticket: None,
                wants_refresh: false,
            },
            silent_s: None,
        }
    }

    /// On its way from OLD to MINE, which is applied.
    fn rolling() -> Self {
        let mut world = World::live();
        world.verdict.live_revision = OLD.to_owned();
        world.verdict.live = false;
        world.verdict.why = "api: 0 of 2 replicas ready".to_owned();
        world.workloads[0].unsettled = Some("0 of 2 replicas ready".to_owned());
        world
    }

    fn status(&self) -> AppStatus {
        self.status_with_log(&[])
    }

    fn status_with_log(&self, log: &[String]) -> AppStatus {
        of(&Known {
            app: &self.app,
            workloads: &self.workloads,
            verdict: &self.verdict,
            log,
            address: None,
            template_images: &[],
            next_schedule: None,
            silent_s: self.silent_s,
        })
    }

    fn words(&self) -> (Sync, Health) {
        let status = self.status();
        (status.sync, status.health)
    }
}

#[test]
fn live_is_synced_and_healthy_without_more_words() {
    let status = World::live().status();
    assert!(status.is_live_at(MINE));
    assert_eq!((status.message.as_str(), status.conditions.len()), ("", 0));
    assert_eq!(status.replicas_wanted, 2);
}

#[test]
fn a_rollout_is_out_of_sync_until_it_is_proven() {
    let world = World::rolling();
    assert_eq!(world.words(), (Sync::OutOfSync, Health::Progressing));
    assert_eq!(world.status().message, "api: 0 of 2 replicas ready");
    assert_eq!(world.status().live_revision, OLD);
}

#[test]
fn a_release_that_cannot_start_is_degraded_before_argo_cd_says_so() {
    let mut world = World::rolling();
    world.workloads[0].trouble = Some(trouble(true));
    let status = world.status_with_log(&["first line".to_owned(), "second".to_owned()]);
    assert_eq!((status.sync, status.health), (Sync::OutOfSync, Health::Degraded));
    assert_eq!(
        status.message,
        "pod api-1: ErrImagePull of image none@sha256:1: not found"
    );
    assert_eq!(status.conditions[0].kind, "DegradedRelease");
    assert!(
        status.conditions[0]
            .message
            .ends_with("not found\nfirst line\nsecond")
    );
    // What may pass is not told as an end.
    world.workloads[0].trouble = Some(trouble(false));
    assert_eq!(world.words(), (Sync::OutOfSync, Health::Progressing));
    // Argo CD waits for the pods inside its operation, and says OutOfSync or Progressing all the while.
    world.workloads[0].trouble = Some(trouble(true));
    world.verdict.applied = false;
    world.app.operation = Some(operation(Phase::Running, MINE, true));
    assert_eq!(world.words().1, Health::Degraded);
}

#[test]
fn the_way_back_from_it_is_not_degraded() {
    // The comparison names the new commit; the pods, and Argo CD's health, are still those of the old.
    let mut world = World::rolling();
    world.verdict.applied = false;
    world.workloads[0].trouble = Some(trouble(true));
    world.app.sync = argo::Sync::OutOfSync;
    world.app.health = argo::Health::Degraded;
    for running in [
        None,
        Some(operation(Phase::Succeeded, OLD, true)),
        Some(operation(Phase::Running, MINE, false)),
    ] {
        world.app.operation = running;
        assert_eq!(world.words(), (Sync::OutOfSync, Health::Progressing));
    }
    // Applied; the pods are on their way, and Argo CD's word is of before.
    world.workloads[0].trouble = None;
    world.app.operation = Some(operation(Phase::Succeeded, MINE, true));
    assert_eq!(world.words().1, Health::Progressing);
}

#[test]
fn a_live_release_that_breaks_stays_synced() {
    let mut world = World::live();
    world.verdict.live = false;
    world.workloads[0].unsettled = Some("1 of 2 replicas ready".to_owned());
    assert_eq!(world.words(), (Sync::Synced, Health::Progressing));
    world.workloads[0].trouble = Some(trouble(true));
    assert_eq!(world.words(), (Sync::Synced, Health::Degraded));
}

#[test]
fn what_argo_cd_could_not_compare_is_unknown_with_its_reason() {
    let mut world = World::live();
    world.verdict.live = false;
    world.app.conditions = vec![("ComparisonError".to_owned(), "Git is down\nand more".to_owned())];
    // Health is left Healthy by errors; sync sometimes too.
    for sync in [argo::Sync::Unknown, argo::Sync::Synced] {
        world.app.sync = sync;
        let status = world.status();
        assert_eq!(
            (status.sync, status.message.as_str()),
            (Sync::Unknown, "Git is down")
        );
        assert!(!status.is_live_at(MINE));
    }
    world.app.conditions = vec![("OrphanedResourceWarning".to_owned(), "x".to_owned())];
    assert!(world.status().conditions.is_empty());
}

#[test]
fn a_sync_that_failed_ends_the_wait() {
    let mut world = World::live();
    world.verdict.live = false;
    world.verdict.applied = false;
    world.app.sync = argo::Sync::OutOfSync;
    world.app.operation = Some(operation(Phase::Failed, MINE, false));
    let status = world.status();
    assert_eq!((status.sync, status.health), (Sync::OutOfSync, Health::Degraded));
    assert_eq!(status.message, "the sync failed: said so");
    world.app.operation = Some(operation(Phase::Failed, OLD, false));
    assert_ne!(world.words().1, Health::Degraded);
}

#[test]
fn stopped_missing_and_others_words() {
    let mut world = World::live();
    world.verdict.live = false;
    world.workloads[0].stopped = true;
    assert_eq!(world.words(), (Sync::Synced, Health::Suspended));
    world.workloads.clear();
    for (word, expected) in [
        (argo::Health::Missing, Health::Missing),
        (argo::Health::Unknown, Health::Missing),
        (argo::Health::Suspended, Health::Suspended),
        (argo::Health::Progressing, Health::Progressing),
        (argo::Health::Degraded, Health::Degraded),
    ] {
        world.app.health = word;
        assert_eq!(world.words().1, expected, "{word:?}");
    }
}

#[test]
fn a_silent_controller_is_told() {
    let mut world = World::rolling();
    world.silent_s = Some(12);
    let status = world.status();
    assert_eq!(status.conditions.last().unwrap().kind, "ControllerSilent");
    assert!(status.message.contains("12 s"), "{}", status.message);
}

#[test]
fn a_templates_failed_run_is_not_the_applications() {
    let mut app = World::live().app;
    app.health = argo::Health::Degraded;
    assert_eq!(without_runs(app.clone()).health, argo::Health::Degraded);
    app.resources = vec![resource("CronJob"), resource("ConfigMap")];
    assert_eq!(without_runs(app.clone()).health, argo::Health::Healthy);
    app.resources.push(resource("PersistentVolumeClaim"));
    assert_eq!(without_runs(app).health, argo::Health::Degraded);
}

fn any_world() -> impl Strategy<Value = World> {
    let words = (0..3usize, 0..6usize, 0..4usize, any::<bool>(), any::<bool>());
    let rest = (
        any::<bool>(),
        0..3usize,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    (words, rest).prop_map(
        |((sync, health, phase, applied, same), (settled, bad, stopped, error, others))| {
            let mut world = World::live();
            world.app.sync = [argo::Sync::Synced, argo::Sync::OutOfSync, argo::Sync::Unknown][sync];
            world.app.health = [
                argo::Health::Healthy,
                argo::Health::Progressing,
                argo::Health::Degraded,
                argo::Health::Suspended,
                argo::Health::Missing,
                argo::Health::Unknown,
            ][health];
            let phases = [
                None,
                Some(Phase::Running),
                Some(Phase::Succeeded),
                Some(Phase::Failed),
            ];
            world.app.operation = phases[phase].map(|phase| operation(phase, MINE, applied));
            world.verdict.applied = applied;
            world.verdict.live = false;
            world.verdict.why = "not yet".to_owned();
            if !same {
                world.verdict.live_revision = OLD.to_owned();
            }
            world.workloads[0].unsettled = (!settled).then(|| "on its way".to_owned());
            world.workloads[0].trouble = [None, Some(trouble(false)), Some(trouble(true))][bad].clone();
            world.workloads[0].stopped = stopped;
            if error {
                world.app.conditions = vec![("ComparisonError".to_owned(), "no".to_owned())];
            }
            if others {
                world.app.resources.push(resource("PersistentVolumeClaim"));
            }
            world
        },
    )
}

proptest! {
    #[test]
    fn nothing_is_live_that_the_rule_does_not_call_live(world in any_world()) {
        let status = world.status();
        prop_assert!(!status.is_live_at(MINE), "{}", status.summary());
        prop_assert!(!status.message.is_empty() || status.health == Health::Healthy);
        if status.sync == Sync::Synced {
            prop_assert_eq!(&status.live_revision, &status.revision);
        }
        if status.conditions.iter().any(|c| c.kind == "DegradedRelease") {
            prop_assert_eq!(status.health, Health::Degraded);
        }
    }
}

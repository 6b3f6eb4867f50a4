//! The world as the tests of the live rule tell it.

use super::*;
use crate::argo::{Health, Resource};

pub(super) const OLD: &str = "0000000000000000000000000000000000000000";
pub(super) const MINE: &str = "1111111111111111111111111111111111111111";
pub(super) const NEXT: &str = "2222222222222222222222222222222222222222";

pub(super) fn operation(phase: Phase, revision: &str, started: u32) -> Operation {
    Operation {
        partial: false,
        phase,
        revision: Some(revision.to_owned()),
        started_at: format!("2026-01-01T00:00:{started:02}Z"),
        finished_at: match phase {
            Phase::Running => String::new(),
            _ => format!("2026-01-01T00:00:{started:02}Z"),
        },
        message: String::new(),
        resources: vec![object("Deployment", "app")],
    }
}

/// Applied by an operation, and as Git has it.
pub(super) fn object(kind: &str, name: &str) -> Resource {
    Resource {
        kind: kind.into(),
        namespace: "serving".into(),
        name: name.into(),
        status: "Synced".into(),
        sync_phase: "Sync".into(),
        ..Resource::default()
    }
}

fn workload(image: &str, unsettled: Option<&str>) -> Workload {
    Workload {
        kind: "Deployment",
        namespace: "serving".into(),
        name: "app".into(),
        wanted: 2,
        fingerprint: image.to_owned(),
        images: vec![("app".into(), image.to_owned())],
        unsettled: unsettled.map(str::to_owned),
        trouble: None,
        stopped: false,
        pods: Vec::new(),
    }
}

/// The world as one test tells it: what Argo CD says and what the Deployment has.
pub(super) struct World {
    pub(super) tracker: Tracker,
    pub(super) now: Moment,
    pub(super) app: Application,
    pub(super) image: String,
    pub(super) unsettled: Option<&'static str>,
    pub(super) release: Release,
    pub(super) steady: bool,
    pub(super) complete: bool,
}

impl World {
    /// Live at OLD with the image `a`, seen so by the tracker.
    pub(super) fn live_at_old() -> Self {
        let mut world = World::unseen();
        assert!(!world.look().live, "what was found there is no evidence");
        world.carried_out();
        assert!(world.look().live);
        world
    }

    pub(super) fn unseen() -> Self {
        World {
            tracker: Tracker::default(),
            now: Duration::ZERO,
            app: Application {
                name: "app".into(),
                resource_version: "1".into(),
                namespace: "serving".into(),
                repo_url: String::new(),
                target_revision: "main".into(),
                sync: Sync::Synced,
                revision: Some(OLD.to_owned()),
                health: Health::Healthy,
                pending: false,
                operation: Some(operation(Phase::Succeeded, OLD, 1)),
                refresh_asked: false,
                skipped: false,
                deleting: false,
                conditions: Vec::new(),
                resources: vec![object("Deployment", "app")],
                synced_whole: None,
            },
            image: "a".into(),
            unsettled: None,
            release: Release::None,
            steady: true,
            complete: true,
        }
    }

    pub(super) fn look(&mut self) -> Verdict {
        self.now += Duration::from_millis(50);
        let workloads = [workload(&self.image, self.unsettled)];
        self.tracker.look(Look {
            at: self.now,
            app: &self.app,
            workloads: &workloads,
            fingerprint: &self.image,
            complete: self.complete,
            release: &self.release,
            steady: self.steady,
        })
    }

    /// The refresh that the last look wants is asked for, and carried out.
    pub(super) fn carried_out(&mut self) {
        let verdict = self.look();
        assert!(verdict.wants_refresh, "{verdict:?}");
        self.now += Duration::from_millis(10);
        self.tracker.asked("app", verdict.ticket.unwrap(), self.now);
    }

    /// Argo CD has compared with MINE, applied it, and all is well.
    pub(super) fn all_well_at_mine(&mut self) {
        self.app.revision = Some(MINE.to_owned());
        self.app.operation = Some(operation(Phase::Succeeded, MINE, 2));
        self.image = "b".into();
    }
}

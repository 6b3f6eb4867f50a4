use super::*;
use crate::argo::Health;

const HEAD: &str = "1111111111111111111111111111111111111111";

struct World {
    nudges: Nudges,
    at: Moment,
    app: Application,
    verdict: Verdict,
    at_rest: bool,
    head: Option<&'static str>,
    refreshed_at: Option<Moment>,
    release_behind: bool,
}

impl World {
    fn new() -> Self {
        World {
            nudges: Nudges::default(),
            at: ms(100_000),
            app: Application {
                name: "app".into(),
                resource_version: "1".into(),
                namespace: String::new(),
                repo_url: String::new(),
                target_revision: "main".into(),
                sync: Sync::Synced,
                revision: Some(HEAD.to_owned()),
                health: Health::Healthy,
                pending: false,
                operation: None,
                refresh_asked: false,
                skipped: false,
                deleting: false,
                conditions: Vec::new(),
                resources: Vec::new(),
                synced_whole: Some(HEAD.to_owned()),
            },
            verdict: Verdict {
                revision: HEAD.to_owned(),
                live_revision: HEAD.to_owned(),
                applied: true,
                live: true,
                why: String::new(),
                ticket: None,
                wants_refresh: false,
            },
            at_rest: true,
            head: Some(HEAD),
            refreshed_at: None,
            release_behind: false,
        }
    }

    fn after(&mut self, pause: u64) -> Option<Reason> {
        self.at += ms(pause);
        let reason = self.nudges.decide(Now {
            at: self.at,
            app: &self.app,
            verdict: &self.verdict,
            at_rest: self.at_rest,
            head: self.head,
            refreshed_at: self.refreshed_at,
            release_behind: self.release_behind,
        });
        match reason {
            None => {}
            Some(Reason::Unheard) => self.nudges.poked("app", self.at),
            Some(_) => self.nudges.asked("app", self.at, self.head),
        }
        reason
    }

    /// Refreshes in so many seconds, looked at ten times a second.
    fn count(&mut self, seconds: u64) -> usize {
        (0..seconds * 10).filter(|_| self.after(100).is_some()).count()
    }
}

#[test]
fn what_is_live_at_the_head_is_left_alone() {
    let mut world = World::new();
    assert_eq!(world.count(60), 0);
    world.refreshed_at = Some(world.at);
    assert_eq!(world.count(60), 0);
}

#[test]
fn another_revision_than_the_head_is_asked_for_until_it_is_there() {
    let mut world = World::new();
    world.app.revision = Some("0".repeat(40));
    world.verdict.live = false;
    assert_eq!(world.after(1), Some(Reason::Head));
    assert_eq!(world.after(100), None);
    assert_eq!(world.after(100), Some(Reason::Head));
    // While one waits to be taken no other is set: it would be lost with it.
    world.app.refresh_asked = true;
    assert_eq!(world.count(1), 0);
    // Nobody takes it: Argo CD may not know of it, and is told again, at ease.
    assert_eq!(world.after(600), Some(Reason::Unheard));
    assert_eq!(world.count(4), 2);
    world.app.skipped = true;
    assert_eq!(world.count(5), 0);
    world.app.skipped = false;
    world.app.refresh_asked = false;
    assert_eq!(world.after(1), Some(Reason::Head));
    // For ever, but not in a hurry.
    let fast = world.count(10);
    assert!((20..=30).contains(&fast), "{fast}");
    let slow = world.count(30);
    assert!((8..=12).contains(&slow), "{slow}");
}

#[test]
fn after_a_push_the_release_goes_first_and_the_others_wait_for_it_a_while() {
    let mut world = World::new();
    world.after(100);
    world.app.revision = Some("0".repeat(40));
    world.verdict.live = false;
    world.head = Some("2222222222222222222222222222222222222222");
    world.release_behind = true;
    assert_eq!(world.count(2), 0);
    assert_eq!(world.after(100), Some(Reason::Head), "not for ever");
    world.head = Some("3333333333333333333333333333333333333333");
    assert_eq!(world.after(1000), None);
    world.release_behind = false;
    assert_eq!(world.after(1), Some(Reason::Head));

    world.head = Some("4444444444444444444444444444444444444444");
    (world.app.name, world.release_behind) = (HOOKED.to_owned(), true);
    assert_eq!(world.after(1), Some(Reason::Head), "it waits for nobody");
    let behind = |app: &Application| behind(std::iter::once(app), world.head);
    assert!(behind(&world.app));
    world.app.revision = world.head.map(str::to_owned);
    assert!(!behind(&world.app));
    world.app.pending = true;
    assert!(behind(&world.app));
    world.app.name = "app".into();
    assert!(!behind(&world.app));
}

#[test]
fn one_that_follows_another_branch_is_not_chased() {
    let mut world = World::new();
    world.app.revision = Some("0".repeat(40));
    world.app.target_revision = "v1.0".into();
    assert_eq!(world.count(10), 0);
}

#[test]
fn evidence_is_asked_for_at_once() {
    let mut world = World::new();
    world.verdict.live = false;
    world.verdict.wants_refresh = true;
    assert_eq!(world.after(1), Some(Reason::Evidence));
}

#[test]
fn while_the_head_is_not_known_a_request_is_passed_on_once() {
    let mut world = World::new();
    world.head = None;
    assert_eq!(world.count(3), 0);
    world.refreshed_at = Some(world.at);
    assert_eq!(world.after(1), Some(Reason::Asked));
    assert_eq!(world.count(10), 0);
}

#[test]
fn errors_are_asked_for_slowly_and_at_once_on_request() {
    let mut world = World::new();
    world.app.revision = None;
    world.app.sync = Sync::Unknown;
    world.verdict.live = false;
    let slow = world.count(30);
    assert!((9..=13).contains(&slow), "{slow}");
    world.refreshed_at = Some(world.at + ms(50));
    assert!(world.after(250).is_some());
}

#[test]
fn a_rollout_that_nobody_follows_is_looked_at_again() {
    let mut world = World::new();
    world.verdict.live = false;
    world.app.health = Health::Progressing;
    assert_eq!(world.after(1), None);
    assert_eq!(world.after(1000), None);
    assert_eq!(world.after(600), Some(Reason::Stalled));
    // On its way: not disturbed for long.
    let mut world = World::new();
    (world.verdict.live, world.at_rest) = (false, false);
    assert_eq!(world.count(9), 0);
    let asked = world.count(60);
    assert!((4..=7).contains(&asked), "{asked}");
}

#[test]
fn what_is_stopped_or_deleted_is_left_alone() {
    for change in [
        |app: &mut Application| app.skipped = true,
        |app: &mut Application| app.deleting = true,
    ] {
        let mut world = World::new();
        world.app.revision = None;
        change(&mut world.app);
        assert_eq!(world.count(10), 0);
    }
}

#[test]
fn a_controller_that_takes_nothing_is_noticed() {
    let mut world = World::new();
    world.app.refresh_asked = true;
    world.after(1);
    assert_eq!(world.nudges.silent("app", world.at), None);
    world.after(12_000);
    assert_eq!(world.nudges.silent("app", world.at), Some(ms(12_000)));
    world.app.refresh_asked = false;
    world.after(1);
    assert_eq!(world.nudges.silent("app", world.at), None);
}

#[test]
fn a_commit_that_was_healed_in_gets_its_hooks_once() {
    let before = "0000000000000000000000000000000000000000";
    let healed = crate::argo::Operation {
        phase: crate::argo::Phase::Succeeded,
        revision: Some(HEAD.to_owned()),
        started_at: String::new(),
        finished_at: String::new(),
        message: String::new(),
        resources: Vec::new(),
        partial: true,
    };
    let mut world = World::new();
    world.app.name = "inference-api".to_owned();
    world.app.operation = Some(healed.clone());
    assert_eq!(
        world.after(100),
        None,
        "a change by hand at a commit whose hooks have run"
    );
    world.app.synced_whole = Some(before.to_owned());
    world.verdict.live = false;
    assert_eq!(world.after(100), None, "not live yet");
    world.verdict.live = true;
    world.app.operation = Some(crate::argo::Operation {
        revision: Some(before.to_owned()),
        ..healed.clone()
    });
    assert_eq!(world.after(100), None, "a commit that changed nothing");
    world.app.operation = Some(healed);
    assert_eq!(world.after(100), Some(Reason::Hooks));
    world.nudges.asked_whole("inference-api", HEAD);
    assert_eq!(world.after(100), None, "asked once");
    world.app.name = "mlflow".to_owned();
    assert_eq!(world.after(100), None, "nobody waits for its hooks");
}

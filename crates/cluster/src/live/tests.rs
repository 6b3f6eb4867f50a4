//! The wrong answers that Argo CD's status gives, one test each.

use super::{world::*, *};
use crate::argo::{Health, Resource};

#[test]
fn the_plain_way() {
    let mut world = World::live_at_old();
    world.all_well_at_mine();
    let verdict = world.look();
    assert!(verdict.live && verdict.applied, "{verdict:?}");
    assert_eq!((verdict.live_revision.as_str(), verdict.why.as_str()), (MINE, ""));
}

#[test]
fn answer_1_the_old_revision_right_after_the_annotation() {
    let mut world = World::live_at_old();
    let verdict = world.look();
    assert_eq!(verdict.live_revision, OLD);
    assert_ne!(verdict.revision, MINE);
}

#[test]
fn answer_2_the_operation_is_over_but_sync_and_health_are_old() {
    let mut world = World::live_at_old();
    world.all_well_at_mine();
    world.app.sync = Sync::OutOfSync;
    assert!(!world.look().live);
    world.app.sync = Sync::Synced;
    // Healthy of before; the pods say otherwise.
    world.unsettled = Some("0 of 2 replicas ready");
    let verdict = world.look();
    assert!(!verdict.live && verdict.applied, "{verdict:?}");
    assert_eq!(verdict.live_revision, OLD);
    world.unsettled = None;
    assert!(world.look().live);
}

#[test]
fn answer_3_a_swallowed_refresh_is_none() {
    let mut world = World::live_at_old();
    // Synced at MINE with no operation of MINE: evidence is needed.
    world.app.revision = Some(MINE.to_owned());
    let verdict = world.look();
    assert!(!verdict.live && verdict.wants_refresh);
    // Somebody else's annotation is there: one more would be swallowed with it.
    world.app.refresh_asked = true;
    assert!(!world.look().wants_refresh);
    world.app.refresh_asked = false;
    // Theirs was taken, which says nothing about ours.
    let verdict = world.look();
    assert!(!verdict.live && verdict.wants_refresh);
    // A ticket of another candidate does not count.
    world
        .tracker
        .asked("app", verdict.ticket.unwrap() + 1000, world.now);
    assert!(!world.look().live);
    world.carried_out();
    assert!(world.look().live);
}

#[test]
fn answer_4_all_words_right_and_the_other_image() {
    let mut world = World::live_at_old();
    // Pushed: b, then a again. The comparison with the second saw `a`, then the first was applied.
    world.app.revision = Some(NEXT.to_owned());
    world.app.operation = Some(operation(Phase::Succeeded, MINE, 2));
    world.image = "b".into();
    let first = world.look();
    assert!(!first.live && first.wants_refresh, "{first:?}");
    // Asked once; even if the comparison that took it saw the objects of before, it is asked again.
    world.carried_out();
    let verdict = world.look();
    assert!(!verdict.live && verdict.wants_refresh, "{verdict:?}");
    // Then Argo CD sees it, and applies NEXT.
    world.app.sync = Sync::OutOfSync;
    assert!(!world.look().live);
    world.app.operation = Some(Operation {
        resources: Vec::new(),
        ..operation(Phase::Running, NEXT, 3)
    });
    assert!(!world.look().live);
    world.app.sync = Sync::Synced;
    assert!(!world.look().live);
    world.app.operation = Some(operation(Phase::Succeeded, NEXT, 3));
    world.image = "a".into();
    let verdict = world.look();
    assert!(verdict.live && verdict.live_revision == NEXT, "{verdict:?}");
}

#[test]
fn answer_4_with_a_release_file_the_image_decides() {
    let mut world = World::live_at_old();
    world.all_well_at_mine();
    world.release = Release::Differs("the Deployment has a".into());
    let verdict = world.look();
    assert!(!verdict.live && verdict.why.contains("the Deployment has a"));
    world.release = Release::Unreadable("Git is down".into());
    assert!(!world.look().live);
    world.release = Release::Matches;
    assert!(world.look().live);
}

#[test]
fn answer_5_a_commit_that_changes_nothing_rendered() {
    let mut world = World::live_at_old();
    world.app.revision = Some(MINE.to_owned());
    world.carried_out();
    let verdict = world.look();
    assert!(verdict.live && verdict.live_revision == MINE, "{verdict:?}");
}

#[test]
fn answer_6_errors_leave_health_healthy() {
    let mut world = World::live_at_old();
    world.app.sync = Sync::Unknown;
    world.app.revision = None; // the field says `main`
    let verdict = world.look();
    assert!(!verdict.live);
    assert_eq!(
        (verdict.revision.as_str(), verdict.live_revision.as_str()),
        (OLD, OLD)
    );
    assert!(!verdict.wants_refresh, "there is no answer to ask for again");
    world.app.sync = Sync::Synced;
    assert!(!world.look().live, "no commit is named");
}

#[test]
fn answer_7_without_a_controller_nothing_is_evidence() {
    let mut world = World::unseen();
    let verdict = world.look();
    assert!(verdict.wants_refresh);
    world.tracker.asked("app", verdict.ticket.unwrap(), world.now);
    for _ in 0..100 {
        world.app.refresh_asked = true;
        let verdict = world.look();
        assert!(!verdict.live && !verdict.wants_refresh);
    }
}

#[test]
fn answer_8_a_second_operation_of_the_same_commit_changes_nothing() {
    let mut world = World::live_at_old();
    world.all_well_at_mine();
    assert!(world.look().live);
    world.app.operation = Some(operation(Phase::Running, MINE, 2));
    assert!(world.look().live);
    world.app.pending = true;
    assert!(world.look().live);
    // One of another commit does.
    world.app.operation = Some(operation(Phase::Running, NEXT, 3));
    assert!(!world.look().live);
}

#[test]
fn an_operation_under_way_or_asked_for_is_waited_for() {
    let mut world = World::live_at_old();
    world.all_well_at_mine();
    world.app.resources.push(object("Service", "app"));
    world.app.operation = Some(operation(Phase::Running, MINE, 2));
    assert!(!world.look().live, "the Service is not applied");
    world.app.operation = Some(operation(Phase::Succeeded, MINE, 2));
    world.app.pending = true;
    assert!(!world.look().live);
}

#[test]
fn a_refresh_is_no_evidence_while_an_operation_of_another_commit_goes_on() {
    let mut world = World::live_at_old();
    world.app.revision = Some(NEXT.to_owned());
    world.app.operation = Some(operation(Phase::Running, MINE, 2));
    for _ in 0..3 {
        let verdict = world.look();
        assert!(!verdict.live && !verdict.wants_refresh, "{verdict:?}");
    }
}

#[test]
fn an_operation_that_has_applied_everything_is_not_waited_for() {
    let mut world = World::live_at_old();
    world.all_well_at_mine();
    // The smoke test of before, which the operation will delete.
    let hook = Resource {
        status: String::new(),
        ..object("Job", "smoke")
    };
    world.app.resources.push(hook);
    let running = operation(Phase::Running, MINE, 2);
    for missing in [
        Operation {
            resources: Vec::new(),
            ..running.clone()
        },
        Operation {
            revision: Some(NEXT.to_owned()),
            ..running.clone()
        },
    ] {
        world.app.operation = Some(missing);
        assert!(!world.look().live, "{:?}", world.app.operation);
    }
    world.app.operation = Some(running);
    world.unsettled = Some("1 of 2 updated");
    let verdict = world.look();
    assert!(verdict.applied && !verdict.live, "{verdict:?}");
    world.unsettled = None;
    assert!(world.look().live);
    // A Deployment that Argo CD does not name as its own.
    let mut world = World::live_at_old();
    world.all_well_at_mine();
    world.app.resources.clear();
    world.app.operation = Some(operation(Phase::Running, MINE, 2));
    assert!(!world.look().live);
}

#[test]
fn only_the_check_after_the_rollout_is_left() {
    let mut world = World::live_at_old();
    world.all_well_at_mine();
    let mut running = operation(Phase::Running, MINE, 2);
    running.resources.push(Resource {
        kind: "Job".into(),
        sync_phase: "PostSync".into(),
        hook_phase: "Running".into(),
        ..Resource::default()
    });
    world.app.operation = Some(running.clone());
    assert!(world.look().live);
    // Its end is no new evidence for another template.
    world.app.operation = Some(operation(Phase::Succeeded, MINE, 2));
    world.image = "by hand".into();
    assert!(!world.look().live);
}

#[test]
fn what_was_found_at_first_sight_is_no_evidence() {
    let mut world = World::unseen();
    assert!(!world.look().live);
    // The controller may be dead, and somebody changed the image: the words are the same.
    world.image = "by hand".into();
    world.carried_out();
    world.image = "a".into();
    assert!(!world.look().live, "the template changed while it was asked");
    world.carried_out();
    assert!(world.look().live);
}

#[test]
fn a_manual_change_and_its_healing() {
    let mut world = World::live_at_old();
    world.image = "by hand".into();
    let verdict = world.look();
    assert!(!verdict.live && !verdict.applied, "{verdict:?}");
    world.app.operation = Some(operation(Phase::Succeeded, OLD, 5));
    assert!(
        !world.look().live,
        "a healing is no evidence for two templates of one commit"
    );
    world.image = "a".into();
    assert!(world.look().live, "it is as it was");
}

#[test]
fn what_moves_while_it_is_looked_at_is_not_believed() {
    let mut world = World::live_at_old();
    world.all_well_at_mine();
    world.steady = false;
    let verdict = world.look();
    assert!(!verdict.live && !verdict.wants_refresh);
    world.steady = true;
    world.complete = false;
    assert!(!world.look().live);
    world.complete = true;
    assert!(world.look().live);
}

#[test]
fn a_refresh_counts_only_for_what_was_read_before_it_and_seen_after() {
    let mut world = World::live_at_old();
    world.app.revision = Some(MINE.to_owned());
    let verdict = world.look();
    let asked = world.now + Duration::from_secs(10);
    world.tracker.asked("app", verdict.ticket.unwrap(), asked);
    // A reading that had begun before: its absent annotation is that of before.
    assert!(!world.look().live);
    // The answer changed meanwhile: the refresh was for another one.
    world.app.revision = Some(NEXT.to_owned());
    world.now = asked;
    let verdict = world.look();
    assert!(!verdict.live && verdict.wants_refresh, "{verdict:?}");
}

#[test]
fn health_and_stopping_are_part_of_it() {
    let mut world = World::live_at_old();
    for health in [
        Health::Progressing,
        Health::Degraded,
        Health::Missing,
        Health::Unknown,
        Health::Suspended,
    ] {
        world.app.health = health;
        let verdict = world.look();
        assert!(!verdict.live && verdict.applied, "{health:?}");
    }
    world.app.health = Health::Healthy;
    world.app.deleting = true;
    assert!(!world.look().live);
}

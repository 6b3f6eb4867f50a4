//! What must hold in every order of events.

use super::{world::*, *};
use proptest::prelude::*;

/// A simulated Argo CD: it applies commits to one Deployment through a view of it that may be old,
/// loses refreshes as the real one does, and is looked at at any moment.
#[derive(Debug, Clone)]
enum Step {
    Push(bool),
    Compare,
    SeeObjects,
    Begin,
    Apply,
    Finish,
    ByHand,
    Look,
    Ask,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => any::<bool>().prop_map(Step::Push),
        4 => Just(Step::Compare),
        3 => Just(Step::SeeObjects),
        3 => Just(Step::Begin),
        3 => Just(Step::Apply),
        3 => Just(Step::Finish),
        1 => Just(Step::ByHand),
        5 => Just(Step::Look),
        3 => Just(Step::Ask),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn never_live_with_the_image_of_another_commit(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::unseen();
        // Commits and their images; every second push takes back the one before.
        let mut commits = vec![(OLD.to_owned(), "a".to_owned())];
        // Argo CD's view of the Deployment, and the operation that it has begun.
        let (mut view, mut second) = ("a".to_owned(), 1);
        let mut applying: Option<String> = None;
        // Between a change and its being seen no comparison that was asked for afterwards begins:
        // both come from the same API server within milliseconds.
        let mut by_hand = false;
        for step in steps {
            match step {
                Step::Push(changes) => {
                    let number = commits.len();
                    let image = match (changes, commits.last().map(|(_, image)| image.as_str())) {
                        (true, Some("a")) => "b",
                        (true, _) => "a",
                        (false, last) => last.unwrap_or("a"),
                    };
                    commits.push((format!("{number:040x}"), image.to_owned()));
                }
                Step::Compare => {
                    if world.app.refresh_asked {
                        view.clone_from(&world.image);
                    }
                    world.app.refresh_asked = false;
                    let (commit, image) = commits.last().cloned().unwrap();
                    world.app.sync = if image == view { Sync::Synced } else { Sync::OutOfSync };
                    world.app.revision = Some(commit.clone());
                    if image != view && applying.is_none() {
                        world.app.pending = true;
                    }
                }
                Step::SeeObjects => view.clone_from(&world.image),
                Step::Begin => if world.app.pending && applying.is_none() {
                    second += 1;
                    world.app.pending = false;
                    let commit = world.app.revision.clone().unwrap();
                    world.app.operation = Some(operation(Phase::Running, &commit, second % 60));
                    world.app.operation.as_mut().unwrap().resources.clear();
                    applying = Some(commit);
                },
                Step::Apply => if let Some(commit) = &applying {
                    world.image.clone_from(&commits.iter().find(|(c, _)| c == commit).unwrap().1);
                    by_hand = false;
                    // It goes on: the rollout, the smoke test.
                    let operation = world.app.operation.as_mut().unwrap();
                    operation.resources = vec![object("Deployment", "app")];
                },
                Step::Finish => if let Some(commit) = applying.take() {
                    world.image.clone_from(&commits.iter().find(|(c, _)| *c == commit).unwrap().1);
                    by_hand = false;
                    world.app.operation = Some(operation(Phase::Succeeded, &commit, second % 60));
                },
                Step::ByHand => {
                    world.image = "by hand".into();
                    by_hand = true;
                }
                Step::Look => {
                    let verdict = world.look();
                    if verdict.live && !by_hand {
                        let expected = &commits.iter().find(|(c, _)| *c == verdict.revision).unwrap().1;
                        prop_assert_eq!(expected, &world.image, "live at {}", verdict.revision);
                        prop_assert_eq!(&verdict.live_revision, &verdict.revision);
                    }
                }
                Step::Ask => {
                    let verdict = world.look();
                    if verdict.wants_refresh {
                        world.app.refresh_asked = true;
                        world.now += Duration::from_millis(5);
                        world.tracker.asked("app", verdict.ticket.unwrap(), world.now);
                    }
                }
            }
        }
    }
}

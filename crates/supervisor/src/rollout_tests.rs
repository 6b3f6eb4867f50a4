//! A simulated world for `decide`: steps are applied, processes become ready, crash and exit.

use super::*;
use proptest::prelude::*;

const GRACE: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct World {
    now: Moment,
    next_id: u64,
    suspended: bool,
    exclusive: bool,
    live: Option<Target>,
    candidate: Option<Candidate>,
    failed: Vec<(String, GaveUp)>,
    members: Vec<Member>,
    /// Releases whose replicas never become ready.
    broken: Vec<String>,
}

impl World {
    fn want(&mut self, release: &str, replicas: usize) {
        let target = Target {
            release: release.into(),
            replicas,
            prepared: true,
        };
        if self.live.as_ref().is_some_and(|live| live.release == release) {
            self.live = Some(target);
            self.candidate = None;
        } else {
            self.candidate = Some(Candidate {
                target,
                deadline: self.now + DEADLINE,
                crashes: 0,
            });
        }
    }

    /// Applies steps until none is left; no process changes state meanwhile.
    fn settle(&mut self) -> Vec<Action> {
        let mut all = Vec::new();
        for _ in 0..50 {
            let view = View {
                suspended: self.suspended,
                exclusive: self.exclusive,
                live: self.live.as_ref(),
                candidate: self.candidate.as_ref(),
                members: &self.members,
            };
            let actions = decide(&view, self.now);
            if actions.is_empty() {
                return all;
            }
            for action in &actions {
                self.apply(action);
            }
            all.extend(actions);
        }
        panic!("does not settle: {all:?}");
    }

    fn apply(&mut self, action: &Action) {
        match action {
            Action::Start(release) => {
                self.next_id += 1;
                self.members.push(Member::started(self.next_id, release.clone()));
            }
            Action::Restart(id) => self.member(*id).restarted(),
            Action::Stop(id) => {
                let kill_at = self.now + GRACE;
                self.member(*id).phase = Phase::Stopping {
                    kill_at,
                    killed: false,
                };
            }
            Action::Kill(id) => {
                self.member(*id).phase = Phase::Stopping {
                    kill_at: Duration::ZERO,
                    killed: true,
                };
            }
            Action::Forget(id) => self.members.retain(|m| m.id != *id),
            Action::Promote => self.live = self.candidate.take().map(|c| c.target),
            Action::GiveUp(why) => {
                let candidate = self.candidate.take().unwrap();
                self.failed.push((candidate.target.release, *why));
            }
        }
    }

    fn member(&mut self, id: u64) -> &mut Member {
        self.members.iter_mut().find(|m| m.id == id).unwrap()
    }

    fn exit(&mut self, id: u64) {
        let now = self.now;
        let release = self.member(id).release.clone();
        if !self.member(id).crashed(now) {
            self.members.retain(|m| m.id != id);
        } else if let Some(candidate) = &mut self.candidate
            && candidate.target.release == release
        {
            candidate.crashes += 1;
        }
    }

    fn all_ready(&mut self) {
        let (now, broken) = (self.now, self.broken.clone());
        for member in &mut self.members {
            if member.phase == Phase::Running && !broken.contains(&member.release) {
                member.set_ready(true, now);
            }
        }
    }

    fn all_stopped(&mut self) {
        self.members.retain(|m| !m.stopping());
    }

    fn serving(&self) -> Vec<(&str, bool)> {
        self.members
            .iter()
            .filter(|m| !m.stopping())
            .map(|m| (m.release.as_str(), m.ready))
            .collect()
    }
}

fn live_at(release: &str, replicas: usize) -> World {
    let mut world = World::default();
    world.want(release, replicas);
    world.settle();
    world.all_ready();
    world.settle();
    assert_eq!(world.live.as_ref().unwrap().release, release);
    world
}

#[test]
fn the_old_stay_until_all_new_are_ready() {
    let mut world = live_at("a", 2);
    world.want("b", 2);
    world.settle();
    assert_eq!(
        world.serving(),
        [("a", true), ("a", true), ("b", false), ("b", false)]
    );
    let now = world.now;
    world.members[2].set_ready(true, now);
    assert_eq!(world.settle(), []);
    world.all_ready();
    assert_eq!(
        world.settle(),
        [Action::Promote, Action::Stop(1), Action::Stop(2)]
    );
    world.now += GRACE;
    assert_eq!(world.settle(), [Action::Kill(1), Action::Kill(2)]);
}

#[test]
fn a_release_that_never_gets_ready_is_given_up_and_the_old_stay() {
    let mut world = live_at("a", 1);
    world.broken.push("b".into());
    world.want("b", 1);
    world.settle();
    world.now += DEADLINE;
    assert_eq!(
        world.settle(),
        [Action::GiveUp(GaveUp::Deadline), Action::Stop(2)]
    );
    assert_eq!(world.serving(), [("a", true)]);
    assert_eq!(world.failed, [("b".to_owned(), GaveUp::Deadline)]);
}

#[test]
fn a_crashing_release_is_given_up_after_three() {
    let mut world = live_at("a", 1);
    world.want("b", 1);
    for _ in 0..CRASHES_MAX {
        world.settle();
        world.exit(2);
        world.now += Duration::from_secs(1);
    }
    world.settle();
    assert_eq!(world.failed, [("b".to_owned(), GaveUp::Crashes)]);
    assert_eq!(world.serving(), [("a", true)]);
}

#[test]
fn a_crashed_replica_comes_back_with_growing_pauses() {
    let mut world = live_at("a", 1);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        world.exit(1);
        let Phase::Backoff { until } = world.members[0].phase else {
            panic!()
        };
        pauses.push((until - world.now).as_millis());
        world.now = until;
        assert_eq!(world.settle(), [Action::Restart(1)]);
        world.all_ready();
    }
    assert_eq!(pauses, [100, 200, 400, 800]);
    world.now += STEADY;
    world.exit(1);
    assert_eq!(
        world.members[0].crashes, 1,
        "steady for long enough, so it starts anew"
    );
}

#[test]
fn replicas_of_a_killed_engine_serve_until_replaced() {
    let mut world = live_at("a", 1);
    world.members[0].legacy = true;
    assert_eq!(world.settle(), [Action::Start("a".into())]);
    world.all_ready();
    assert_eq!(world.settle(), [Action::Stop(1)]);
}

#[test]
fn an_exclusive_one_stops_before_the_next_starts() {
    let mut world = live_at("a", 1);
    world.exclusive = true;
    world.want("b", 1);
    assert_eq!(world.settle(), [Action::Stop(1)]);
    world.all_stopped();
    assert_eq!(world.settle(), [Action::Start("b".into())]);
}

#[test]
fn scaling_keeps_those_that_serve() {
    let mut world = live_at("a", 1);
    world.want("a", 3);
    assert_eq!(world.settle().len(), 2);
    world.want("a", 1);
    assert_eq!(world.settle(), [Action::Stop(2), Action::Stop(3)]);
    world.want("a", 0);
    assert_eq!(world.settle(), [Action::Stop(1)]);
}

#[test]
fn suspension_stops_and_resumption_starts() {
    let mut world = live_at("a", 1);
    world.suspended = true;
    assert_eq!(world.settle(), [Action::Stop(1)]);
    world.all_stopped();
    world.suspended = false;
    assert_eq!(world.settle(), [Action::Start("a".into())]);
}

#[derive(Clone, Debug)]
enum Step {
    Want(u8, usize),
    Ready(usize),
    Unready(usize),
    Exit(usize),
    Pass(u64),
    Suspend(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..3, 0usize..4).prop_map(|(release, replicas)| Step::Want(release, replicas)),
        (0usize..8).prop_map(Step::Ready),
        (0usize..8).prop_map(Step::Unready),
        (0usize..8).prop_map(Step::Exit),
        (1u64..40_000).prop_map(Step::Pass),
        any::<bool>().prop_map(Step::Suspend),
    ]
}

proptest! {
    #[test]
    fn whatever_happens(exclusive in any::<bool>(), steps in proptest::collection::vec(step(), 0..60)) {
        let mut world = World { exclusive, ..World::default() };
        for step in steps {
            let now = world.now;
            let count = world.members.len();
            match step {
                Step::Want(release, replicas) => world.want(&format!("r{release}"), replicas),
                Step::Ready(at) if count > 0 && world.members[at % count].phase == Phase::Running => {
                    world.members[at % count].set_ready(true, now);
                }
                Step::Unready(at) if count > 0 => world.members[at % count].set_ready(false, now),
                Step::Exit(at) if count > 0 => {
                    let id = world.members[at % count].id;
                    let running = !matches!(world.members[at % count].phase, Phase::Backoff { .. });
                    if running { world.exit(id) }
                }
                Step::Pass(millis) => world.now += Duration::from_millis(millis),
                Step::Suspend(on) => world.suspended = on,
                _ => {}
            }
            let serving = |world: &World| world.live.as_ref().map_or(0, |live| {
                world.members.iter().filter(|m| m.ready && !m.stopping() && m.release == live.release).count()
            });
            let (live, before) = (world.live.clone(), serving(&world));
            world.settle();
            // Nothing but a promotion, a smaller number or an exclusive handover takes a serving replica away.
            if let Some(live) = live.filter(|live| world.live.as_ref() == Some(live) && !exclusive && !world.suspended) {
                prop_assert!(serving(&world) >= before.min(live.replicas));
            }
            for target in world.live.iter().chain(world.candidate.iter().map(|c| &c.target)) {
                let count = world.members.iter().filter(|m| !m.stopping() && m.release == target.release).count();
                prop_assert!(count <= target.replicas, "never more than wanted");
            }
            if exclusive {
                let releases: std::collections::BTreeSet<_> =
                    world.members.iter().filter(|m| !m.stopping()).map(|m| &m.release).collect();
                prop_assert!(releases.len() <= 1, "never two at once");
            }
        }
        // Left alone, with processes that behave, it ends with exactly what was wanted last.
        world.suspended = false;
        for _ in 0..6 {
            world.now += Duration::from_secs(5);
            world.settle();
            world.all_ready();
            world.all_stopped();
        }
        world.settle();
        prop_assert!(world.candidate.is_none());
        if let Some(live) = &world.live {
            prop_assert_eq!(world.serving(), vec![(live.release.as_str(), true); live.replicas]);
        } else {
            prop_assert!(world.members.is_empty());
        }
    }
}

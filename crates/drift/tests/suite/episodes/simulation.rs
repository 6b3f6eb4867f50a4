//! The sentence of the issue: 8 replicas, 10,000 drifting requests, a trigger killed at every point, 50
//! seeds; exactly one run and one commit.

use super::fleet::{Fleet, REPLICAS};
use super::play::{Death, Ground, Process, promoted};
use drift::episodes::{Ledger, Observation, Policy, Settled, State, Verdict, Wish};
use drift::random::Random;

const SEEDS: u64 = 50;
const REQUESTS: usize = 10_000;
const TICKS: u64 = (REQUESTS / TICK) as u64;
/// Requests between two moments at which anything else happens.
const TICK: usize = 100;
const TICK_MS: u64 = 3 * 60 * 1000;
const BEGIN_MS: u64 = 1_760_000_000_000;
/// Steps of a trigger that starts a run: read, ask, write, start, read, write.
const STEPS: usize = 6;

/// What the replicas of each model say, tick by tick.
struct Traffic {
    old: Vec<Vec<Observation>>,
    new: Vec<Vec<Observation>>,
}

fn traffic(seed: u64) -> Traffic {
    let say = |mut fleet: Fleet, ticks: u64| {
        (0..ticks)
            .map(|tick| fleet.answer(TICK, BEGIN_MS + tick * TICK_MS))
            .collect()
    };
    Traffic {
        // By then the new model is live in every world.
        old: say(
            Fleet::new("sha256:0a0a0a0a", false, seed, BEGIN_MS),
            TICKS * 6 / 10,
        ),
        new: say(Fleet::new("sha256:0b0b0b0b", true, seed + 1000, BEGIN_MS), TICKS),
    }
}

/// A retrain on its way; started again by the engine when it dies.
enum Retrain {
    Works(u32),
    Commits,
    Reads,
    Writes(Box<Ledger>, String),
    Over,
}

struct World {
    ground: Ground,
    random: Random,
    /// Runs that committed.
    commits: Vec<String>,
    /// Tick from which the new model serves.
    live_from: Option<usize>,
    retrain: Option<(String, Retrain)>,
    processes: Vec<Process>,
    verdicts: Vec<Verdict>,
}

impl World {
    fn retrain(&mut self, tick: usize, now_ms: u64) {
        if self.retrain.is_none() {
            let open = self.ground.runs.iter().find(|(_, end)| end.is_none());
            self.retrain = open.map(|(name, _)| (name.clone(), Retrain::Works(0)));
        }
        let Some((run, at)) = self.retrain.take() else {
            return;
        };
        // Killed and started again: what it did lies in Git, in MLflow and in its folder.
        let dies = self.random.below(5) == 0;
        let next = match at {
            _ if dies => Retrain::Works(3),
            Retrain::Works(ticks) if ticks < 4 => Retrain::Works(ticks + 1),
            Retrain::Works(_) => Retrain::Commits,
            Retrain::Commits => {
                if !self.commits.contains(&run) {
                    self.commits.push(run.clone());
                    self.live_from = Some(tick + 2);
                }
                Retrain::Reads
            }
            Retrain::Reads => {
                let (mut ledger, version) = self.ground.read();
                ledger.ended(&run, promoted("sha256:0b0b0b0b"), now_ms);
                Retrain::Writes(Box::new(ledger), version)
            }
            Retrain::Writes(ledger, version) => match self.ground.write(&ledger, &version) {
                true => Retrain::Over,
                false => Retrain::Reads,
            },
            Retrain::Over => Retrain::Over,
        };
        match next {
            Retrain::Over => {
                let end = promoted("sha256:0b0b0b0b");
                self.ground.end(&run, end, now_ms, false);
            }
            other => self.retrain = Some((run, other)),
        }
    }

    /// What one of the replicas says at that moment, whichever is asked.
    fn seen(&mut self, traffic: &Traffic, tick: usize) -> Observation {
        let who = self.random.below(REPLICAS as u64) as usize;
        match self.live_from.and_then(|from| tick.checked_sub(from)) {
            // While pods are replaced, old ones are asked too.
            Some(0) if self.random.below(2) == 0 => traffic.old[tick][who].clone(),
            Some(since) => traffic.new[since][who].clone(),
            None => traffic.old[tick][who].clone(),
        }
    }

    fn some_steps(&mut self, count: u64) {
        for _ in 0..count {
            if self.processes.is_empty() {
                return;
            }
            let index = self.random.below(self.processes.len() as u64) as usize;
            if let Some(end) = self.processes[index].step(&mut self.ground) {
                self.processes.swap_remove(index);
                self.verdicts.extend(end);
            }
        }
    }
}

fn play(seed: u64, traffic: &Traffic, death: Death, policy: Policy) -> World {
    let mut world = World {
        ground: Ground::default(),
        random: Random::new(seed * 100 + death.step as u64 * 2 + u64::from(death.after)),
        commits: Vec::new(),
        live_from: None,
        retrain: None,
        processes: Vec::new(),
        verdicts: Vec::new(),
    };
    let mut doomed = 4;
    for tick in 0..TICKS as usize {
        let now_ms = BEGIN_MS + tick as u64 * TICK_MS;
        // The event of an API and the clock's checks come together, a few at a time.
        for _ in 0..world.random.below(3) {
            let seen = world.seen(traffic, tick);
            // The first that have something to do die; of the others some, anywhere.
            let death = match seen.open() {
                Some(_) if doomed > 0 => {
                    doomed -= 1;
                    Some(death)
                }
                _ if world.random.below(8) == 0 => Some(Death {
                    step: world.random.below(STEPS as u64) as usize,
                    after: world.random.below(2) == 0,
                }),
                _ => None,
            };
            let skewed = now_ms + world.random.below(120_000);
            let process = Process::new(Wish::Check(seen), policy, skewed, death);
            world.processes.push(process);
        }
        let steps = world.random.below(12);
        world.some_steps(steps);
        world.retrain(tick, now_ms);
    }
    let left = world.processes.len() as u64;
    world.some_steps(left * 200);
    assert!(world.processes.is_empty(), "a trigger does not end");
    let last = world.seen(traffic, TICKS as usize - 1);
    let process = Process::new(Wish::Check(last), policy, BEGIN_MS + TICKS * TICK_MS, None);
    world.processes.push(process);
    world.some_steps(200);
    world
}

#[test]
fn one_run_and_one_commit() {
    // Once by the keys alone, once with the bounds that people have.
    let unbounded = Policy {
        cooldown_ms: 0,
        daily_cap: 1000,
        refused_before_breaker: 1000,
    };
    let mut quiet = 0;
    for seed in 0..SEEDS {
        let traffic = traffic(seed);
        let policy = match seed % 2 {
            0 => unbounded,
            _ => Policy::default(),
        };
        for step in 0..STEPS {
            for after in [false, true] {
                let death = Death { step, after };
                let world = play(seed, &traffic, death, policy);
                let told = format!("seed {seed}, {death:?}: {:#?}", world.ground.ledger);
                assert_eq!(world.ground.made.len(), 1, "runs: {told}");
                assert_eq!(world.commits, world.ground.made, "commits: {told}");
                let [entry] = &world.ground.ledger.entries[..] else {
                    panic!("not one retrain: {told}")
                };
                let State::Promoted { settled, .. } = &entry.state else {
                    panic!("not promoted: {told}")
                };
                assert_ne!(*settled, Settled::Drifted, "{told}");
                quiet += u32::from(*settled == Settled::Quiet);
                // The episode is over with its model.
                assert_eq!(world.verdicts.last(), Some(&Verdict::NoDrift), "{told}");
            }
        }
    }
    // A model that stays quiet is seen to.
    assert_eq!(quiet, SEEDS as u32 * STEPS as u32 * 2);
}

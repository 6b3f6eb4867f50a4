//! Whatever happens in whatever order: one run for an episode, the cooldown, the cap, the breaker.

use super::play::{Death, Ground, check, promoted};
use drift::episodes::{DAY_MS, ENTRIES_MAX, Episode, Observation, Policy, State, Verdict};
use proptest::prelude::*;

const MINUTE: u64 = 60 * 1000;
const BEGIN_MS: u64 = 1_760_000_000_000;

#[derive(Clone, Debug)]
enum Op {
    Pass(u64),
    ClockBack(u64),
    Open,
    Close,
    /// The API loses all it knew, and finds the drift anew.
    LoseMemory,
    Check(Option<Death>, u64),
    End(u8, bool),
    Reset,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let death = prop::option::of((0_usize..6, any::<bool>()).prop_map(|(step, after)| Death { step, after }));
    let op = prop_oneof![
        4 => (1_u64..400).prop_map(Op::Pass),
        1 => (1_u64..3000).prop_map(Op::ClockBack),
        3 => Just(Op::Open),
        1 => Just(Op::Close),
        1 => Just(Op::LoseMemory),
        8 => (death, 0_u64..60).prop_map(|(death, shrunk)| Op::Check(death, shrunk)),
        5 => (0_u8..6, any::<bool>()).prop_map(|(end, recorded)| Op::End(end, recorded)),
        1 => Just(Op::Reset),
    ];
    prop::collection::vec(op, 1..160)
}

struct World {
    ground: Ground,
    /// Never goes back.
    real_ms: u64,
    behind_ms: u64,
    model: u32,
    seen: Observation,
    /// Name of the run, real time, number of the true episode.
    starts: Vec<(String, u64, u32)>,
    episode: u32,
}

impl World {
    fn now(&self) -> u64 {
        (BEGIN_MS + self.real_ms).saturating_sub(self.behind_ms)
    }

    fn digest(&self) -> String {
        format!("sha256:{:064x}", self.model)
    }

    fn open(&mut self, number: u64) {
        // The API's clock is another one, and right.
        let opened_at_ms = BEGIN_MS + self.real_ms + 60_000;
        self.episode += 1;
        self.seen.episode = Some(Episode {
            number,
            opened_at_ms,
            since_rows: Some(5000),
            open: true,
            movements: vec!["x is 1 higher than in training".to_owned()],
        });
    }
}

fn run(ops: &[Op], policy: Policy) -> Result<(), TestCaseError> {
    let mut world = World {
        ground: Ground::default(),
        real_ms: 0,
        behind_ms: 0,
        model: 1,
        seen: Observation {
            model: format!("sha256:{:064x}", 1),
            episode: None,
            samples: 100,
            judged: true,
        },
        starts: Vec::new(),
        episode: 0,
    };
    let mut fruitless: Vec<String> = Vec::new();
    for op in ops {
        match op {
            Op::Pass(minutes) => world.real_ms += minutes * MINUTE,
            Op::ClockBack(minutes) => world.behind_ms += minutes * MINUTE,
            Op::Open => {
                let newest = world.seen.episode.as_ref();
                if newest.is_none_or(|episode| !episode.open) {
                    world.open(newest.map_or(1, |episode| episode.number + 1));
                }
            }
            Op::Close => {
                if let Some(episode) = &mut world.seen.episode {
                    episode.open = false;
                }
            }
            Op::LoseMemory => {
                // Longer than the difference that is taken for one.
                world.real_ms += 3 * MINUTE;
                let again = world.seen.episode.as_ref().is_some_and(|episode| episode.open);
                world.seen.episode = None;
                if again {
                    world.open(1);
                }
            }
            Op::Check(death, shrunk) => {
                let mut seen = world.seen.clone();
                if let Some(episode) = &mut seen.episode {
                    episode.opened_at_ms -= shrunk * 1000;
                }
                let before = world.ground.made.len();
                let strikes = world.ground.ledger.strikes().len();
                let now = world.now();
                let verdict = check(&mut world.ground, &seen, policy, now, *death);
                for made in world.ground.made[before..].iter().cloned() {
                    // Begun before the breaker opened, it may be gone on with.
                    let resumed = death.is_none() && strikes >= policy.refused_before_breaker as usize;
                    prop_assert!(!resumed || matches!(verdict, Some(Verdict::Start(_))));
                    world.starts.push((made, world.real_ms, world.episode));
                }
                if death.is_none() {
                    prop_assert!(verdict.is_some());
                }
            }
            Op::End(how, recorded) => {
                let open = world.ground.runs.iter().find(|(_, end)| end.is_none());
                let Some(name) = open.map(|(name, _)| name.clone()) else {
                    continue;
                };
                let reason = "so".to_owned();
                let end = match how {
                    0 | 1 => State::Refused {
                        reasons: vec![reason],
                        mlflow_run: None,
                    },
                    2 => State::Failed { reason },
                    3 => {
                        fruitless.push(name.clone());
                        State::NothingNew { reason }
                    }
                    _ => {
                        world.model += 1;
                        world.seen = Observation {
                            model: world.digest(),
                            episode: None,
                            ..world.seen.clone()
                        };
                        promoted(&world.digest())
                    }
                };
                let now = world.now();
                world.ground.end(&name, end, now, *recorded);
            }
            Op::Reset => world.ground.ledger.reset_breaker(),
        }
    }
    for (index, (name, at, episode)) in world.starts.iter().enumerate() {
        for (other, later, same) in &world.starts[index + 1..] {
            let allowed = fruitless.contains(name);
            prop_assert!(episode != same || allowed, "{name} and {other} for one episode");
            prop_assert!(
                later - at >= policy.cooldown_ms,
                "{other} {} minutes after {name}",
                (later - at) / MINUTE
            );
        }
        let day = world.starts[index..]
            .iter()
            .take_while(|(_, later, _)| later - at < DAY_MS);
        prop_assert!(
            day.count() <= policy.daily_cap as usize,
            "more than the cap in a day"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_order_of_events(
        ops in ops(), cooldown in 0_u64..300, daily_cap in 1_u32..6, refused_before_breaker in 1_u32..5,
    ) {
        run(&ops, Policy { cooldown_ms: cooldown * MINUTE, daily_cap, refused_before_breaker })?;
    }

}

/// Old entries go, and the text has a bound whatever is said.
#[test]
fn the_ledger_is_bounded() {
    let policy = Policy {
        cooldown_ms: 0,
        daily_cap: u32::MAX,
        refused_before_breaker: u32::MAX,
    };
    let mut ground = Ground::default();
    for index in 0..150 {
        let long = "ä".repeat(index * 20);
        let seen = Observation {
            model: format!("sha256:{index:08x}{index:056x}"),
            episode: Some(Episode {
                number: 1,
                opened_at_ms: BEGIN_MS,
                since_rows: None,
                open: true,
                movements: vec![long.clone(); 9],
            }),
            samples: 1,
            judged: true,
        };
        check(&mut ground, &seen, policy, BEGIN_MS, None).unwrap();
        let run = ground.made.last().unwrap().clone();
        let end = State::Refused {
            reasons: vec![long; 9],
            mlflow_run: None,
        };
        ground.end(&run, end, BEGIN_MS, true);
    }
    assert_eq!(ground.made.len(), 150);
    assert_eq!(ground.ledger.entries.len(), ENTRIES_MAX);
    let bytes = serde_json::to_vec(&ground.ledger).unwrap().len();
    assert!(bytes < 350_000, "{bytes} bytes");
}

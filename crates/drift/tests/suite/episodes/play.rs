//! A store, an engine and a repository, played; and processes that can die before and after every step.

use drift::episodes::{Answer, Effect, Entry, Ledger, Observation, Policy, RunLook, Runs, Settled, State};
use drift::episodes::{Trigger, Verdict, Wish};
use std::collections::BTreeMap;

pub const TEMPLATE: &str = "training";

/// Where a process dies: at its so-manieth step, before or after the step's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    pub step: usize,
    pub after: bool,
}

/// What outlives every process.
#[derive(Default)]
pub struct Ground {
    pub ledger: Ledger,
    version: u64,
    /// Runs by name, with how and when they ended.
    pub runs: BTreeMap<String, Option<(State, u64)>>,
    /// Names in the order in which they were made.
    pub made: Vec<String>,
}

impl Ground {
    pub fn read(&self) -> (Ledger, String) {
        // Every store has it as text; to write it each time would be most of the test's time.
        let ledger = match self.version % 16 {
            0 => serde_json::from_str(&serde_json::to_string(&self.ledger).unwrap()).unwrap(),
            _ => self.ledger.clone(),
        };
        (ledger, self.version.to_string())
    }

    pub fn write(&mut self, ledger: &Ledger, expected: &str) -> bool {
        if expected != self.version.to_string() {
            return false;
        }
        self.version += 1;
        self.ledger = ledger.clone();
        true
    }

    fn unfinished(&self) -> Option<String> {
        let open = self.runs.iter().find(|(_, end)| end.is_none());
        open.map(|(name, _)| name.clone())
    }

    fn do_it(&mut self, effect: &Effect) -> Answer {
        match effect {
            Effect::Read => {
                let (ledger, version) = self.read();
                Answer::Ledger(ledger, version)
            }
            Effect::Runs(names) => {
                let look = |name: &String| {
                    let look = match self.runs.get(name)? {
                        None => RunLook::Unfinished,
                        Some((end, at_ms)) => RunLook::Over(end.clone(), Some(*at_ms)),
                    };
                    Some((name.clone(), look))
                };
                Answer::Runs(Runs {
                    known: names.iter().filter_map(look).collect(),
                    unfinished: self.unfinished(),
                })
            }
            Effect::Write(ledger, expected) => match self.write(ledger, expected) {
                true => Answer::Written,
                false => Answer::Conflict,
            },
            Effect::Start(entry) => self.start(entry),
            Effect::Done(_) => unreachable!("that is the end"),
        }
    }

    fn start(&mut self, entry: &Entry) -> Answer {
        if self.runs.contains_key(&entry.run) {
            return Answer::Started;
        }
        if let Some(other) = self.unfinished() {
            return Answer::Busy(other);
        }
        self.runs.insert(entry.run.clone(), None);
        self.made.push(entry.run.clone());
        Answer::Started
    }

    /// What the run itself says at its end.
    pub fn end(&mut self, run: &str, end: State, now_ms: u64, recorded: bool) {
        self.runs.insert(run.to_owned(), Some((end.clone(), now_ms)));
        if recorded {
            let (mut ledger, version) = self.read();
            ledger.ended(run, end, now_ms);
            assert!(self.write(&ledger, &version));
        }
    }
}

/// One trigger on its way.
pub struct Process {
    trigger: Trigger,
    next: Effect,
    step: usize,
    death: Option<Death>,
}

impl Process {
    pub fn new(wish: Wish, policy: Policy, now_ms: u64, death: Option<Death>) -> Self {
        let (trigger, next) = Trigger::begin(wish, policy, TEMPLATE, now_ms);
        Process {
            trigger,
            next,
            step: 0,
            death,
        }
    }

    /// One step; `Some` once it is over, with its verdict if it lived to say it.
    pub fn step(&mut self, ground: &mut Ground) -> Option<Option<Verdict>> {
        if let Effect::Done(verdict) = &self.next {
            return Some(Some(verdict.clone()));
        }
        let dies = self.death.filter(|death| death.step == self.step);
        if dies.is_some_and(|death| !death.after) {
            return Some(None);
        }
        let answer = ground.do_it(&self.next);
        if dies.is_some() {
            return Some(None);
        }
        self.step += 1;
        self.next = self.trigger.next(answer);
        None
    }
}

/// A trigger from its start to its end, alone.
pub fn check(
    ground: &mut Ground,
    seen: &Observation,
    policy: Policy,
    now_ms: u64,
    death: Option<Death>,
) -> Option<Verdict> {
    let mut process = Process::new(Wish::Check(seen.clone()), policy, now_ms, death);
    loop {
        if let Some(verdict) = process.step(ground) {
            return verdict;
        }
    }
}

/// A promotion of that model.
pub fn promoted(model: &str) -> State {
    State::Promoted {
        model: Some(model.to_owned()),
        settled: Settled::Unknown,
    }
}

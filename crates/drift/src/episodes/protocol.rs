//! The order of reads, writes and starts. A machine without hands: it says what is to be done next and is
//! told what came of it, so that it can be stopped between any two steps, in tests as in life.
//!
//! The entry is in the ledger before the run is made, the run's name follows from the entry, and both the
//! ledger (compare-and-swap) and the runner (a name is given once) refuse the second one. Whoever comes
//! after a trigger that was killed finds either nothing, or an entry to go on with, or its run.

use super::Entry;
use super::{Ledger, Observation, Policy, State, Verdict, decide, decide_forced};
use std::collections::BTreeMap;

/// Writers that may come between, one after the other.
const CONFLICTS_MAX: u32 = 20;

/// What a trigger is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To answer what the API says.
    Check(Observation),
    /// To retrain by order.
    Force,
    /// To close the breaker.
    ResetBreaker,
}

/// What is known of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunLook {
    /// It is there and not over.
    Unfinished,
    /// It is over, since then where that is known.
    Over(State, Option<u64>),
}

/// What is known of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// By name; those that the runner does not know are missing.
    pub known: BTreeMap<String, RunLook>,
    /// A run of the template that is not over, whoever started it.
    pub unfinished: Option<String>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read the ledger.
    Read,
    /// Ask about these runs, and for one that is not over.
    Runs(Vec<String>),
    /// Write the ledger, if it is still of this version.
    Write(Box<Ledger>, String),
    /// Make the run of this entry, unless it is there.
    Start(Box<Entry>),
    /// Nothing: this is the result.
    Done(Verdict),
}

/// What came of an [`Effect`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The ledger and its version.
    Ledger(Ledger, String),
    /// What is known.
    Runs(Runs),
    /// The ledger is written.
    Written,
    /// It had another version.
    Conflict,
    /// The run is there, made now or before.
    Started,
    /// Another run of the template is not over.
    Busy(String),
}

#[derive(Debug)]
enum Phase {
    Reading,
    Asking(Box<Ledger>, String),
    Writing(Verdict),
    Starting(Box<Entry>),
    Rereading(Box<Entry>),
    Marking(Box<Entry>),
}

/// One trigger on its way.
#[derive(Debug)]
pub struct Trigger {
    wish: Wish,
    policy: Policy,
    template: String,
    now_ms: u64,
    conflicts: u32,
    phase: Phase,
}

impl Trigger {
    /// A trigger and its first step.
    pub fn begin(wish: Wish, policy: Policy, template: &str, now_ms: u64) -> (Self, Effect) {
        let trigger = Trigger {
            wish,
            policy,
            template: template.to_owned(),
            now_ms,
            conflicts: 0,
            phase: Phase::Reading,
        };
        (trigger, Effect::Read)
    }

    /// The next step. An answer to another question than was asked begins from the start.
    pub fn next(&mut self, answer: Answer) -> Effect {
        let phase = std::mem::replace(&mut self.phase, Phase::Reading);
        match (phase, answer) {
            (Phase::Reading, Answer::Ledger(ledger, version)) => {
                let names = ledger.unended().map(|entry| entry.run.clone()).collect();
                self.phase = Phase::Asking(Box::new(ledger), version);
                Effect::Runs(names)
            }
            (Phase::Asking(ledger, version), Answer::Runs(runs)) => self.judge(*ledger, version, &runs),
            (Phase::Writing(Verdict::Start(entry)), Answer::Written) => {
                self.phase = Phase::Starting(entry.clone());
                Effect::Start(entry)
            }
            (Phase::Writing(verdict), Answer::Written) => Effect::Done(verdict),
            (Phase::Writing(verdict), Answer::Conflict) => self.again(verdict),
            (Phase::Starting(entry), Answer::Started) => {
                self.phase = Phase::Rereading(entry);
                Effect::Read
            }
            // The entry stays: the next trigger goes on with it, or gives it up.
            (Phase::Starting(_), Answer::Busy(run)) => Effect::Done(Verdict::Running { run }),
            (Phase::Rereading(entry), Answer::Ledger(mut ledger, version)) => {
                match ledger.started(&entry.run) {
                    true => {
                        self.phase = Phase::Marking(entry);
                        Effect::Write(Box::new(ledger), version)
                    }
                    // Another trigger, or the run itself, was faster.
                    false => Effect::Done(Verdict::Start(entry)),
                }
            }
            (Phase::Marking(entry), Answer::Conflict) if self.conflicts < CONFLICTS_MAX => {
                self.conflicts += 1;
                self.phase = Phase::Rereading(entry);
                Effect::Read
            }
            // Unmarked it is no harm: the next trigger asks the runner.
            (Phase::Marking(entry), _) => Effect::Done(Verdict::Start(entry)),
            _ => Effect::Read,
        }
    }

    fn judge(&mut self, before: Ledger, version: String, runs: &Runs) -> Effect {
        let now_ms = self.now_ms;
        let mut ledger = before;
        ledger.reconcile(runs, now_ms);
        let busy = runs.unfinished.as_deref();
        let verdict = match &self.wish {
            Wish::Check(seen) => {
                ledger.see(seen, now_ms);
                decide(&ledger, seen, &self.policy, busy, &self.template, now_ms)
            }
            Wish::Force => {
                ledger.set_back(now_ms);
                decide_forced(&ledger, busy, &self.template, now_ms)
            }
            Wish::ResetBreaker => {
                ledger.reset_breaker();
                Verdict::BreakerReset
            }
        };
        if let Verdict::Start(entry) = &verdict {
            ledger.begin(&Entry {
                at_ms: now_ms,
                ..(**entry).clone()
            });
        }
        ledger.note(&verdict, now_ms);
        self.phase = Phase::Writing(verdict);
        Effect::Write(Box::new(ledger), version)
    }

    fn again(&mut self, verdict: Verdict) -> Effect {
        self.conflicts += 1;
        if self.conflicts < CONFLICTS_MAX {
            return Effect::Read;
        }
        Effect::Done(match verdict {
            // Not to be had without the ledger.
            Verdict::Start(_) | Verdict::BreakerReset => Verdict::Contended,
            // Only its note is missing.
            other => other,
        })
    }
}

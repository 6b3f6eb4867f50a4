//! When is a commit live, and how does waiting for it end? Against an engine that follows a script.

use engine::{
    AppStatus, Condition, Engine, EngineError, Health, Record, Run, RunPhase, Status, Sync, Waited,
};
use std::{cell::RefCell, time::Duration};

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";

fn app(sync: Sync, health: Health, revision: &str, live_revision: &str) -> AppStatus {
    AppStatus {
        name: "inference-api".to_owned(),
        sync,
        health,
        revision: revision.to_owned(),
        live_revision: live_revision.to_owned(),
        message: String::new(),
        images: Vec::new(),
        replicas_wanted: 1,
        replicas: Vec::new(),
        address: None,
        stand_in: None,
        conditions: Vec::new(),
        not_honoured: Vec::new(),
        next_schedule: None,
    }
}

/// Gives one state after the other, and the last one for ever.
struct Script {
    states: RefCell<Vec<AppStatus>>,
    phases: RefCell<Vec<RunPhase>>,
}

fn script(states: Vec<AppStatus>, phases: Vec<RunPhase>) -> Script {
    Script {
        states: RefCell::new(states),
        phases: RefCell::new(phases),
    }
}

fn next<T: Clone>(left: &RefCell<Vec<T>>) -> T {
    let mut left = left.borrow_mut();
    if left.len() > 1 {
        left.remove(0)
    } else {
        left[0].clone()
    }
}

impl Engine for Script {
    fn name(&self) -> &str {
        "script"
    }
    fn environment(&self) -> &str {
        "script"
    }
    fn data_names(&self) -> Result<Vec<String>, EngineError> {
        unreachable!("waiting reads no data")
    }
    fn data(&self, _: &str) -> Result<String, EngineError> {
        unreachable!("waiting reads no data")
    }
    fn add_data(&self, _: &str, _: &str) -> Result<(), EngineError> {
        unreachable!("waiting adds no data")
    }
    fn status(&self) -> Result<Status, EngineError> {
        let apps = vec![next(&self.states)];
        Ok(Status {
            engine: "script".to_owned(),
            revision: NEW.to_owned(),
            apps,
            runs: Vec::new(),
        })
    }
    fn refresh(&self) -> Result<(), EngineError> {
        Ok(())
    }
    fn start_run_named(
        &self,
        _: &str,
        _: &str,
        _: &[String],
        _: &[(String, String)],
    ) -> Result<String, EngineError> {
        unreachable!("waiting starts nothing")
    }
    fn record(&self, _: &str) -> Result<Record, EngineError> {
        unreachable!("waiting reads no record")
    }
    fn put_record(&self, _: &str, _: &str, _: &str) -> Result<bool, EngineError> {
        unreachable!("waiting writes no record")
    }
    fn run(&self, id: &str) -> Result<Run, EngineError> {
        Ok(Run {
            id: id.to_owned(),
            template: "training".to_owned(),
            phase: next(&self.phases),
            exit_code: None,
            attempts: 1,
            started_at: String::new(),
            finished_at: None,
            stdout: String::new(),
            log_tail: vec!["[2/7] train".to_owned()],
        })
    }
    fn start_run(&self, _: &str, _: &[String], _: &[(String, String)]) -> Result<String, EngineError> {
        unreachable!("waiting starts nothing")
    }
    fn logs(&self, _: &str, _: usize) -> Result<Vec<String>, EngineError> {
        unreachable!("waiting reads no logs")
    }
    fn address(&self, _: &str) -> Result<String, EngineError> {
        unreachable!("waiting asks no address")
    }
    fn git_url(&self) -> Result<String, EngineError> {
        unreachable!("waiting reads no Git")
    }
    fn kill(&self, _: &str) -> Result<(), EngineError> {
        unreachable!("waiting kills nothing")
    }
    fn suspend(&self, _: &str, _: bool) -> Result<(), EngineError> {
        unreachable!("waiting stops nothing")
    }
}

#[test]
fn only_synced_healthy_and_both_revisions_are_live() {
    use {Health as H, Sync as S};
    for (state, live) in [
        (app(S::Synced, H::Healthy, NEW, NEW), true),
        // Healthy and synced, but with what ran before.
        (app(S::Synced, H::Healthy, OLD, OLD), false),
        // Seen, not rolled out: the old replicas are what is healthy.
        (app(S::Synced, H::Healthy, NEW, OLD), false),
        (app(S::Synced, H::Healthy, OLD, NEW), false),
        (app(S::OutOfSync, H::Healthy, NEW, NEW), false),
        (app(S::Unknown, H::Healthy, NEW, NEW), false),
        (app(S::Synced, H::Progressing, NEW, NEW), false),
        (app(S::Synced, H::Degraded, NEW, NEW), false),
        (app(S::Synced, H::Suspended, NEW, NEW), false),
        (app(S::Synced, H::Missing, NEW, NEW), false),
    ] {
        assert_eq!(state.is_live_at(NEW), live, "{}", state.summary());
    }
}

#[test]
fn waiting_passes_over_wrong_answers() {
    let states = vec![
        app(Sync::Synced, Health::Healthy, OLD, OLD),
        // The old release was degraded: that says nothing of the new one.
        app(Sync::OutOfSync, Health::Degraded, OLD, OLD),
        app(Sync::OutOfSync, Health::Progressing, NEW, OLD),
        app(Sync::Synced, Health::Healthy, NEW, OLD),
        app(Sync::Synced, Health::Healthy, NEW, NEW),
    ];
    let engine = script(states, Vec::new());
    let waited = engine::wait_live(&engine, "inference-api", NEW, Duration::from_secs(10)).unwrap();
    assert!(matches!(waited, Waited::Live(_)), "{waited:?}");
    assert_eq!(
        engine.states.borrow().len(),
        1,
        "it did not wait for the last state"
    );
}

#[test]
fn a_degraded_release_is_said_with_its_log_lines() {
    let mut state = app(Sync::OutOfSync, Health::Degraded, NEW, OLD);
    state.conditions = vec![Condition {
        kind: "DegradedRelease".to_owned(),
        message: "exit code 2".to_owned(),
    }];
    let engine = script(vec![state], Vec::new());
    let waited = engine::wait_live(&engine, "inference-api", NEW, Duration::from_secs(10)).unwrap();
    assert!(
        matches!(&waited, Waited::Degraded(why) if why.contains("exit code 2")),
        "{waited:?}"
    );
}

#[test]
fn deadlines_say_what_was_seen_last() {
    let engine = script(
        vec![app(Sync::Synced, Health::Progressing, NEW, OLD)],
        vec![RunPhase::Running],
    );
    let missing = engine::wait_live(&engine, "absent", NEW, Duration::ZERO).unwrap_err();
    assert!(
        missing.to_string().contains("no application \"absent\""),
        "{missing}"
    );
    let late = engine::wait_live(&engine, "inference-api", NEW, Duration::ZERO).unwrap_err();
    assert!(
        late.to_string().contains("Synced Progressing at 2222222"),
        "{late}"
    );
    let run = engine::wait_run(&engine, "training-1", Duration::ZERO, |_| {}).unwrap_err();
    assert!(run.to_string().contains("[2/7] train"), "{run}");
}

#[test]
fn a_run_is_over_when_it_succeeded_or_failed() {
    for end in [RunPhase::Succeeded, RunPhase::Failed] {
        let phases = vec![RunPhase::Pending, RunPhase::Running, end];
        let engine = script(vec![app(Sync::Synced, Health::Healthy, NEW, NEW)], phases);
        let mut seen = Vec::new();
        let run = engine::wait_run(&engine, "training-1", Duration::from_secs(10), |run| {
            seen.push(run.phase)
        });
        assert_eq!(run.unwrap().phase, end);
        assert_eq!(seen, [RunPhase::Pending, RunPhase::Running, end]);
    }
}

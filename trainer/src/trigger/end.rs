//! How a retrain ended, as the ledger has it: told by the run itself, or found by the next trigger.

use super::place::Place;
use crate::cli::{PlaceFlags, RunFlags, ToldFlags};
use crate::failure::{Failure, Result};
use crate::outcome::{Outcome, Status};
use crate::single::Said;
use cluster::jobs::End;
use contract::names::exit;
use drift::episodes::{RunLook, Settled, State};
use engine::{Run, RunPhase};
use serde_json::Value;

/// Exit codes after which the same run is not started again.
pub const FOR_GOOD: [u8; 5] = [2, exit::BAD_DATA, exit::NOTHING_NEW, exit::OUTRUN, exit::NOT_LIVE];
/// Writers that may come between, one after the other.
const ATTEMPTS: u32 = 20;

/// Writes the end of this run into the ledger, if it is one that a trigger started and is over for good.
/// Where that fails the next trigger finds the end by itself.
pub fn record(flags: &RunFlags, ended: &Result<Outcome>) {
    let Some(run) = flags.nonce().filter(|_| flags.cause.trigger_reason.is_some()) else {
        return;
    };
    let Some(state) = of_result(ended) else {
        return;
    };
    let place = PlaceFlags {
        engine_file: flags.live.engine_file.clone(),
        training_namespace: flags.cause.training_namespace.clone(),
    };
    if let Err(failure) = write(&place, run, &state) {
        eprintln!("trainer: the end of this retrain is not in the ledger yet: {failure}");
    }
}

/// The same, told by a step of a pipeline: whichever decides how the run ends.
pub fn tell(told: &ToldFlags, step: &str, ended: &Result<Said>) {
    let Some(run) = told.ledger_run.as_deref().filter(|run| !run.is_empty()) else {
        return;
    };
    let Some(state) = of_step(step, ended) else {
        return;
    };
    let place = PlaceFlags {
        engine_file: None,
        training_namespace: told.cause.training_namespace.clone(),
    };
    if let Err(failure) = write(&place, run, &state) {
        eprintln!("trainer: the end of this retrain is not in the ledger yet: {failure}");
    }
}

/// The run's end, if this step is it.
fn of_step(step: &str, ended: &Result<Said>) -> Option<State> {
    let said = match ended {
        Err(failure) => return of_failure(failure),
        Ok(Said::Outcome(outcome)) => serde_json::to_value(outcome).ok()?,
        Ok(Said::Report(text, _)) => serde_json::from_str(text).ok()?,
    };
    match step {
        "load" if said["news"] == false => Some(of_detail(Some(exit::NOTHING_NEW.into()), &said, "")),
        "validate" if said["status"] == "refused" => Some(of_detail(Some(exit::REFUSED.into()), &said, "")),
        "promote" if said["live"].is_boolean() => Some(of_detail(Some(0), &said, "")),
        _ => None,
    }
}

fn write(place: &PlaceFlags, run: &str, state: &State) -> Result<()> {
    let place = Place::of(place)?;
    for _ in 0..ATTEMPTS {
        let (mut ledger, version) = place.read()?;
        if !ledger.ended(run, state.clone(), super::now_ms()) || place.write(&ledger, &version)? {
            return Ok(());
        }
    }
    Err(Failure::new(1, "others write to it all the time"))
}

/// The end for good; `None` where the engine starts the run again.
fn of_result(ended: &Result<Outcome>) -> Option<State> {
    match ended {
        Ok(outcome) if outcome.status == Status::Refused => Some(of_detail(
            Some(exit::REFUSED.into()),
            &Value::Object(outcome.detail.clone()),
            "",
        )),
        Ok(outcome) => Some(of_detail(Some(0), &Value::Object(outcome.detail.clone()), "")),
        Err(failure) => of_failure(failure),
    }
}

fn of_failure(failure: &Failure) -> Option<State> {
    let code = Some(failure.exit).filter(|code| FOR_GOOD.contains(code))?;
    Some(of_detail(Some(code.into()), &Value::Null, &failure.to_string()))
}

/// A run of an engine that is over.
pub fn of_run(run: &Run) -> RunLook {
    let result = serde_json::from_str(run.stdout.trim()).unwrap_or(Value::Null);
    let code = match run.phase {
        RunPhase::Succeeded => Some(0),
        _ => run.exit_code,
    };
    let last = run.log_tail.last().map_or("it said nothing", String::as_str);
    RunLook::Over(
        of_detail(code, &result, last),
        run.finished_at.as_deref().and_then(ms),
    )
}

/// A Job that is over; what it printed cannot be read from inside of the cluster.
pub fn of_job(end: &End) -> RunLook {
    let code = if end.succeeded { Some(0) } else { end.exit_code };
    let at_ms = end.at_ms.and_then(|ms| u64::try_from(ms).ok());
    RunLook::Over(of_detail(code, &Value::Null, &end.message), at_ms)
}

/// Milliseconds since 1970, from RFC 3339.
pub fn ms(time: &str) -> Option<u64> {
    let time: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

/// From an exit code and what the trainer printed; `words` where it printed nothing.
pub fn of_detail(code: Option<i32>, result: &Value, words: &str) -> State {
    let text = |key: &str| result[key].as_str().map(str::to_owned);
    let reason = text("reason").unwrap_or_else(|| words.to_owned());
    match code.and_then(|code| u8::try_from(code).ok()) {
        Some(0) => State::Promoted {
            model: text("model_digest"),
            settled: Settled::Unknown,
        },
        Some(exit::REFUSED) => {
            let reasons = result["reasons"].as_array().into_iter().flatten();
            let plain = |reason: &Value| reason.as_str().map_or_else(|| reason.to_string(), str::to_owned);
            let mut reasons: Vec<String> = reasons.map(plain).collect();
            if reasons.is_empty() {
                reasons.push(reason);
            }
            State::Refused {
                reasons,
                mlflow_run: text("run_id"),
            }
        }
        Some(exit::NOTHING_NEW) => State::NothingNew { reason },
        Some(exit::OUTRUN) => State::Outrun { reason },
        Some(code) => State::Failed {
            reason: format!("exit code {code}: {reason}"),
        },
        None => State::Failed { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(phase: RunPhase, exit_code: Option<i32>, stdout: Value) -> Run {
        Run {
            id: "training-a".to_owned(),
            template: "training".to_owned(),
            phase,
            exit_code,
            attempts: 1,
            started_at: String::new(),
            finished_at: Some("2026-01-01T00:00:00.5Z".to_owned()),
            stdout: stdout.to_string(),
            log_tail: vec!["last words".to_owned()],
        }
    }

    #[test]
    fn ends_in_the_ledgers_words() {
        let state = |run: &Run| match of_run(run) {
            RunLook::Over(state, Some(1_767_225_600_500)) => state,
            other => panic!("{other:?}"),
        };
        let done = run(RunPhase::Succeeded, Some(0), json!({"model_digest": "sha256:b"}));
        assert_eq!(state(&done).word(), "promoted");
        let refused = json!({"reasons": ["accuracy 0.4 is below 0.9"], "run_id": "r"});
        assert_eq!(
            state(&run(RunPhase::Failed, Some(12), refused)),
            State::Refused {
                reasons: vec!["accuracy 0.4 is below 0.9".to_owned()],
                mlflow_run: Some("r".to_owned()),
            }
        );
        for (code, word) in [
            (11, "nothing-new"),
            (13, "outrun"),
            (61, "failed"),
            (40, "failed"),
        ] {
            let said = json!({"reason": "so"});
            assert_eq!(state(&run(RunPhase::Failed, Some(code), said)).word(), word);
        }
        let killed = State::Failed {
            reason: "last words".to_owned(),
        };
        assert_eq!(state(&run(RunPhase::Failed, None, Value::Null)), killed);
    }

    #[test]
    fn what_is_tried_again_is_not_over() {
        let failed = |code| of_result(&Err(Failure::new(code, "so")));
        assert_eq!(failed(exit::MLFLOW), None);
        assert_eq!(failed(1), None);
        assert_eq!(failed(exit::OUTRUN).unwrap().word(), "outrun");
        assert_eq!(failed(exit::NOT_LIVE).unwrap().word(), "failed");
    }

    #[test]
    fn a_job_tells_little() {
        let end = |succeeded, exit_code| End {
            succeeded,
            at_ms: None,
            exit_code,
            message: "so".to_owned(),
        };
        let word = |end: &End| match of_job(end) {
            RunLook::Over(state, None) => state.word(),
            other => panic!("{other:?}"),
        };
        assert_eq!(word(&end(true, None)), "promoted");
        assert_eq!(word(&end(false, Some(12))), "refused");
        assert_eq!(word(&end(false, None)), "failed");
    }
}

//! What the end of an attempt means for its step, and the end of all steps for the run.

use crate::attempt::{Stop, Tried};
use crate::error::{Error, Fault};
use crate::record::{Attempt, AttemptState, Failure, Outputs, RunState, StepState};
use crate::runner::{Event, now_ms};
use crate::schedule::Schedule;
use kfp::container::Retry;
use kfp::run::{End, State};
use std::time::{Duration, Instant};

impl Schedule<'_> {
    /// Takes note of an attempt's end.
    pub(crate) fn ended(&mut self, path: &str, tried: Tried) -> Result<(), Error> {
        let Some(mut order) = self.under_way.remove(path) else {
            return Ok(());
        };
        let Some(step) = self.record.steps.get_mut(path) else {
            return Ok(());
        };
        let Some(attempt) = step.attempts.last_mut() else {
            return Ok(());
        };
        let now = now_ms();
        attempt.ended_ms = Some(now);
        attempt.exit_code = tried.exit_code;
        attempt.tail = tried.tail;
        step.warnings = tried.warnings;
        #[expect(clippy::cast_precision_loss)]
        let seconds = now.saturating_sub(attempt.started_ms) as f64 / 1000.0;
        let event = match tried.result {
            Ok(outputs) => {
                attempt.state = AttemptState::Succeeded;
                step.state = StepState::Succeeded;
                step.cached = tried.cached;
                self.run
                    .end(path, End::Succeeded(outputs.left(self.world.folder)));
                step.outputs = outputs;
                Some(Event::Succeeded {
                    step: path.to_owned(),
                    cached: tried.cached,
                    seconds,
                })
            }
            Err(Stop::Cancelled) => {
                attempt.state = AttemptState::Interrupted;
                self.cancelled = true;
                None
            }
            Err(Stop::Fault(fault)) => {
                attempt.state = AttemptState::Failed;
                attempt.fault = Some(fault.clone());
                step.failed += 1;
                let spent = Duration::from_millis(now.saturating_sub(step.started_ms));
                let in_time = self.world.deadline.is_none_or(|at| at > Instant::now());
                let pause = pause(order.launch.retry, step.failed, spent);
                let codes = &self.world.runner.limits.final_codes;
                let last_word = tried.exit_code.is_some_and(|code| codes.contains(&code));
                match pause.filter(|_| in_time && !last_word && fault.id.may_pass()) {
                    Some(pause) => {
                        step.state = StepState::Waiting;
                        order.number += 1;
                        order.failed = step.failed;
                        self.waiting
                            .insert(path.to_owned(), (Instant::now() + pause, order));
                        Some(Event::Retry {
                            step: path.to_owned(),
                            fault,
                            pause,
                        })
                    }
                    None => {
                        step.state = StepState::Failed;
                        self.run.end(path, End::Failed(why(attempt)));
                        Some(Event::Failed {
                            step: path.to_owned(),
                            fault,
                        })
                    }
                }
            }
        };
        self.record.write(self.world.folder)?;
        if let Some(event) = event {
            (self.progress)(&event);
        }
        Ok(())
    }

    /// The run's end in the record; none is a run that was cancelled.
    pub(crate) fn over(&mut self, state: Option<State>) -> Result<(), Error> {
        self.record.ended_ms = Some(now_ms());
        match state {
            None => self.record.state = RunState::Cancelled,
            Some(state) => {
                self.record.steps.retain(|path, _| self.seen.contains(path));
                match state {
                    State::Succeeded(left) => {
                        self.record.state = RunState::Succeeded;
                        self.record.outputs = Outputs::of_run(&left, &self.record.steps, self.world.folder);
                    }
                    State::Failed(failures) => {
                        let failure = |(step, what)| Failure { step, what };
                        self.record.state = RunState::Failed;
                        self.record.failures = failures.into_iter().map(failure).collect();
                    }
                    State::Running => {}
                }
            }
        }
        self.record.write(self.world.folder)
    }
}

/// Why a step failed, with its last line and where there is more.
pub(crate) fn why(attempt: &Attempt) -> String {
    let fault = attempt.fault.as_ref().map(Fault::to_string).unwrap_or_default();
    let last = attempt.tail.last().map(|line| format!("; it said: {line}"));
    format!("{fault}{}; see {}", last.unwrap_or_default(), attempt.log)
}

/// The pause before the next attempt, if there is to be one. As on the server, the time counts from the start
/// of the first attempt, and without a longest time there is none.
fn pause(retry: Option<Retry>, failed: u32, spent: Duration) -> Option<Duration> {
    let retry = retry.filter(|retry| failed <= retry.times)?;
    let within = retry.within?;
    let first = retry.backoff.unwrap_or_default().as_secs_f64();
    let factor = retry.factor.unwrap_or(1.0);
    let seconds = first * factor.powf(f64::from(failed.saturating_sub(1)));
    let pause = Duration::try_from_secs_f64(seconds).ok()?;
    (spent.checked_add(pause)? <= within).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let retry = Retry {
            times: 3,
            backoff: Some(Duration::from_secs(10)),
            factor: Some(2.0),
            within: Some(Duration::from_secs(60)),
        };
        let after = |failed, spent| pause(Some(retry), failed, Duration::from_secs(spent));
        assert_eq!(after(1, 0), Some(Duration::from_secs(10)));
        assert_eq!(after(3, 10), Some(Duration::from_secs(40)));
        assert_eq!(after(3, 30), None, "the first attempt began too long ago");
        assert_eq!(after(4, 0), None, "three more times");
        let endless = Retry {
            within: None,
            ..retry
        };
        assert_eq!(pause(Some(endless), 1, Duration::ZERO), None, "as on the server");
        assert_eq!(pause(None, 1, Duration::ZERO), None);
    }
}

//! Waiting on conditions, each with a deadline that says what it waited for.

use crate::{Engine, EngineError, Health, Run, RunPhase};
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(50);

/// How a wait for a commit ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Waited {
    /// Live after so long.
    Live(Duration),
    /// The engine gave up on the release; the old one still serves. Message with last log lines.
    Degraded(String),
}

/// Waits until `app` runs exactly `commit`, or is Degraded at it.
///
/// # Errors
/// `Deadline` with the last state, or what the engine said.
pub fn wait_live(
    engine: &dyn Engine,
    app: &str,
    commit: &str,
    deadline: Duration,
) -> Result<Waited, EngineError> {
    let start = Instant::now();
    engine.refresh()?;
    loop {
        let status = engine.status()?;
        let last = match status.app(app) {
            Some(app) if app.is_live_at(commit) => return Ok(Waited::Live(start.elapsed())),
            Some(app) if app.revision == commit && app.health == Health::Degraded => {
                let mut text = app.summary();
                for condition in &app.conditions {
                    text.push('\n');
                    text.push_str(&condition.message);
                }
                return Ok(Waited::Degraded(text));
            }
            Some(app) => app.summary(),
            None => format!("no application {app:?}"),
        };
        if start.elapsed() >= deadline {
            return Err(EngineError::Deadline {
                what: format!("{app} live at {commit}"),
                seconds: deadline.as_secs_f64(),
                last,
            });
        }
        std::thread::sleep(POLL);
    }
}

/// Waits until a run is over, whatever its end; `seen` is called with each state.
///
/// # Errors
/// `Deadline` with the last state, or what the engine said.
pub fn wait_run(
    engine: &dyn Engine,
    id: &str,
    deadline: Duration,
    mut seen: impl FnMut(&Run),
) -> Result<Run, EngineError> {
    let start = Instant::now();
    loop {
        let run = engine.run(id)?;
        seen(&run);
        if matches!(run.phase, RunPhase::Succeeded | RunPhase::Failed) {
            return Ok(run);
        }
        if start.elapsed() >= deadline {
            let last = format!(
                "{:?}, attempt {}: {}",
                run.phase,
                run.attempts,
                run.log_tail.last().map_or("", String::as_str)
            );
            return Err(EngineError::Deadline {
                what: format!("end of run {id}"),
                seconds: deadline.as_secs_f64(),
                last,
            });
        }
        std::thread::sleep(POLL);
    }
}

//! The life of an episode of drift, as the demo shows it: opened, answered by one retrain, over.

use super::{Api, Timeline, broken};
use crate::{
    cmd::{status::retrains, train},
    ctx::{Ctx, engine_failure},
    failure::Outcome,
    step::Deadline,
    wait::{self, Look},
};
use contract::names;
use engine::Engine;
use serde_json::Value;
use std::time::{Duration, Instant};

const RETRAIN: &str = "retrain because of the drift";
/// The story may be told twice within the hour: its drift is one in earnest each time.
const NO_BOUNDS: [(&str, &str); 3] = [
    ("RETRAIN_COOLDOWN", "0s"),
    ("RETRAIN_DAILY_CAP", "1000"),
    ("RETRAIN_BREAKER_AFTER", "1000"),
];

/// A retrain in a cluster's pods, eleven of them where Kubeflow Pipelines runs it.
const RETRAIN_DEADLINE: Duration = Duration::from_secs(300);

/// Retrains that the ledger knows, newest first.
fn ledger(engine: &dyn Engine) -> Outcome<Vec<Value>> {
    let record = engine.record(engine::DRIFT_LEDGER);
    let record = record.map_err(engine_failure(RETRAIN))?;
    let ledger = record.text.as_deref().and_then(retrains::read);
    Ok(ledger.map(|ledger| ledger.entries).unwrap_or_default())
}

/// Name of the newest retrain in the ledger.
///
/// # Errors
/// The engine does not answer.
pub fn newest_retrain(engine: &dyn Engine) -> Outcome<Option<String>> {
    let newest = ledger(engine)?.into_iter().next();
    Ok(newest.and_then(|entry| entry["run"].as_str().map(str::to_owned)))
}

/// The drift check starts the retrain, which ends with the promotion of the candidate; its name. The engine
/// may have been told of the drift and have checked by itself, and it is asked once more: it is one retrain all
/// the same.
///
/// # Errors
/// No run, a second one, or one that does not promote.
pub fn retrain(
    ctx: &Ctx,
    engine: &dyn Engine,
    before: Option<&str>,
    timeline: &mut Timeline<'_>,
) -> Outcome<String> {
    let attempted = RETRAIN;
    let check = check(engine)?;
    let deadline = Deadline::after(Duration::from_secs(60));
    // The check is over before or after the run that it starts, as the trainer likes: both end well.
    let mut id = None;
    wait::until(ctx, "the drift check has started a retrain", deadline, || {
        let begun = ledger(engine)?.into_iter().next();
        let begun = begun.filter(|entry| entry["state"]["is"] != "starting");
        let now = begun.and_then(|entry| entry["run"].as_str().map(str::to_owned));
        if now.is_some() && now.as_deref() != before {
            id = now;
            return Ok(Look::Holds);
        }
        let check = engine.run(&check).map_err(engine_failure(attempted))?;
        if check.phase == engine::RunPhase::Failed {
            train::verdict(&check)?;
        }
        Ok(Look::NotYet(check.log_tail.last().cloned().unwrap_or_default()))
    })?;
    let id = id.unwrap_or_default();
    timeline.line(format!("the drift check saw the episode: {id}"));
    asked_again(ctx, engine, &id, timeline)?;
    let start = Instant::now();
    let runs = engine.status().map_err(engine_failure(attempted))?.runs;
    let words = match runs.iter().any(|run| run.id == id) {
        true => {
            followed(ctx, engine, &id, timeline)?;
            let run = engine.run(&id).map_err(engine_failure(attempted))?;
            train::in_words(&train::verdict(&run)?)
        }
        false => ended(ctx, engine, &id)?,
    };
    timeline.line(format!(
        "retrain over after {:.1} s: {words}",
        start.elapsed().as_secs_f64()
    ));
    Ok(id)
}

/// A run of the engine to its end, with what it says.
fn followed(ctx: &Ctx, engine: &dyn Engine, id: &str, timeline: &mut Timeline<'_>) -> Outcome<()> {
    let mut told = 0;
    let deadline = Deadline::after(Duration::from_secs(60));
    wait::until(ctx, "the retrain ends", deadline, || {
        let run = engine.run(id).map_err(engine_failure(RETRAIN))?;
        for line in run.log_tail.iter().skip(told) {
            timeline.line(format!("  {}", line.trim()));
        }
        told = told.max(run.log_tail.len());
        let over = matches!(run.phase, engine::RunPhase::Succeeded | engine::RunPhase::Failed);
        Ok(if over {
            Look::Holds
        } else {
            Look::NotYet(run.log_tail.last().cloned().unwrap_or_default())
        })
    })?;
    Ok(())
}

/// A run of Kubeflow Pipelines to its end, which its own steps write into the ledger.
fn ended(ctx: &Ctx, engine: &dyn Engine, id: &str) -> Outcome<String> {
    let mut state = Value::Null;
    let deadline = Deadline::after(RETRAIN_DEADLINE);
    wait::until(ctx, "the pipeline's run ends", deadline, || {
        let entry = ledger(engine)?.into_iter().find(|entry| entry["run"] == id);
        state = entry.map(|entry| entry["state"].clone()).unwrap_or_default();
        Ok(match state["is"].as_str() {
            Some("starting" | "started") | None => Look::NotYet(format!("{id} is {}", state["is"])),
            Some(_) => Look::Holds,
        })
    })?;
    match state["is"] == "promoted" {
        true => Ok(format!(
            "model {} is promoted",
            state["model"].as_str().unwrap_or_default()
        )),
        false => Err(broken("promote the candidate", state)),
    }
}

/// A check more while the retrain goes on, or just after it: it must start nothing.
fn asked_again(ctx: &Ctx, engine: &dyn Engine, only: &str, timeline: &mut Timeline<'_>) -> Outcome<()> {
    let id = check(engine)?;
    let deadline = Deadline::after(Duration::from_secs(60));
    wait::until(ctx, "a second drift check ends", deadline, || {
        let run = engine.run(&id).map_err(engine_failure(RETRAIN))?;
        let over = matches!(run.phase, engine::RunPhase::Succeeded | engine::RunPhase::Failed);
        Ok(match over {
            true => Look::Holds,
            false => Look::NotYet(run.log_tail.last().cloned().unwrap_or_default()),
        })
    })?;
    let said = train::verdict(&engine.run(&id).map_err(engine_failure(RETRAIN))?)?;
    let newest = newest_retrain(engine)?;
    if newest.as_deref() != Some(only) {
        let seen = newest.unwrap_or_default();
        return Err(broken(
            "answer one episode with one retrain",
            format!("{seen} after {only}"),
        ));
    }
    let message = said["message"].as_str().unwrap_or_default();
    timeline.line(format!("asked again, the check starts nothing: {message}"));
    Ok(())
}

fn check(engine: &dyn Engine) -> Outcome<String> {
    let env = NO_BOUNDS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let started = engine.start_run(names::DRIFT_MONITOR, &[], &env);
    started.map_err(engine_failure("start the drift check"))
}

/// The episode that `/drift/status` tells of, in one line.
///
/// # Errors
/// None is open.
pub fn opened(drift: &Value) -> Outcome<String> {
    let episode = &drift["episode"];
    if episode["open"] != true {
        return Err(broken("open an episode where there is drift", drift));
    }
    let moved = episode["movements"].as_array().into_iter().flatten();
    let moved: Vec<&str> = moved.filter_map(Value::as_str).collect();
    let since = episode["since_rows"].as_u64();
    let since = since.map_or_else(String::new, |rows| format!(", found at row {rows}"));
    Ok(format!(
        "episode {} opens{since}: {}",
        episode["number"],
        moved.join("; ")
    ))
}

/// The retrain's end is in the ledger, and the new model has no episode.
///
/// # Errors
/// Either does not hold.
pub fn closed(api: &Api<'_>, engine: &dyn Engine, run: &str, timeline: &mut Timeline<'_>) -> Outcome<()> {
    let promise = "close the episode with the promotion";
    let entries = ledger(engine)?;
    let Some(entry) = entries.iter().find(|entry| entry["run"] == run) else {
        return Err(broken(promise, format!("the ledger has no {run}")));
    };
    let drift = api.drift()?;
    if entry["state"]["is"] != "promoted" || drift["episode"]["open"] == true {
        return Err(broken(promise, format!("{entry}; {}", drift["episode"])));
    }
    timeline.line(format!(
        "the episode is over: {run} promoted, and the new model has none open"
    ));
    Ok(())
}

//! `train`: a retrain through the engine, with its progress and its verdict.

use crate::{
    ctx::{Ctx, engine_failure},
    failure::{Failure, Id, Outcome},
    flags::TrainFlags,
    git, known,
    step::Deadline,
    wait::{self, Look},
};
use contract::names::{INFERENCE_API, TRAINING};
use engine::{Engine, Run, RunPhase};
use serde_json::Value;
use std::time::Duration;

/// Longest time a training run may take before xtask stops waiting for it.
pub const DEADLINE: Duration = Duration::from_secs(1800);

/// Trains, and waits until what was promoted is live.
///
/// # Errors
/// The trainer's verdict as an id, or what the engine says.
pub fn command(ctx: &Ctx, flags: &TrainFlags) -> Outcome<()> {
    let engine = ctx.engine()?;
    let mut args = flags.rest.clone();
    if flags.force {
        args.insert(0, "--force".to_owned());
    }
    ctx.report.begin("train");
    let deadline = Deadline::after(DEADLINE);
    let result = run(ctx, engine.as_ref(), &args, deadline)?;
    if ctx.exec.pretends() {
        return Ok(());
    }
    let clone = git::Clone::of(ctx, "train")?;
    let head = git::ask(ctx, &git::reads(clone.dir()).args(["rev-parse", "HEAD"]))?.unwrap_or_default();
    super::status::wait_live(ctx, engine.as_ref(), &head, deadline)?;
    if ctx.json {
        ctx.result(&result.to_string());
    } else {
        let address = engine
            .address(INFERENCE_API)
            .map_err(engine_failure("find the API"))?;
        ctx.result(&format!(
            "{}\nLive at {address} by commit {}.",
            in_words(&result),
            git::short(&head)
        ));
    }
    Ok(())
}

/// Runs the training workload to its end and returns the trainer's result. A run that is under way
/// (an `up` that was interrupted) is waited for instead of starting another.
///
/// # Errors
/// The trainer's verdict as an id, or what the engine says.
pub fn run(ctx: &Ctx, engine: &dyn Engine, args: &[String], deadline: Deadline) -> Outcome<Value> {
    let under_way = match engine.status() {
        Ok(status) => status.runs.into_iter().find(|run| {
            run.template == TRAINING && matches!(run.phase, RunPhase::Pending | RunPhase::Running)
        }),
        Err(_) => None,
    };
    let id = match under_way {
        Some(run) if args.is_empty() => run.id,
        _ => engine
            .start_run(TRAINING, args, &[])
            .map_err(engine_failure("start a training run"))?,
    };
    finish(ctx, engine, &id, deadline)
}

/// Waits for a run and reads its result.
///
/// # Errors
/// The trainer's verdict as an id, `deadline-passed`, or what the engine says.
pub fn finish(ctx: &Ctx, engine: &dyn Engine, id: &str, deadline: Deadline) -> Outcome<Value> {
    let mut last: Option<Run> = None;
    wait::until(ctx, &format!("run {id} ends"), deadline, || {
        let run = engine.run(id).map_err(engine_failure("ask for the run"))?;
        let over = matches!(run.phase, RunPhase::Succeeded | RunPhase::Failed);
        let line = run
            .log_tail
            .last()
            .cloned()
            .unwrap_or_else(|| format!("{:?}", run.phase));
        last = Some(run);
        Ok(if over { Look::Holds } else { Look::NotYet(line) })
    })?;
    last.map_or(Ok(Value::Null), |run| verdict(&run))
}

/// The result of a run that ended.
///
/// # Errors
/// The trainer's exit code as an id, with its reason and the last lines of its log.
pub fn verdict(run: &Run) -> Outcome<Value> {
    let result: Value = serde_json::from_str(run.stdout.trim()).unwrap_or(Value::Null);
    if run.phase == RunPhase::Succeeded {
        return Ok(result);
    }
    let code = run.exit_code.unwrap_or(1);
    let reasons = match (&result["reason"], &result["reasons"]) {
        (Value::String(reason), _) => reason.clone(),
        (_, Value::Array(reasons)) => reasons
            .iter()
            .map(|reason| reason.as_str().map_or_else(|| reason.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join("; "),
        _ => run
            .log_tail
            .last()
            .cloned()
            .unwrap_or_else(|| "it said nothing".to_owned()),
    };
    let id = known::trainer_exit(code);
    let failure = Failure::new(id, format!("run {} ({} attempts)", run.id, run.attempts))
        .because(format!("the trainer ended with {code}"))
        .because(reasons)
        .detail(run.log_tail.iter().rev().take(12).rev().cloned().collect());
    Err(if id == Id::RunFailed {
        failure.next(format!("cargo xtask logs {}", run.id))
    } else {
        failure
    })
}

/// A result in one line.
pub fn in_words(result: &Value) -> String {
    let text = |name: &str| result[name].as_str().map(str::to_owned);
    let mut words = vec![text("status").unwrap_or_else(|| "done".to_owned())];
    if let Some(tag) = result["image"]["tag"]
        .as_str()
        .map(str::to_owned)
        .or_else(|| text("tag"))
    {
        words.push(tag);
    }
    if let Some(metrics) = result["metrics"].as_object() {
        for (name, value) in metrics {
            if let Some(value) = value.as_f64() {
                words.push(format!("{name} {value:.4}"));
            }
        }
    }
    words.join(", ")
}

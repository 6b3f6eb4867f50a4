//! What `driftless-cluster` is asked: it has the client of the API server, so that xtask stays light.

mod inspection;

pub use inspection::{Inspection, Node, Right};

use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    known,
};
use serde_json::Value;
use std::time::Duration;

/// Calls that only look have this long.
const LOOK: Duration = Duration::from_secs(30);

/// The program, for the cluster of this world and no other.
///
/// # Errors
/// `cluster-not-named`.
pub fn looks(ctx: &Ctx, args: &[&str]) -> Outcome<Cmd> {
    let cluster = ctx.the_cluster()?;
    Ok(Cmd::reads(ctx.binary("driftless-cluster").display().to_string())
        .args(["--context", &cluster.context])
        .args(args)
        .deadline(LOOK))
}

/// The same, changing something or waiting for it.
///
/// # Errors
/// `cluster-not-named`.
pub fn acts(ctx: &Ctx, args: &[&str], deadline: Duration) -> Outcome<Cmd> {
    Ok(Cmd {
        effect: crate::exec::Effect::Changes,
        ..looks(ctx, args)?
    }
    // It keeps its own deadline and says what was missing; this one is for when it hangs.
    .deadline(deadline + Duration::from_secs(15)))
}

/// Waits, its progress shown: it names the pod that holds everything up.
///
/// # Errors
/// `workload-not-ready` with the diagnosis, and those of [`must`].
pub fn wait(ctx: &Ctx, attempted: &str, args: &[&str], deadline: Duration) -> Outcome<Value> {
    // Rounded up: what the steps before took is of no interest in a plan.
    let seconds = (deadline.as_secs() + 1).next_multiple_of(10).to_string();
    let args = [&["wait"], args, &["--deadline", &seconds]].concat();
    let report = std::sync::Arc::clone(&ctx.report);
    let cmd = acts(ctx, &args, deadline)?.tell(move |line| report.waiting(line));
    must(ctx, attempted, &cmd)
}

/// Runs it and reads its one JSON object.
///
/// # Errors
/// What kind of error it names, as an id.
pub fn must(ctx: &Ctx, attempted: &str, cmd: &Cmd) -> Outcome<Value> {
    let output = ctx.ran(Id::ClusterFailed, attempted, cmd)?;
    let answer: Value = serde_json::from_str(output.stdout.trim()).unwrap_or(Value::Null);
    if output.ok() {
        return Ok(answer);
    }
    let text = |key: &str| answer["error"][key].as_str().unwrap_or_default().to_owned();
    let (kind, message) = (text("kind"), text("message"));
    if kind.is_empty() {
        let last = output
            .tail(1)
            .pop()
            .unwrap_or_else(|| "it said nothing".to_owned());
        let id = known::entry(&output.stderr, Id::ClusterFailed);
        return Err(Failure::new(id, attempted)
            .because(format!("`{cmd}` ended with {}", output.code))
            .because(last)
            .detail(output.tail(12)));
    }
    // Where the disk of a node or a volume is full, that is what must be mended.
    let id = match known::entry(&message, Id::ClusterFailed) {
        Id::DiskFull => Id::DiskFull,
        _ => known::cluster_error(&kind),
    };
    let mut lines = message.lines().map(str::to_owned);
    let first = lines.next().unwrap_or_default();
    // What it saw on the way, then the diagnosis.
    let seen = output.stderr.lines().map(str::to_owned);
    let seen: Vec<String> = seen.collect();
    let seen = seen[seen.len().saturating_sub(8)..].to_vec();
    Err(Failure::new(id, attempted)
        .because(first)
        .detail(seen.into_iter().chain(lines).collect()))
}

/// Looks at the whole cluster; an empty one where a dry run has no program to look with.
///
/// # Errors
/// As [`must`].
pub fn inspect(ctx: &Ctx) -> Outcome<Inspection> {
    let cmd = looks(ctx, &["inspect"])?;
    if ctx.cannot_look(&cmd) {
        return Ok(Inspection::empty());
    }
    let attempted = format!("look at the cluster of context {}", ctx.the_cluster()?.context);
    let answer = must(ctx, &attempted, &cmd)?;
    serde_json::from_value(answer).map_err(|error| Failure::new(Id::ClusterFailed, attempted).because(error))
}

//! The step `bridge`: the process on this machine through which a cluster is an engine like the
//! local one. It holds no state: it may be ended and started at any time.

use crate::{
    cluster,
    cmd::{images, up::engine},
    ctx::{Ctx, engine_failure},
    failure::{Failure, Id, Outcome},
    git::remote,
    step::{Acted, Deadline, Probe},
    wait::{self, Look},
};
use std::{path::PathBuf, time::Duration};

const START: Duration = Duration::from_secs(60);

fn start_log(ctx: &Ctx) -> PathBuf {
    ctx.state.join("engine/start.log")
}

fn stamp_file(ctx: &Ctx) -> PathBuf {
    ctx.state.join("engine/started-from")
}

fn command(ctx: &Ctx) -> Outcome<crate::exec::Cmd> {
    let cluster = ctx.the_cluster()?;
    let state = ctx.state.display().to_string();
    let offset = ctx.port_offset.to_string();
    let mut args = vec!["serve", "--state", &state, "--engine", cluster.engine_name()];
    args.extend(["--environment", &cluster.environment, "--port-offset", &offset]);
    if let Some(url) = &cluster.git_url {
        args.extend(["--git-url", url]);
    }
    cluster::acts(ctx, &args, START)
}

/// A rebuilt program or other flags are a reason to start it anew.
fn stamp(ctx: &Ctx) -> Outcome<String> {
    let identity = images::identity(&ctx.binary("driftless-cluster"));
    Ok(format!("{identity}, {}", command(ctx)?))
}

pub fn probe(ctx: &Ctx) -> Outcome<Probe> {
    if let Err(cause) = engine::answers(ctx) {
        return Ok(Probe::Needed(cause));
    }
    if ctx.read_text(&stamp_file(ctx)) != Some(stamp(ctx)?) {
        return Ok(Probe::Needed("its program or its flags changed".to_owned()));
    }
    Ok(match may_push(ctx)? {
        true => Probe::Done("running".to_owned()),
        false => Probe::Needed("nobody may push yet".to_owned()),
    })
}

pub fn act(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let old = engine::answers(ctx).is_ok();
    let same = ctx.read_text(&stamp_file(ctx)) == Some(stamp(ctx)?);
    if old && !same {
        stop(ctx, deadline)?;
    }
    if !(old && same) {
        start(ctx, deadline)?;
    }
    keep_credentials(ctx, deadline)?;
    Acted::changed(if old { "started anew" } else { "started" })
}

/// Ends it; what runs in the cluster goes on.
pub fn stop(ctx: &Ctx, deadline: Deadline) -> Outcome<()> {
    ctx.exec
        .stop_engine(&ctx.state)
        .map_err(engine_failure("stop the bridge"))?;
    wait::until(ctx, "the bridge has stopped", deadline, || {
        Ok(match engine::answers(ctx) {
            Ok(()) => Look::NotYet("it still answers".to_owned()),
            Err(_) => Look::Holds,
        })
    })
    .map(drop)
}

fn start(ctx: &Ctx, deadline: Deadline) -> Outcome<()> {
    let attempted = "start the bridge to the cluster";
    let last_words = |failure: Failure| {
        let text = ctx.read_text(&start_log(ctx)).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let last = lines
            .last()
            .cloned()
            .unwrap_or_else(|| "it said nothing".to_owned());
        failure
            .because(last)
            .detail(lines[lines.len().saturating_sub(12)..].to_vec())
            .next(format!(
                "read {}, then {}",
                ctx.short(&start_log(ctx)),
                ctx.typed("cargo xtask up")
            ))
    };
    // What an earlier start said would be taken for this one's words.
    ctx.write(Id::BridgeDidNotStart, &start_log(ctx), "", 0o600)?;
    ctx.exec
        .start(&command(ctx)?, &start_log(ctx))
        .map_err(|error| last_words(Failure::new(Id::BridgeDidNotStart, attempted).because(error)))?;
    wait::until(ctx, "the bridge answers", deadline, || {
        Ok(engine::answers(ctx).map_or_else(Look::NotYet, |()| Look::Holds))
    })
    .map_err(|failure| last_words(failure.known_as(Id::BridgeDidNotStart)))?;
    ctx.write(Id::BridgeDidNotStart, &stamp_file(ctx), &stamp(ctx)?, 0o600)
}

/// Whether pushing has an account; a hosted repository may have one in git's own configuration.
fn may_push(ctx: &Ctx) -> Outcome<bool> {
    Ok(ctx.the_cluster()?.git_url.is_some() || remote::credentials(ctx).is_file())
}

fn keep_credentials(ctx: &Ctx, deadline: Deadline) -> Outcome<()> {
    if let Some(url) = &ctx.the_cluster()?.git_url {
        return remote::keep_credentials(ctx, url).map(drop);
    }
    let state = ctx.state.display().to_string();
    let keep = cluster::acts(ctx, &["git-credentials", "--state", &state], deadline.left())?;
    cluster::must(ctx, "keep the account that may push", &keep).map(drop)
}

/// For the commands of every day: starts the bridge where `up` was run before and it does not run.
///
/// # Errors
/// `bridge-did-not-start`, and what is wrong with the cluster.
pub fn ensure(ctx: &Ctx) -> Outcome<()> {
    let used_before = stamp_file(ctx).is_file() && ctx.binary("driftless-cluster").is_file();
    if ctx.cluster.is_none() || ctx.exec.pretends() || !used_before || engine::answers(ctx).is_ok() {
        return Ok(());
    }
    let _lock = super::lock(ctx)?;
    ctx.report.waiting("the bridge to the cluster starts");
    start(ctx, Deadline::after(START))?;
    // Forwarded ports may be others than before.
    keep_credentials(ctx, Deadline::after(START))
}

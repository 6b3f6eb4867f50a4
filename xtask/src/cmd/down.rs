//! `down`: stops what `up` started and nothing else; `--purge` also removes the state folder.

mod kubernetes;

use crate::{
    cmd::{doctor, up},
    ctx::{Ctx, engine_failure},
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    flags::DownFlags,
    step::{self, Acted, Deadline, Probe, Step, nothing_to_verify},
    wait::{self, Look},
};
use ::engine::EngineClient;
use std::{path::PathBuf, time::Duration};

/// Stops; removes when asked.
///
/// # Errors
/// `state-not-ours`, `state-in-use`, what the engine says.
pub fn command(ctx: &Ctx, flags: &DownFlags) -> Outcome<()> {
    if !ctx.state.exists() {
        ctx.report
            .say(format!("already  {} does not exist", ctx.short(&ctx.state)));
        return finish(ctx);
    }
    doctor::state(ctx)?;
    let lock = up::lock(ctx)?;
    if ctx.cluster.is_some() {
        remove_from_cluster(ctx, flags)?;
    }
    let stop = Step {
        name: "stop",
        probe,
        act,
        verify: nothing_to_verify,
        deadline: Duration::from_secs(60),
        hint: "",
    };
    if ctx.cluster.is_none() {
        step::run_one(ctx, &stop)?;
    }
    if flags.purge {
        let purge = Step {
            name: "purge",
            probe: |_| Ok(Probe::CannotTell),
            act: purge,
            verify: nothing_to_verify,
            deadline: Duration::from_secs(60),
            hint: "",
        };
        step::run_one(ctx, &purge)?;
    }
    drop(lock);
    finish(ctx)
}

/// As a step, whose act must know the flags.
fn remove_from_cluster(ctx: &Ctx, flags: &DownFlags) -> Outcome<()> {
    let deadline = Deadline::after(Duration::from_secs(600));
    step::timed(ctx, "remove", || match kubernetes::probe(ctx, flags)? {
        Probe::Done(note) => Acted::nothing(note),
        _ => kubernetes::remove(ctx, flags, deadline),
    })
}

fn finish(ctx: &Ctx) -> Outcome<()> {
    if ctx.json {
        ctx.result(&serde_json::json!({"steps": ctx.report.lines()}).to_string());
    }
    Ok(())
}

fn endpoint_file(ctx: &Ctx) -> PathBuf {
    ctx.state.join(EngineClient::ENDPOINT_FILE)
}

fn answers(ctx: &Ctx) -> bool {
    ctx.exec
        .engine(&ctx.state)
        .is_ok_and(|engine| engine.status().is_ok())
}

fn probe(ctx: &Ctx) -> Outcome<Probe> {
    Ok(if answers(ctx) || endpoint_file(ctx).exists() {
        Probe::Needed("an engine was started".to_owned())
    } else {
        Probe::Done("no engine runs".to_owned())
    })
}

fn act(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    if !answers(ctx) {
        // It was killed, and what it had started may still run. Only an engine knows these
        // processes for sure (pid and start time), so one is asked to end them.
        let end = Cmd::changes(ctx.binary("driftless-engine").display().to_string())
            .args(["--end", "--state"])
            .path(&ctx.state)
            .deadline(deadline.left());
        ctx.must(
            Id::EngineDidNotStart,
            "end what a killed engine left running",
            &end,
        )?;
        return Acted::changed("ended what a killed engine left running");
    }
    ctx.exec
        .stop_engine(&ctx.state)
        .map_err(engine_failure("stop the engine"))?;
    wait::until(
        ctx,
        "the engine and all it started have stopped",
        deadline,
        || {
            Ok(if endpoint_file(ctx).exists() || answers(ctx) {
                Look::NotYet("it is stopping".to_owned())
            } else {
                Look::Holds
            })
        },
    )?;
    Acted::changed("stopped")
}

fn purge(ctx: &Ctx, _: Deadline) -> Outcome<Acted> {
    let attempted = format!("remove {}", ctx.short(&ctx.state));
    // `doctor::state` let an empty folder pass; what is removed must bear the mark.
    if !ctx.state.join(doctor::MARKER).is_file() && !ctx.exec.pretends() {
        return Err(
            Failure::new(Id::StateNotOurs, attempted).because(format!("it holds no {}", doctor::MARKER))
        );
    }
    ctx.exec
        .remove_tree(&ctx.state)
        .map_err(|error| Failure::new(Id::StateUnwritable, attempted).because(error))?;
    Acted::changed(format!("{} removed", ctx.short(&ctx.state)))
}

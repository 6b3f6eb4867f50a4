//! `up`: from a clone to the first served prediction. Typed again, it changes nothing.

mod argocd;
pub(crate) mod bridge;
pub(crate) mod cluster;
mod ending;
mod engine;
mod first;
mod git_server;
pub(crate) mod minikube;
mod root;
mod sources;
mod stages;

use crate::{
    cmd::doctor,
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    flags::UpFlags,
    step, world,
};
use std::{path::Path, time::Duration};

pub use ending::{Ending, text as ending_text};
pub use stages::NAMES;

/// Runs the steps, then says where everything is.
///
/// # Errors
/// The failure of a step.
pub fn command(ctx: &Ctx, flags: &UpFlags) -> Outcome<()> {
    let ending = run(ctx, flags)?;
    if ctx.json {
        let steps = ctx.report.lines();
        ctx.result(&serde_json::json!({"steps": steps, "ending": ending}).to_string());
    } else if let Some(ending) = ending {
        ctx.result(&ctx.typed(&ending::text(&ending)));
    }
    Ok(())
}

/// Runs the steps; `None` under `--dry-run`, when nothing can be asked afterwards.
///
/// # Errors
/// The failure of a step.
pub fn run(ctx: &Ctx, flags: &UpFlags) -> Outcome<Option<Ending>> {
    doctor::state(ctx)?;
    let _lock = lock(ctx)?;
    world::remember(ctx)?;
    let stages = stages::of(ctx);
    let skipped = match flags.from.as_deref() {
        None => 0,
        Some(from) => stages
            .iter()
            .position(|stage| stage.iter().any(|step| step.name == from))
            .ok_or_else(|| no_such_step(stages, from))?,
    };
    step::run(ctx, &stages[skipped..])?;
    if ctx.exec.pretends() {
        return Ok(None);
    }
    ending::ask(ctx).map(Some)
}

fn no_such_step(stages: &[&[step::Step]], from: &str) -> Failure {
    let names: Vec<_> = stages
        .iter()
        .flat_map(|stage| stage.iter().map(|step| step.name))
        .collect();
    Failure::new(Id::NoSuchStep, format!("begin at the step {from}")).because(format!(
        "this engine has no such step; its steps are {}",
        names.join(", ")
    ))
}

/// Keeps two commands that change one state folder apart, and marks the folder as ours.
///
/// # Errors
/// `state-in-use`, `state-unwritable`.
pub fn lock(ctx: &Ctx) -> Outcome<crate::exec::Lock> {
    let attempted = format!("take {}", ctx.short(&ctx.state));
    let marker = ctx.state.join(doctor::MARKER);
    if !marker.exists() {
        ctx.write(
            Id::StateUnwritable,
            &marker,
            "Made by `cargo xtask up`; removed by `cargo xtask down --purge`.\n",
            0o644,
        )?;
    }
    exclusive(ctx, &ctx.state.join("xtask.lock"), &attempted)
}

/// Holds a lock file. Waits for a moment: a program that is just being started has a copy of every
/// open file until it runs, and with it of a lock that was given back.
///
/// # Errors
/// `state-in-use`, `state-unwritable`.
pub fn exclusive(ctx: &Ctx, path: &Path, attempted: &str) -> Outcome<crate::exec::Lock> {
    let patience = step::Deadline::after(Duration::from_secs(1));
    loop {
        match ctx.exec.lock(path) {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) if patience.left().is_zero() => {
                return Err(
                    Failure::new(Id::StateInUse, attempted).because("another cargo xtask works on it now")
                );
            }
            Ok(None) => {
                ctx.exec.pause("the lock is free", Duration::from_millis(20));
            }
            Err(error) => return Err(Failure::new(Id::StateUnwritable, attempted).because(error)),
        }
    }
}

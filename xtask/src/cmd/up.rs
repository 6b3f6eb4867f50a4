//! `up`: from a clone to the first served prediction. Typed again, it changes nothing.

mod ending;
mod engine;
mod first;
mod sources;

use crate::{
    cmd::{doctor, images},
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    flags::UpFlags,
    step::{self, Step, nothing_to_verify},
};
use std::{path::Path, time::Duration};

pub use ending::{Ending, text as ending_text};

const fn step(
    name: &'static str,
    probe: fn(&Ctx) -> Outcome<step::Probe>,
    act: fn(&Ctx, step::Deadline) -> Outcome<step::Acted>,
    verify: fn(&Ctx) -> Outcome<()>,
    seconds: u64,
    hint: &'static str,
) -> Step {
    Step {
        name,
        probe,
        act,
        verify,
        deadline: Duration::from_secs(seconds),
        hint,
    }
}

/// Every step, in order; steps of one stage run beside each other.
pub const STAGES: &[&[Step]] = &[
    &[step(
        "doctor",
        doctor::probe,
        doctor::act,
        nothing_to_verify,
        20,
        "",
    )],
    &[
        step(
            "tools",
            sources::tools_probe,
            sources::tools,
            sources::tools_verify,
            900,
            "",
        ),
        step(
            "build",
            images::build_probe,
            images::build,
            images::build_verify,
            3600,
            "",
        ),
    ],
    &[step(
        "git",
        sources::git_probe,
        sources::git,
        sources::git_verify,
        60,
        "",
    )],
    &[step(
        "data",
        sources::data_probe,
        sources::data,
        sources::data_verify,
        20,
        "",
    )],
    // Before the images: MLflow takes seconds to start, and images are packed meanwhile.
    &[step(
        "engine",
        engine::probe,
        engine::act,
        nothing_to_verify,
        30,
        "",
    )],
    &[step(
        "images",
        images::probe,
        images::act,
        images::verify,
        120,
        "",
    )],
    &[step(
        "mlflow",
        first::mlflow_probe,
        first::mlflow,
        nothing_to_verify,
        120,
        "cargo xtask logs mlflow",
    )],
    &[step(
        "train",
        first::train_probe,
        first::train,
        first::train_verify,
        300,
        "",
    )],
    &[step(
        "live",
        first::live_probe,
        first::live,
        nothing_to_verify,
        60,
        "",
    )],
];

/// Names that `--from` takes.
pub const NAMES: [&str; 10] = [
    "doctor", "tools", "build", "git", "data", "engine", "images", "mlflow", "train", "live",
];

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
        ctx.result(&ending::text(&ending));
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
    let from = flags.from.as_deref().unwrap_or(NAMES[0]);
    let skipped = STAGES
        .iter()
        .take_while(|stage| stage.iter().all(|step| step.name != from))
        .count();
    step::run(ctx, &STAGES[skipped..])?;
    if ctx.exec.pretends() {
        return Ok(None);
    }
    ending::ask(ctx).map(Some)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_steps() {
        let names: Vec<_> = STAGES
            .iter()
            .flat_map(|stage| stage.iter().map(|step| step.name))
            .collect();
        assert_eq!(names, NAMES);
    }
}

//! `bench`: builds the benchmarks as the release is built and runs one.

use crate::{
    cargo,
    ctx::Ctx,
    exec::{Cmd, Show},
    failure::{Failure, Id, Outcome},
    flags::PassFlags,
    step::{Deadline, Probe},
    venv,
};
use std::time::Duration;

/// Arguments go to the benchmark program; it says which there are.
///
/// # Errors
/// `build-failed`, those of [`venv::Venv::install`], or `check-failed` when a bar is missed.
pub fn command(ctx: &Ctx, flags: &PassFlags) -> Outcome<()> {
    let hours = Duration::from_secs(2 * 3600);
    ctx.must(
        Id::BuildFailed,
        "compile the benchmarks",
        &cargo::release_build(ctx, &[]).deadline(hours),
    )?;
    let needed = match flags.rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rows", ..] => Some(venv::MLSERVER),
        ["drift", "offline", ..] => Some(venv::EVIDENTLY),
        _ => None,
    };
    if let Some(venv) = needed
        && let Probe::Needed(_) = venv.probe(ctx)?
    {
        venv.install(ctx, Deadline::after(Duration::from_secs(900)))?;
    }
    let mut bench = Cmd::changes(ctx.binary("bench").display().to_string())
        .args(&flags.rest)
        .dir(&ctx.root)
        .show(Show::All)
        .deadline(hours);
    for (venv, variable) in [
        (venv::ORACLE, "DRIFTLESS_ORACLE_PYTHON"),
        (venv::MLSERVER, "DRIFTLESS_MLSERVER_PYTHON"),
        (venv::EVIDENTLY, "DRIFTLESS_EVIDENTLY_PYTHON"),
    ] {
        let python = ctx.venv(venv.name).join("bin/python");
        if python.is_file() {
            bench = bench.env(variable, python.display().to_string());
        }
    }
    if ctx.json {
        bench = bench.args(["--json"]);
    }
    let attempted = format!("run the benchmark {}", flags.rest.join(" "));
    let output = ctx.ran(Id::CheckFailed, attempted.trim_end(), &bench)?;
    if output.ok() {
        return Ok(());
    }
    Err(Failure::new(Id::CheckFailed, attempted.trim_end()).because(format!("it ended with {}", output.code)))
}

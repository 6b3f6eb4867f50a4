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
    let rows = flags.rest.first().is_some_and(|what| what == "rows");
    if rows && let Probe::Needed(_) = venv::MLSERVER.probe(ctx)? {
        venv::MLSERVER.install(ctx, Deadline::after(Duration::from_secs(900)))?;
    }
    let mut bench = Cmd::changes(ctx.binary("bench").display().to_string())
        .args(&flags.rest)
        .dir(&ctx.root)
        .show(Show::All)
        .deadline(hours);
    let oracle = ctx.venv("oracle").join("bin/python");
    if oracle.is_file() {
        bench = bench.env("DRIFTLESS_ORACLE_PYTHON", oracle.display().to_string());
    }
    let mlserver = ctx.venv(venv::MLSERVER.name).join("bin/python");
    if mlserver.is_file() {
        bench = bench.env("DRIFTLESS_MLSERVER_PYTHON", mlserver.display().to_string());
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

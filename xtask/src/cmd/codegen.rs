//! `codegen`: files that are made from code, and checked to be.

use crate::{
    cargo,
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    flags::CodegenFlags,
};
use std::time::Duration;

/// The retrain for Kubeflow Pipelines, as the trainer defines it.
const PIPELINE: &str = "trainer/pipeline/retrain.yaml";
/// The trainer may have to be compiled first.
const DEADLINE: Duration = Duration::from_secs(1800);

/// Writes the files, or says which are not what the code makes.
///
/// # Errors
/// `check-failed`.
pub fn command(ctx: &Ctx, flags: &CodegenFlags) -> Outcome<()> {
    let cmd = cargo::cargo(ctx)
        .args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "trainer",
            "--",
            "pipeline",
        ])
        .deadline(DEADLINE);
    let made = ctx
        .must(Id::CheckFailed, "write the retrain as a pipeline", &cmd)?
        .stdout;
    let path = ctx.root.join(PIPELINE);
    if ctx.exec.pretends() || ctx.read_text(&path).is_some_and(|text| text == made) {
        ctx.report.say(format!("as made  {PIPELINE}"));
        return Ok(());
    }
    if flags.check {
        return Err(Failure::new(Id::CheckFailed, format!("compare {PIPELINE}"))
            .because("it is not what trainer/src/pipeline.rs defines")
            .next("cargo xtask codegen"));
    }
    ctx.write(Id::CheckFailed, &path, &made, 0o644)?;
    ctx.report.say(format!("written  {PIPELINE}"));
    Ok(())
}

//! `images`, and the steps `build` and `images` of `up`: release binaries, the base image of the API
//! and the trainer's image in the layout or a registry, and the commit that names the latter.

mod extra;
mod named;
mod pack;

pub use named::release_component;
pub use pack::{act, probe, store, verify};

use crate::{
    cargo,
    cmd::up,
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    flags::ImagesFlags,
    step::{self, Acted, Deadline, Probe, Step, nothing_to_verify},
    tools,
};
use std::time::Duration;

/// What the model layer is appended to.
pub const BASE: &str = "inference-api:base";
/// What training and drift check run.
pub const TRAINER: &str = "trainer:dev";

/// Builds the binaries and packs them.
///
/// # Errors
/// `build-failed`, `image-store`, what Git says.
pub fn command(ctx: &Ctx, flags: &ImagesFlags) -> Outcome<()> {
    crate::cmd::doctor::state(ctx)?;
    let _lock = up::lock(ctx)?;
    let seconds = Duration::from_secs;
    step::run(
        ctx,
        &[
            &[Step {
                name: "build",
                probe: build_probe,
                act: build,
                verify: build_verify,
                deadline: seconds(3600),
                hint: "",
            }],
            &[Step {
                name: "images",
                probe,
                act: if ctx.cluster.is_some() { pack::push } else { act },
                verify: nothing_to_verify,
                deadline: seconds(120),
                hint: "",
            }],
        ],
    )?;
    let minutes = Deadline::after(seconds(3600));
    if let Some(file) = &flags.archive {
        let file = ctx.root.join(file);
        extra::archive(ctx, &file, minutes)?;
        ctx.report.say(format!("written  {}", file.display()));
    }
    if flags.twice {
        let said = extra::twice(ctx, minutes)?;
        ctx.report.say(format!("checked  {said}"));
    }
    if !ctx.exec.pretends() {
        let packed = pack::packed(ctx).unwrap_or_default();
        if ctx.json {
            ctx.result(&serde_json::json!({BASE: packed.base, TRAINER: packed.trainer}).to_string());
        } else {
            ctx.result(&format!(
                "{BASE}  {}\n{TRAINER}         {}",
                packed.base, packed.trainer
            ));
        }
    }
    Ok(())
}

/// Cargo decides what to compile.
///
/// # Errors
/// Never.
pub fn build_probe(_: &Ctx) -> Outcome<Probe> {
    Ok(Probe::CannotTell)
}

fn identities(ctx: &Ctx) -> Vec<String> {
    cargo::binaries(ctx)
        .map(|binary| identity(&ctx.binary(binary)))
        .collect()
}

/// Compiles.
///
/// # Errors
/// `tool-missing`, `build-failed`, `download-failed`.
pub fn build(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    tools::check(ctx, &tools::CC)?;
    let before = identities(ctx);
    let cmd = cargo::release_build(ctx, &[]).deadline(deadline.left());
    ctx.report.loud(true);
    let result = ctx.must(Id::BuildFailed, "compile the release binaries", &cmd);
    ctx.report.loud(false);
    result?;
    if before == identities(ctx) {
        Acted::nothing("nothing to compile")
    } else {
        Acted::changed("compiled")
    }
}

/// Every binary must be there.
///
/// # Errors
/// `build-failed`.
pub fn build_verify(ctx: &Ctx) -> Outcome<()> {
    match cargo::binaries(ctx)
        .map(|name| ctx.binary(name))
        .find(|path| !path.is_file())
    {
        None => Ok(()),
        Some(path) => Err(
            Failure::new(Id::BuildFailed, "compile the release binaries").because(format!(
                "cargo succeeded, and yet there is no {}",
                ctx.short(&path)
            )),
        ),
    }
}

/// A file's size and time of change: cheap, and enough to see that cargo wrote it anew.
pub fn identity(path: &std::path::Path) -> String {
    std::fs::metadata(path).map_or_else(
        |_| "absent".to_owned(),
        |found| {
            let changed = found
                .modified()
                .ok()
                .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            format!(
                "{} bytes at {} ns",
                found.len(),
                changed.unwrap_or_default().as_nanos()
            )
        },
    )
}

//! `images`, and the steps `build` and `images` of `up`: release binaries, the base image of the API
//! and the trainer's image in the layout, and the commit that names the latter.

use crate::{
    cargo,
    cmd::up,
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    git,
    step::{self, Acted, Deadline, Probe, Step, looks_done, nothing_to_verify},
    tools,
};
use contract::names::TRAINING;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// What the model layer is appended to.
pub const BASE: &str = "inference-api:base";
/// What training and drift check run.
pub const TRAINER: &str = "trainer:dev";

/// Builds the binaries and packs them.
///
/// # Errors
/// `build-failed`, `image-store`, what Git says.
pub fn command(ctx: &Ctx) -> Outcome<()> {
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
                act,
                verify: nothing_to_verify,
                deadline: seconds(120),
                hint: "",
            }],
        ],
    )?;
    if !ctx.exec.pretends() {
        let packed = packed(ctx).unwrap_or_default();
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
    cargo::BINARIES
        .iter()
        .map(|(_, binary)| identity(&ctx.binary(binary)))
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
    match cargo::BINARIES
        .iter()
        .map(|(_, name)| ctx.binary(name))
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

/// What was packed last, and from what.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Packed {
    api_from: String,
    trainer_from: String,
    code_commit: String,
    base: String,
    trainer: String,
}

fn stamp(ctx: &Ctx) -> PathBuf {
    ctx.state.join("images.json")
}

fn packed(ctx: &Ctx) -> Option<Packed> {
    serde_json::from_str(&ctx.read_text(&stamp(ctx))?).ok()
}

fn code_commit(ctx: &Ctx) -> Outcome<String> {
    Ok(git::ask(ctx, &git::reads(&ctx.root).args(["rev-parse", "HEAD"]))?
        .unwrap_or_else(|| "unknown".to_owned()))
}

/// The component that names the trainer's image, for every overlay that runs it.
fn component(ctx: &Ctx) -> String {
    format!(
        "kustomize/overlays/{}/{TRAINING}/release/image/kustomization.yaml",
        ctx.environment
    )
}

/// Looks whether the layout holds what the binaries would give, and `main` names it.
///
/// # Errors
/// `git-failed`.
pub fn probe(ctx: &Ctx) -> Outcome<Probe> {
    let Some(packed) = packed(ctx) else {
        return Ok(Probe::Needed("nothing was packed yet".to_owned()));
    };
    let current = Packed {
        api_from: identity(&ctx.binary("inference-api")),
        trainer_from: identity(&ctx.binary("trainer")),
        code_commit: code_commit(ctx)?,
        base: packed.base.clone(),
        trainer: packed.trainer.clone(),
    };
    if packed != current {
        return Ok(Probe::Needed("a binary or the commit changed".to_owned()));
    }
    let index = ctx
        .read_text(&ctx.images().join("index.json"))
        .unwrap_or_default();
    if !(index.contains(&packed.base) && index.contains(&packed.trainer)) {
        return Ok(Probe::Needed(format!("{} lacks them", ctx.short(&ctx.images()))));
    }
    if !named(ctx, &packed.trainer)? {
        return Ok(Probe::Needed("main does not name the trainer's image".to_owned()));
    }
    Ok(Probe::Done(format!("{BASE} and {TRAINER} as built")))
}

/// Whether `main` names the trainer's image; true where there is no repository yet.
fn named(ctx: &Ctx, digest: &str) -> Outcome<bool> {
    if git::bare_head(ctx)?.is_none() {
        return Ok(true);
    }
    let show = git::reads(&ctx.bare()).args(["show", &format!("{}:{}", git::MAIN, component(ctx))]);
    Ok(git::ask(ctx, &show)?.is_some_and(|text| text.contains(digest)))
}

/// Packs both images and commits the name of the trainer's.
///
/// # Errors
/// `image-store`, what Git says.
pub fn act(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let (api_from, trainer_from) = (
        identity(&ctx.binary("inference-api")),
        identity(&ctx.binary("trainer")),
    );
    let code_commit = code_commit(ctx)?;
    let base = pack(
        ctx,
        "inference-api",
        BASE,
        &[("MODEL_DIR", "model"), ("LISTEN_ADDRESS", "0.0.0.0:8000")],
        deadline,
    )?;
    let trainer = pack(
        ctx,
        "trainer",
        TRAINER,
        &[("CODE_COMMIT", &code_commit)],
        deadline,
    )?;
    let committed = name_trainer(ctx, &trainer)?;
    let packed = Packed {
        api_from,
        trainer_from,
        code_commit,
        base,
        trainer,
    };
    let text = serde_json::to_string_pretty(&packed).unwrap_or_default();
    ctx.write(Id::ImageStore, &stamp(ctx), &text, 0o644)?;
    Acted::changed(match committed {
        Some(commit) => format!("packed; trainer's image named by commit {}", git::short(&commit)),
        None => "packed".to_owned(),
    })
}

/// The layout must now hold them.
///
/// # Errors
/// `image-store`.
pub fn verify(ctx: &Ctx) -> Outcome<()> {
    looks_done(ctx, probe, Id::ImageStore, "find the packed images in the layout")
}

/// One image by the trainer, which has the code for layers: xtask stays light.
fn pack(
    ctx: &Ctx,
    binary: &str,
    reference: &str,
    env: &[(&str, &str)],
    deadline: Deadline,
) -> Outcome<String> {
    let mut cmd = Cmd::changes(ctx.binary("trainer").display().to_string())
        .args(["image", "--binary"])
        .path(ctx.binary(binary))
        .args([
            "--reference",
            reference,
            "--store",
            &format!("oci-layout:{}", ctx.images().display()),
        ])
        .deadline(deadline.left())
        .pretend(format!(r#"{{"digest":"<digest of {reference}>"}}"#));
    for (name, value) in env {
        cmd = cmd.args(["--env", &format!("{name}={value}")]);
    }
    let attempted = format!("pack {reference}");
    let output = ctx.must(Id::ImageStore, &attempted, &cmd)?;
    let result: serde_json::Value = serde_json::from_str(output.stdout.trim())
        .map_err(|error| Failure::new(Id::ImageStore, attempted.clone()).because(error))?;
    match result["digest"].as_str() {
        Some(digest) => Ok(digest.to_owned()),
        None => Err(Failure::new(Id::ImageStore, attempted).because(format!("no digest in {result}"))),
    }
}

/// The bootstrap commit: names the trainer's image by digest.
fn name_trainer(ctx: &Ctx, digest: &str) -> Outcome<Option<String>> {
    if git::bare_head(ctx)?.is_none() && !ctx.exec.pretends() {
        return Ok(None);
    }
    if !ctx.exec.pretends() && named(ctx, digest)? {
        return Ok(None);
    }
    // Somebody may push in between; a push is never forced, so begin anew a few times.
    let mut last = None;
    for _ in 0..3 {
        let clone = git::Clone::of(ctx, &ctx.bare().display().to_string(), "trainer-image")?;
        let file = component(ctx);
        ctx.write(
            Id::GitFailed,
            &clone.dir().join(&file),
            &release_component(digest),
            0o644,
        )?;
        clone.must("commit the trainer's image", &["add", &file])?;
        let subject = format!("bootstrap({}): trainer {}", ctx.environment, short_digest(digest));
        clone.must(
            "commit the trainer's image",
            &["commit", "--quiet", "--no-verify", "--message", &subject],
        )?;
        match clone.push() {
            Ok(commit) => return Ok(Some(commit)),
            Err(failure) if failure.id == Id::GitMoved => last = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    last.map_or(Ok(None), Err)
}

fn short_digest(digest: &str) -> &str {
    digest
        .strip_prefix("sha256:")
        .and_then(|hex| hex.get(..12))
        .unwrap_or(digest)
}

/// The machine-written component, whole.
pub fn release_component(digest: &str) -> String {
    format!(
        "# Written whole by `cargo xtask up`; not for editing.\n\
         apiVersion: kustomize.config.k8s.io/v1alpha1\n\
         kind: Component\n\
         images:\n  - name: trainer\n    newName: trainer\n    digest: \"{digest}\"\n"
    )
}

//! Both images, into the layout of the local engine or the registry of a cluster. The trainer packs
//! them, since it has the code for layers: xtask stays light.

use super::{BASE, TRAINER, identity, named};
use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    git, pins, profile,
    step::{Acted, Deadline, Probe, looks_done},
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What was packed last, and from what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    api_from: String,
    trainer_from: String,
    code_commit: String,
    /// Digest of the base image of the API.
    pub base: String,
    /// Digest of the trainer's image.
    pub trainer: String,
}

fn stamp(ctx: &Ctx) -> PathBuf {
    ctx.state.join("images.json")
}

/// What the last packing wrote down.
pub fn packed(ctx: &Ctx) -> Option<Packed> {
    serde_json::from_str(&ctx.read_text(&stamp(ctx))?).ok()
}

fn code_commit(ctx: &Ctx) -> Outcome<String> {
    Ok(git::ask(ctx, &git::reads(&ctx.root).args(["rev-parse", "HEAD"]))?
        .unwrap_or_else(|| "unknown".to_owned()))
}

/// Where the images go.
pub fn store(ctx: &Ctx) -> String {
    match &ctx.cluster {
        Some(cluster) => cluster.push_store(&forwarded(ctx)),
        None => format!("oci-layout:{}", ctx.images().display()),
    }
}

/// Where the bridge forwards to the registry in the cluster; its own port may have been taken.
fn forwarded(ctx: &Ctx) -> String {
    let told = ctx.read_text(&ctx.state.join("forwards.json"));
    let told = told.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    let registry = told.and_then(|all| all["registry"].as_str().map(str::to_owned));
    registry.unwrap_or_else(|| format!("http://127.0.0.1:{}", pins::REGISTRY_PORT + ctx.port_offset))
}

/// Looks whether the layout holds what the binaries would give, and `main` names it. What a registry
/// holds can only be told by pushing, which costs nothing where it is there.
///
/// # Errors
/// `git-failed`.
pub fn probe(ctx: &Ctx) -> Outcome<Probe> {
    if ctx.cluster.is_some() {
        return Ok(Probe::CannotTell);
    }
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
    if !named::held(ctx, &named::files(ctx, &packed.base, &packed.trainer)?)? {
        return Ok(Probe::Needed("main does not name the trainer's image".to_owned()));
    }
    Ok(Probe::Done(format!("{BASE} and {TRAINER} as built")))
}

/// Packs both images and commits the name of the trainer's.
///
/// # Errors
/// `image-store`, `registry-refused`, `registry-unreachable`, what Git says.
pub fn act(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let (packed, moved) = pack_both(ctx, deadline)?;
    git::refresh(ctx)?;
    // Where nothing was published yet there is nothing to commit to (`cargo xtask images` alone).
    let committed = match git::bare_head(ctx)?.is_none() && !ctx.exec.pretends() {
        true => None,
        false => named::commit(
            ctx,
            &named::files(ctx, &packed.base, &packed.trainer)?,
            &packed.trainer,
        )?,
    };
    if ctx.cluster.is_some() {
        profile::note(ctx, profile::wanted(ctx)?)?;
    }
    keep(ctx, &packed)?;
    let did = match &ctx.cluster {
        Some(_) => "pushed",
        None => "packed",
    };
    match committed {
        Some(commit) => Acted::changed(format!(
            "{did}; trainer's image named by commit {}",
            git::short(&commit)
        )),
        None if moved || ctx.cluster.is_none() => Acted::changed(did),
        None => Acted::nothing(format!("{BASE} and {TRAINER} are in {}", store(ctx))),
    }
}

/// Pushes to a registry and commits nothing: `images` alone.
///
/// # Errors
/// `image-store`, `registry-refused`, `registry-unreachable`.
pub fn push(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let (packed, moved) = pack_both(ctx, deadline)?;
    keep(ctx, &packed)?;
    let note = format!("{BASE} and {TRAINER} are in {}", store(ctx));
    if moved {
        Acted::changed(note)
    } else {
        Acted::nothing(note)
    }
}

fn keep(ctx: &Ctx, packed: &Packed) -> Outcome<()> {
    let text = serde_json::to_string_pretty(packed).unwrap_or_default();
    if ctx.read_text(&stamp(ctx)).as_ref() == Some(&text) {
        return Ok(());
    }
    ctx.write(Id::ImageStore, &stamp(ctx), &text, 0o644)
}

/// Packs both; whether the store had anything else under their names.
fn pack_both(ctx: &Ctx, deadline: Deadline) -> Outcome<(Packed, bool)> {
    let (api_from, trainer_from) = (
        identity(&ctx.binary("inference-api")),
        identity(&ctx.binary("trainer")),
    );
    let code_commit = code_commit(ctx)?;
    let store = store(ctx);
    let (base, base_moved) = base(ctx, &store, deadline)?;
    let (trainer, trainer_moved) = pack(
        ctx,
        "trainer",
        TRAINER,
        &store,
        &[("CODE_COMMIT", &code_commit)],
        deadline,
    )?;
    let mut now = Packed {
        api_from,
        trainer_from,
        code_commit,
        base,
        trainer,
    };
    if ctx.exec.pretends()
        && let Some(last) = packed(ctx)
    {
        // The same inputs would give the same digests.
        let same = Packed {
            base: last.base.clone(),
            trainer: last.trainer.clone(),
            ..now.clone()
        };
        if last == same {
            now = last;
        }
    }
    Ok((now, base_moved || trainer_moved))
}

/// The image that a model is appended to.
fn base(ctx: &Ctx, store: &str, deadline: Deadline) -> Outcome<(String, bool)> {
    let variables = [("MODEL_DIR", "model"), ("LISTEN_ADDRESS", "0.0.0.0:8000")];
    pack(ctx, "inference-api", BASE, store, &variables, deadline)
}

/// Digests of both images, packed into a layout.
///
/// # Errors
/// `image-store`.
pub fn into_layout(ctx: &Ctx, layout: &std::path::Path, deadline: Deadline) -> Outcome<[String; 2]> {
    let store = format!("oci-layout:{}", layout.display());
    let commit = code_commit(ctx)?;
    let (base, _) = base(ctx, &store, deadline)?;
    let (trainer, _) = pack(
        ctx,
        "trainer",
        TRAINER,
        &store,
        &[("CODE_COMMIT", &commit)],
        deadline,
    )?;
    Ok([base, trainer])
}

/// The layout must now hold them; a registry has said so itself.
///
/// # Errors
/// `image-store`.
pub fn verify(ctx: &Ctx) -> Outcome<()> {
    looks_done(ctx, probe, Id::ImageStore, "find the packed images in the layout")
}

/// One image: its digest, and whether its name was moved.
fn pack(
    ctx: &Ctx,
    binary: &str,
    reference: &str,
    store: &str,
    env: &[(&str, &str)],
    deadline: Deadline,
) -> Outcome<(String, bool)> {
    let mut cmd = Cmd::changes(ctx.binary("trainer").display().to_string())
        .args(["image", "--binary"])
        .path(ctx.binary(binary))
        .args(["--reference", reference, "--store", store])
        .deadline(deadline.left())
        .pretend(format!(r#"{{"digest":"<digest of {reference}>"}}"#));
    for (name, value) in env {
        cmd = cmd.args(["--env", &format!("{name}={value}")]);
    }
    let attempted = match &ctx.cluster {
        Some(_) => format!("push {reference} to {store}"),
        None => format!("pack {reference}"),
    };
    let output = ctx.must(Id::ImageStore, &attempted, &cmd)?;
    let result: serde_json::Value = serde_json::from_str(output.stdout.trim())
        .map_err(|error| Failure::new(Id::ImageStore, attempted.clone()).because(error))?;
    match result["digest"].as_str() {
        Some(digest) => Ok((digest.to_owned(), result["status"] != "already")),
        None => Err(Failure::new(Id::ImageStore, attempted).because(format!("no digest in {result}"))),
    }
}

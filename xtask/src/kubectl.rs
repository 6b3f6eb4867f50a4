//! kubectl: rendering with kustomize and server-side apply. Every call names its context.

use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    pins, tools, venv,
};
use std::{path::Path, time::Duration};

/// Owner of the fields that `up` applies; Argo CD takes them over.
pub const FIELD_MANAGER: &str = "driftless-xtask";
/// Annotations on a namespace that say what was applied there: they go when what was applied goes.
const STAMPS: &str = "driftless.dev/applied-";
/// The namespace that bears them: made first, removed last.
pub const STAMPED: &str = "gitops";

/// The kubectl on PATH when it is new enough, else the version that was found.
pub fn on_path(ctx: &Ctx) -> Result<String, Option<(u32, u32)>> {
    let path = ctx.exec.find("kubectl").ok_or(None)?;
    let cmd = Cmd::reads("kubectl").args(["version", "--client"]);
    let output = ctx.exec.run(&cmd).map_err(|_| None)?;
    let label = |name: &str| {
        let line = output.stdout.lines().find(|line| line.contains(name))?;
        tools::version(line)
    };
    let (client, kustomize) = (label("Client Version"), label("Kustomize Version"));
    match (client, kustomize) {
        (Some(client), Some(kustomize))
            if client >= pins::KUBECTL_MIN && kustomize >= pins::KUSTOMIZE_MIN =>
        {
            Ok(path.display().to_string())
        }
        (client, _) => Err(client),
    }
}

/// The program: on PATH when new enough, else the pinned one.
///
/// # Errors
/// `tool-missing` when there is neither (the step `tools` brings one).
pub fn program(ctx: &Ctx) -> Outcome<String> {
    if let Ok(path) = on_path(ctx) {
        return Ok(path);
    }
    let ours = tools::pinned_kubectl(ctx, venv::KUBECTL.name);
    if ctx.exec.find(&ours.display().to_string()).is_some() || ctx.exec.pretends() {
        return Ok(ours.display().to_string());
    }
    Err(Failure::new(Id::ToolMissing, "find kubectl")
        .because(format!(
            "no kubectl on PATH is new enough, and {} is not there",
            ctx.short(&ours)
        ))
        .next(ctx.typed("cargo xtask up --from tools")))
}

/// kubectl in the context of this world.
///
/// # Errors
/// As [`program`].
pub fn looks(ctx: &Ctx, args: &[&str]) -> Outcome<Cmd> {
    let context = &ctx.the_cluster()?.context;
    Ok(Cmd::reads(program(ctx)?).args(["--context", context]).args(args))
}

/// The same, changing something.
///
/// # Errors
/// As [`program`].
pub fn changes(ctx: &Ctx, args: &[&str]) -> Outcome<Cmd> {
    Ok(Cmd {
        effect: crate::exec::Effect::Changes,
        ..looks(ctx, args)?
    })
}

/// What a folder renders to.
///
/// # Errors
/// `render-failed`, `tool-missing`.
pub fn render(ctx: &Ctx, folder: &Path) -> Outcome<String> {
    let cmd = Cmd::reads(program(ctx)?).args(["kustomize"]).path(folder);
    let attempted = format!("render {}", ctx.short(folder));
    if ctx.cannot_look(&cmd) {
        return Ok(String::new());
    }
    Ok(ctx.must(Id::RenderFailed, &attempted, &cmd)?.stdout)
}

/// Applies objects on the server's side; the text is kept in the state folder, to be read.
///
/// # Errors
/// `apply-failed`, and what is wrong with the cluster.
pub fn apply(ctx: &Ctx, name: &str, objects: &str, deadline: Duration) -> Outcome<()> {
    apply_as(ctx, FIELD_MANAGER, name, objects, deadline)
}

/// The same under another owner: one owner that applies an object twice drops what only the first
/// text held.
///
/// # Errors
/// As [`apply`].
pub fn apply_as(ctx: &Ctx, manager: &str, name: &str, objects: &str, deadline: Duration) -> Outcome<()> {
    let file = ctx.state.join("applied").join(format!("{name}.yaml"));
    ctx.write(Id::StateUnwritable, &file, objects, 0o644)?;
    let manager = format!("--field-manager={manager}");
    let apply = [
        "apply",
        "--server-side",
        "--force-conflicts",
        &manager,
        "--filename",
    ];
    let cmd = changes(ctx, &apply)?.path(&file).deadline(deadline);
    ctx.must(Id::ApplyFailed, &format!("apply {}", ctx.short(&file)), &cmd)
        .map(drop)
}

/// Whether `name` was applied as `stamp` says.
///
/// # Errors
/// What is wrong with the cluster.
pub fn stamped(ctx: &Ctx, name: &str, stamp: &str) -> Outcome<bool> {
    Ok(read_stamp(ctx, name)? == stamp)
}

/// What was noted of `name`; empty for nothing.
///
/// # Errors
/// What is wrong with the cluster.
pub fn read_stamp(ctx: &Ctx, name: &str) -> Outcome<String> {
    let key = format!("{STAMPS}{name}").replace('.', "\\.");
    let path = format!("--output=jsonpath={{.metadata.annotations.{key}}}");
    let cmd = looks(ctx, &["get", "namespace", STAMPED, "--ignore-not-found", &path])?;
    if ctx.cannot_look(&cmd) {
        return Ok(String::new());
    }
    let output = ctx.must(Id::ClusterFailed, "ask what was applied", &cmd)?;
    Ok(output.stdout.trim().to_owned())
}

/// Says that `name` was applied.
///
/// # Errors
/// `apply-failed`, and what is wrong with the cluster.
pub fn stamp(ctx: &Ctx, name: &str, stamp: &str) -> Outcome<()> {
    let annotation = format!("{STAMPS}{name}={stamp}");
    let manager = format!("--field-manager={FIELD_MANAGER}");
    let args = [
        "annotate",
        "namespace",
        STAMPED,
        &annotation,
        "--overwrite",
        &manager,
    ];
    let attempted = "note what was applied";
    ctx.must(Id::ApplyFailed, attempted, &changes(ctx, &args)?)
        .map(drop)
}

/// Digest of objects, short enough to read.
pub fn digest(objects: &str) -> String {
    let digest = contract::sha256_hex(objects.as_bytes());
    digest.trim_start_matches("sha256:")[..16].to_owned()
}

/// The documents of a rendering whose kind fits, as one text.
pub fn documents(rendered: &str, fits: impl Fn(&str) -> bool) -> String {
    let kind = |document: &str| {
        let mut lines = document.lines();
        lines
            .find_map(|line| line.strip_prefix("kind:"))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    rendered
        .split("\n---\n")
        .filter(|document| fits(&kind(document)))
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n---\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_by_their_kind() {
        let rendered = "kind: A\nx: 1\n---\napiVersion: v1\nkind: B\nspec:\n  kind: A\n---\nkind: A\n";
        assert_eq!(
            documents(rendered, |kind| kind == "A"),
            "kind: A\nx: 1\n---\nkind: A"
        );
        assert_eq!(
            documents(rendered, |kind| kind == "B"),
            "apiVersion: v1\nkind: B\nspec:\n  kind: A"
        );
    }
}

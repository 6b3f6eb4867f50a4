//! `render`: the overlays as an engine sees them, and what must hold for each rendered object.

pub mod crd;
pub mod rules;

use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    flags::RenderFlags,
    tools,
};
pub use rules::check_object;
use serde_yaml::Value;
use std::path::{Path, PathBuf};

/// Renders every application of the environment; `--check` looks at all environments and at Argo CD.
///
/// # Errors
/// `render-failed`, `tool-missing`; with `--check` also `check-failed`.
pub fn command(ctx: &Ctx, flags: &RenderFlags) -> Outcome<()> {
    let kustomize = tools::kustomize(ctx)?;
    if flags.check {
        return check(ctx, &kustomize);
    }
    for (app, folder) in applications(ctx)? {
        let text = render(ctx, &kustomize, &folder)?;
        match &flags.output {
            Some(dir) => {
                let file = ctx.root.join(dir).join(format!("{app}.yaml"));
                ctx.write(Id::RenderFailed, &file, &text, 0o644)?;
            }
            None => ctx.result(&format!("# {app}\n{}\n---", text.trim_end())),
        }
    }
    Ok(())
}

fn check(ctx: &Ctx, kustomize: &[String]) -> Outcome<()> {
    let crds = crd::pinned(ctx)?;
    let mut wrong = Vec::new();
    let mut objects = 0;
    for (name, folder) in folders(ctx)? {
        let text = render(ctx, kustomize, &folder)?;
        let (ours, builtin): (Vec<_>, Vec<_>) = parse(&name, &text)?
            .into_iter()
            .partition(|object| object["apiVersion"] == crd::API_VERSION);
        objects += ours.len() + builtin.len();
        let found = builtin
            .iter()
            .flat_map(|object| [rules::check_object(object), rules::check_pod(object)].concat());
        let found = found.chain(ours.iter().flat_map(|object| crd::check(&crds, object)));
        wrong.extend(found.map(|what| format!("{name}: {what}")));
        wrong.extend(schema(ctx, &name, &builtin)?);
    }
    if wrong.is_empty() {
        ctx.report.say(format!("checked  {objects} rendered objects"));
        return Ok(());
    }
    let count = wrong.len();
    Err(Failure::new(Id::CheckFailed, "check the rendered overlays")
        .because(format!("{count} things are wrong; first: {}", wrong[0]))
        .detail(wrong))
}

/// Everything that renders by itself, by name: each overlay of each environment, each environment's
/// Applications, and Argo CD where its pinned upstream file is.
///
/// # Errors
/// `render-failed` when there is none.
pub fn folders(ctx: &Ctx) -> Outcome<Vec<(String, PathBuf)>> {
    let overlays = ctx.root.join("kustomize/overlays");
    let mut all = Vec::new();
    for environment in subfolders(ctx, &overlays)? {
        let name = environment.0;
        for (app, folder) in overlays_of(ctx, &name)? {
            all.push((format!("{name}-{app}"), folder));
        }
    }
    for (name, folder) in subfolders(ctx, &ctx.root.join("argocd/environments")).unwrap_or_default() {
        all.push((format!("argocd-{name}"), folder));
    }
    let install = ctx.root.join("argocd/install");
    if install.join("upstream/core-install.yaml").is_file() {
        all.push(("argocd-install".to_owned(), install));
    } else {
        ctx.report
            .say("skipped  argocd/install: its upstream file is not there; cargo xtask up brings it");
    }
    Ok(all)
}

/// Overlays of the environment: name and folder, in order of names.
///
/// # Errors
/// `render-failed` when there is none.
pub fn applications(ctx: &Ctx) -> Outcome<Vec<(String, PathBuf)>> {
    overlays_of(ctx, &ctx.environment)
}

fn overlays_of(ctx: &Ctx, environment: &str) -> Outcome<Vec<(String, PathBuf)>> {
    let parent = ctx.root.join("kustomize/overlays").join(environment);
    let all: Vec<_> = subfolders(ctx, &parent)?
        .into_iter()
        .filter(|(_, folder)| folder.join("kustomization.yaml").is_file())
        .collect();
    if all.is_empty() {
        let attempted = format!("list {}", ctx.short(&parent));
        Err(Failure::new(Id::RenderFailed, attempted).because("it holds no application"))
    } else {
        Ok(all)
    }
}

fn subfolders(ctx: &Ctx, parent: &Path) -> Outcome<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(parent).map_err(|error| {
        Failure::new(Id::RenderFailed, format!("list {}", ctx.short(parent))).because(error)
    })?;
    let mut all: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect();
    all.sort();
    Ok(all)
}

fn render(ctx: &Ctx, kustomize: &[String], folder: &Path) -> Outcome<String> {
    let (program, first) = kustomize
        .split_first()
        .map_or(("kustomize", &[][..]), |(p, rest)| (p.as_str(), rest));
    let cmd = Cmd::reads(program).args(first).path(folder);
    Ok(ctx
        .must(Id::RenderFailed, &format!("render {}", ctx.short(folder)), &cmd)?
        .stdout)
}

/// The objects of a rendered overlay.
///
/// # Errors
/// `render-failed` for what is not YAML.
pub fn parse(app: &str, text: &str) -> Outcome<Vec<Value>> {
    use serde::Deserialize;
    serde_yaml::Deserializer::from_str(text)
        .map(Value::deserialize)
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::new(Id::RenderFailed, format!("read what {app} renders to")).because(error))
}

/// Strict check against the pinned Kubernetes version, where the oracle environment is there.
fn schema(ctx: &Ctx, app: &str, objects: &[Value]) -> Outcome<Vec<String>> {
    // Schemas of custom types are not those of Kubernetes. As JSON, since the validator reads YAML 1.1,
    // in which a plain `no` is a truth value.
    let objects = objects
        .iter()
        .filter(|object| object["kind"] != "CustomResourceDefinition");
    let text: Vec<_> = objects
        .filter_map(|object| serde_json::to_string(object).ok())
        .collect();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let validator = ctx.venv("oracle").join("bin/kubernetes-validate");
    if ctx.exec.find(&validator.display().to_string()).is_none() {
        ctx.report
            .say("skipped  schema check: no oracle environment; cargo xtask test makes it");
        return Ok(Vec::new());
    }
    let file = ctx.target.join("xtask/rendered").join(format!("{app}.yaml"));
    ctx.write(Id::RenderFailed, &file, &text.join("\n---\n"), 0o644)?;
    let cmd = Cmd::reads(validator.display().to_string())
        .args(["--strict", "--kubernetes-version", crate::pins::KUBERNETES_SCHEMA])
        .path(&file);
    let output = ctx.ran(
        Id::RenderFailed,
        "check the rendered objects against their schema",
        &cmd,
    )?;
    let lines = output.stdout.lines().chain(output.stderr.lines());
    Ok(if output.ok() {
        Vec::new()
    } else {
        lines
            .filter(|line| !line.contains(" passed for resource "))
            .map(|line| format!("{app}: {line}"))
            .collect()
    })
}

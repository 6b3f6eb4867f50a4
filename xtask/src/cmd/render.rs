//! `render`: the overlays as an engine sees them, and what must hold for each rendered object.

use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    flags::RenderFlags,
    tools,
};
use serde_yaml::Value;
use std::path::{Path, PathBuf};

/// Renders every application of the environment.
///
/// # Errors
/// `render-failed`, `tool-missing`; with `--check` also `check-failed`.
pub fn command(ctx: &Ctx, flags: &RenderFlags) -> Outcome<()> {
    let kustomize = tools::kustomize(ctx)?;
    let mut wrong = Vec::new();
    let mut objects = 0;
    for (app, folder) in applications(ctx)? {
        let text = render(ctx, &kustomize, &folder)?;
        if flags.check {
            let rendered = parse(&app, &text)?;
            objects += rendered.len();
            wrong.extend(
                rendered
                    .iter()
                    .flat_map(check_object)
                    .map(|what| format!("{app}: {what}")),
            );
            wrong.extend(schema(ctx, &app, &text)?);
        } else if let Some(dir) = &flags.output {
            ctx.write(
                Id::RenderFailed,
                &ctx.root.join(dir).join(format!("{app}.yaml")),
                &text,
                0o644,
            )?;
        } else {
            ctx.result(&format!("# {app}\n{}\n---", text.trim_end()));
        }
    }
    if !wrong.is_empty() {
        let count = wrong.len();
        return Err(Failure::new(Id::CheckFailed, "check the rendered overlays")
            .because(format!("{count} things are wrong; first: {}", wrong[0]))
            .detail(wrong));
    }
    if flags.check {
        ctx.report.say(format!("checked  {objects} rendered objects"));
    }
    Ok(())
}

/// Overlays of the environment: name and folder, in order of names.
///
/// # Errors
/// `render-failed` when there is none.
pub fn applications(ctx: &Ctx) -> Outcome<Vec<(String, PathBuf)>> {
    let parent = ctx.root.join("kustomize/overlays").join(ctx.environment);
    let failure = || Failure::new(Id::RenderFailed, format!("list {}", ctx.short(&parent)));
    let entries = std::fs::read_dir(&parent).map_err(|error| failure().because(error))?;
    let mut all: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().join("kustomization.yaml").is_file())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect();
    all.sort();
    if all.is_empty() {
        Err(failure().because("it holds no application"))
    } else {
        Ok(all)
    }
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

/// What is wrong with one rendered object. Kustomize ignores a misspelt image name silently, so
/// every container's final image is looked at.
pub fn check_object(object: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = text(&object["kind"]);
    let name = format!("{kind}/{}", text(&object["metadata"]["name"]));
    let mut wrong = Vec::new();
    let template = match kind.as_str() {
        "CronJob" => &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        _ => &object["spec"]["template"]["spec"],
    };
    let unreleased = object["spec"]["replicas"].as_u64() == Some(0);
    for list in ["initContainers", "containers"] {
        for container in template[list].as_sequence().into_iter().flatten() {
            let image = text(&container["image"]);
            let (name_and_tag, digest) = image.split_once('@').unwrap_or((&image, ""));
            let last = name_and_tag.rsplit('/').next().unwrap_or_default();
            let tag = last.split_once(':').map_or("", |(_, tag)| tag);
            let fixed = match digest {
                "" => !tag.is_empty() && tag != "latest",
                digest => contract::digest::is_digest(digest),
            };
            if !fixed && !unreleased {
                wrong.push(format!(
                    "{name}: container {} has image {image:?}: no digest and no fixed tag",
                    text(&container["name"])
                ));
            }
        }
    }
    let selector = match kind.as_str() {
        "Service" => &object["spec"]["selector"],
        _ => &object["spec"]["selector"]["matchLabels"],
    };
    for (key, _) in selector.as_mapping().into_iter().flatten() {
        if key.as_str() != Some("app.kubernetes.io/name") {
            wrong.push(format!("{name}: selector has {}", text(key)));
        }
    }
    wrong
}

/// Strict check against the pinned Kubernetes version, where the oracle environment is there.
fn schema(ctx: &Ctx, app: &str, text: &str) -> Outcome<Vec<String>> {
    let validator = ctx.venv("oracle").join("bin/kubernetes-validate");
    if ctx.exec.find(&validator.display().to_string()).is_none() {
        ctx.report
            .say("skipped  schema check: no oracle environment; cargo xtask test makes it");
        return Ok(Vec::new());
    }
    let file = ctx.target.join("xtask/rendered").join(format!("{app}.yaml"));
    ctx.write(Id::RenderFailed, &file, text, 0o644)?;
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
        lines.map(|line| format!("{app}: {line}")).collect()
    })
}

//! The steps `tools`, `git` and `data`: what must lie on disk before anything runs.

use crate::{
    cluster,
    ctx::{Ctx, engine_failure},
    failure::{Failure, Id, Outcome},
    git::{self, Publication},
    kubectl, profile,
    step::{Acted, Deadline, Probe, looks_done},
    tools, venv,
};
use std::path::PathBuf;

/// MLflow runs on this machine for the local engine; a cluster needs kubectl alone.
pub fn tools_probe(ctx: &Ctx) -> Outcome<Probe> {
    if ctx.cluster.is_none() {
        return venv::MLFLOW.probe(ctx);
    }
    match kubectl::on_path(ctx) {
        Ok(path) => Ok(Probe::Done(path)),
        Err(_) => venv::KUBECTL.probe(ctx),
    }
}

pub fn tools(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let venv = match ctx.cluster {
        None => venv::MLFLOW,
        Some(_) => venv::KUBECTL,
    };
    Acted::changed(venv.install(ctx, deadline)?)
}

pub fn tools_verify(ctx: &Ctx) -> Outcome<()> {
    looks_done(
        ctx,
        tools_probe,
        Id::PythonPackages,
        "find the installed packages",
    )?;
    match ctx.cluster {
        None => tools::kustomize(ctx).map(drop),
        Some(_) => kubectl::program(ctx).map(drop),
    }
}

pub fn git_probe(ctx: &Ctx) -> Outcome<Probe> {
    git::warn_uncommitted(ctx)?;
    published(ctx)
}

fn published(ctx: &Ctx) -> Outcome<Probe> {
    Ok(match git::look(ctx)? {
        Publication::UpToDate { head, main } => Probe::Done(format!(
            "main {} holds HEAD {}",
            git::short(&main),
            git::short(&head)
        )),
        Publication::Behind { head } => Probe::Needed(format!("main lacks HEAD {}", git::short(&head))),
    })
}

pub fn git(ctx: &Ctx, _: Deadline) -> Outcome<Acted> {
    let Publication::Behind { head } = git::look(ctx)? else {
        return Acted::nothing("main holds HEAD");
    };
    git::bare_repository(ctx)?;
    Acted::changed(git::publish(ctx, &head)?)
}

pub fn git_verify(ctx: &Ctx) -> Outcome<()> {
    looks_done(ctx, published, Id::GitMoved, "publish HEAD")
}

fn iris(ctx: &Ctx) -> PathBuf {
    ctx.root.join("trainer/data/iris.csv")
}

/// The name of the first batch; later ones count up.
pub const FIRST_BATCH: &str = "batch-0001.csv";

pub fn data_probe(ctx: &Ctx) -> Outcome<Probe> {
    if ctx.cluster.is_some() {
        return data_probe_there(ctx);
    }
    let first = ctx.data().join(FIRST_BATCH);
    // The data place belongs to whoever adds batches: what is there is never written over.
    Ok(if first.is_file() {
        Probe::Done(format!("{} is there", ctx.short(&first)))
    } else {
        Probe::Needed(format!("{} is missing", ctx.short(&first)))
    })
}

pub fn data(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let (from, to) = (iris(ctx), ctx.data().join(FIRST_BATCH));
    let bytes = ctx
        .exec
        .read(&from)
        .map_err(|error| Failure::new(Id::NotAClone, format!("read {}", ctx.short(&from))).because(error))?;
    let text = String::from_utf8_lossy(&bytes);
    if ctx.cluster.is_some() {
        return data_there(ctx, &text, deadline);
    }
    ctx.write(Id::StateUnwritable, &to, &text, 0o644)?;
    Acted::changed(format!("{} copied to {}", ctx.short(&from), ctx.short(&to)))
}

fn data_there(ctx: &Ctx, text: &str, deadline: Deadline) -> Outcome<Acted> {
    let fail = engine_failure("add the first batch to the data place");
    let engine = ctx.exec.engine(&ctx.state).map_err(&fail)?;
    let there = engine.data_names().unwrap_or_default();
    let mut did = Vec::new();
    if !there.iter().any(|name| name == FIRST_BATCH) {
        engine.add_data(FIRST_BATCH, text).map_err(&fail)?;
        did.push(format!("{} added as {FIRST_BATCH}", ctx.short(&iris(ctx))));
    }
    if profile::wanted(ctx)?.has_pipelines() {
        let copy = cluster::acts(ctx, &["data", "copy"], deadline.left())?;
        cluster::must(ctx, "copy the batches to where pipelines read them", &copy)?;
        did.push("copied for Kubeflow Pipelines".to_owned());
    }
    Acted::changed(did.join(", "))
}

/// The data place of a cluster is asked, not looked at.
fn data_probe_there(ctx: &Ctx) -> Outcome<Probe> {
    let names = ctx.exec.engine(&ctx.state).and_then(|engine| engine.data_names());
    match names {
        Ok(names) if names.iter().any(|name| name == FIRST_BATCH) => {}
        Ok(_) => return Ok(Probe::Needed(format!("{FIRST_BATCH} is missing"))),
        Err(error) => return Ok(Probe::Needed(error.to_string())),
    }
    if profile::wanted(ctx)?.has_pipelines() {
        let attempted = "look whether pipelines find the same batches";
        let answer = cluster::must(
            ctx,
            attempted,
            &cluster::looks(ctx, &["data", "copy", "--check"])?,
        )?;
        if answer["copied"] == false {
            return Ok(Probe::Needed("pipelines would find other batches".to_owned()));
        }
    }
    Ok(Probe::Done(format!("{FIRST_BATCH} is there")))
}

pub fn data_verify(ctx: &Ctx) -> Outcome<()> {
    looks_done(ctx, data_probe, Id::StateUnwritable, "copy the first batch")
}

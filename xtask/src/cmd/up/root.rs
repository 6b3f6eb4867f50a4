//! The steps `root` and `apps`: the one Application that is applied by hand, and all that follows.

use crate::{
    cluster,
    cmd::up::cluster::ARGOCD,
    ctx::Ctx,
    failure::{Id, Outcome},
    git, kubectl,
    step::{Acted, Deadline, Probe},
};
use engine::{Health, Sync};

/// The folder that the root Application points at, relative to the root of the repository.
fn folder(ctx: &Ctx) -> String {
    format!("argocd/environments/{}", ctx.environment)
}

/// What `main` holds of Argo CD's objects, as one digest.
fn stamp(ctx: &Ctx) -> Outcome<Option<String>> {
    let tree = git::reads(&ctx.bare()).args(["rev-parse", "--quiet", "--verify", "refs/heads/main:argocd"]);
    git::ask(ctx, &tree)
}

/// Whether the root Application is there: stamps do not see that somebody deleted it.
fn exists(ctx: &Ctx) -> Outcome<bool> {
    let get = ["get", "applications.argoproj.io", "root", "--namespace", ARGOCD];
    let get = kubectl::looks(
        ctx,
        &[&get[..], &["--ignore-not-found", "--output=name"]].concat(),
    )?;
    let output = ctx.must(Id::ClusterFailed, "look for the root Application", &get)?;
    Ok(!output.stdout.trim().is_empty())
}

pub fn probe(ctx: &Ctx) -> Outcome<Probe> {
    git::refresh(ctx)?;
    let Some(stamp) = stamp(ctx)? else {
        return Ok(Probe::Needed("main is empty".to_owned()));
    };
    Ok(match kubectl::stamped(ctx, "root", &stamp)? && exists(ctx)? {
        true => Probe::Done(format!("follows {}", folder(ctx))),
        false => Probe::Needed("it was not applied as main has it".to_owned()),
    })
}

pub fn act(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    // As main has it, and not as the working tree does: from here on main alone counts.
    let clone = git::Clone::of(ctx, "root")?;
    let objects = match ctx.exec.pretends() {
        true => String::new(),
        false => bootstrap(&kubectl::render(ctx, &clone.dir().join(folder(ctx)))?),
    };
    kubectl::apply(ctx, "root", &objects, deadline.left())?;
    let stamp = match ctx.exec.pretends() {
        true => "<tree>".to_owned(),
        false => stamp(ctx)?.unwrap_or_default(),
    };
    kubectl::stamp(ctx, "root", &stamp)?;
    Acted::changed(format!("follows {}", folder(ctx)))
}

/// The projects and the root Application; the others are for Argo CD to apply, wave by wave.
fn bootstrap(rendered: &str) -> String {
    let marked: Vec<&str> = rendered
        .split("\n---\n")
        .filter(|document| document.contains("driftless.dev/bootstrap: \"true\""))
        .collect();
    marked.join("\n---\n")
}

pub fn apps_probe(ctx: &Ctx) -> Outcome<Probe> {
    git::refresh(ctx)?;
    let main = git::bare_head(ctx)?.unwrap_or_default();
    let status = match ctx.exec.engine(&ctx.state).and_then(|engine| engine.status()) {
        Ok(status) => status,
        Err(error) => return Ok(Probe::Needed(error.to_string())),
    };
    let behind = status
        .apps
        .iter()
        .find(|app| app.revision != main || app.sync != Sync::Synced || app.health != Health::Healthy);
    Ok(match behind {
        _ if status.apps.is_empty() => Probe::Needed("there is no Application yet".to_owned()),
        Some(app) => Probe::Needed(app.summary()),
        None => Probe::Done(format!(
            "{} Applications Synced and Healthy at {}",
            status.apps.len(),
            git::short(&main)
        )),
    })
}

pub fn apps(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let state = ctx.state.display().to_string();
    let wait = ["apps", "--revision", "head", "--state", &state];
    let wait = [&wait[..], &["--environment", &ctx.environment]].concat();
    cluster::wait(
        ctx,
        "wait until every Application is live at main",
        &wait,
        deadline.left(),
    )
    .map_err(|failure| match failure.id {
        Id::WorkloadNotReady => failure.known_as(Id::AppsNotSynced),
        _ => failure,
    })?;
    Acted::changed("every Application is Synced and Healthy")
}

//! The steps `crds` and `argocd`: Argo CD at the pinned version, or the one that is there.

use crate::{
    cluster::{self, inspect},
    cmd::up::cluster::ARGOCD,
    ctx::Ctx,
    failure::Outcome,
    kubectl::{self, digest, documents},
    pins,
    step::{Acted, Deadline, Probe},
    upstream,
};
use std::path::PathBuf;

const TYPES: [&str; 2] = ["applications.argoproj.io", "appprojects.argoproj.io"];

/// Where the overlay over Argo CD's own objects expects them; not kept in Git.
fn core_install(ctx: &Ctx) -> PathBuf {
    ctx.root.join("argocd/install/upstream/core-install.yaml")
}

fn is_type(kind: &str) -> bool {
    kind == "CustomResourceDefinition"
}

/// The one that somebody else installed, in words.
fn foreign(ctx: &Ctx) -> Outcome<Option<String>> {
    let found = inspect(ctx)?;
    let version = found.argocd.version.clone().unwrap_or_default();
    Ok(found
        .foreign_argocd()
        .then(|| format!("Argo CD {version} is there and is used")))
}

fn rendered(ctx: &Ctx, fits: impl Fn(&str) -> bool) -> Outcome<String> {
    let all = kubectl::render(ctx, &ctx.root.join("argocd/install"))?;
    Ok(documents(&all, fits))
}

/// Nothing was rendered in a dry run that has not fetched anything.
fn stamp_of(objects: &str) -> String {
    match objects {
        "" => "<digest>".to_owned(),
        objects => digest(objects),
    }
}

/// Whether the objects were applied as they would be now.
fn applied(ctx: &Ctx, name: &str, fits: impl Fn(&str) -> bool) -> Outcome<Probe> {
    let needed = |why: String| Ok(Probe::Needed(why));
    if let Some(found) = foreign(ctx)? {
        return Ok(Probe::Done(found));
    }
    if !upstream::is_there(ctx, &pins::ARGOCD_CORE_INSTALL, &core_install(ctx)) {
        return needed(format!("Argo CD {} was not fetched yet", pins::ARGOCD));
    }
    let found = inspect(ctx)?;
    let there = match name {
        "crds" => found.argocd.application_crd,
        _ => found.argocd.installed,
    };
    if there && kubectl::stamped(ctx, name, &digest(&rendered(ctx, fits)?))? {
        return Ok(Probe::Done(format!("Argo CD {} as pinned", pins::ARGOCD)));
    }
    needed("they were not applied as they are now".to_owned())
}

pub fn crds_probe(ctx: &Ctx) -> Outcome<Probe> {
    applied(ctx, "crds", is_type)
}

pub fn crds(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let (pinned, to) = (&pins::ARGOCD_CORE_INSTALL, core_install(ctx));
    let from = match upstream::is_there(ctx, pinned, &to) {
        true => "as fetched before".to_owned(),
        false => upstream::bring(ctx, pinned, &to, deadline.left())?,
    };
    // A dry run has not fetched what would be rendered.
    let objects = match ctx.exec.pretends() && !to.is_file() {
        true => String::new(),
        false => rendered(ctx, is_type)?,
    };
    kubectl::apply(ctx, "crds", &objects, deadline.left())?;
    let wait = [&["crds"], &TYPES[..]].concat();
    cluster::wait(ctx, "wait for Argo CD's types", &wait, deadline.left())?;
    kubectl::stamp(ctx, "crds", &stamp_of(&objects))?;
    Acted::changed(format!("Argo CD {} {from}", pins::ARGOCD))
}

pub fn argocd_probe(ctx: &Ctx) -> Outcome<Probe> {
    applied(ctx, "argocd", |kind| !is_type(kind))
}

pub fn argocd(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let objects = match ctx.exec.pretends() && !core_install(ctx).is_file() {
        true => String::new(),
        false => rendered(ctx, |kind| !is_type(kind))?,
    };
    kubectl::apply(ctx, "argocd", &objects, deadline.left())?;
    let wait = ["workloads", "--namespace", ARGOCD];
    cluster::wait(ctx, "wait until Argo CD is ready", &wait, deadline.left())?;
    kubectl::stamp(ctx, "argocd", &stamp_of(&objects))?;
    Acted::changed(format!("Argo CD {} is ready", pins::ARGOCD))
}

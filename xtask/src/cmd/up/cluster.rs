//! The step `cluster`: whether this cluster may be used, and the mark that it is.

use crate::{
    cluster::{Inspection, inspect},
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    kubectl, profile,
    step::{Acted, Deadline, Probe},
};

/// Namespaces that `up` makes, in the order in which they are removed.
pub const NAMESPACES: [&str; 5] = ["serving", "training", "kubeflow", "observability", "gitops"];
/// Argo CD's.
pub const ARGOCD: &str = "argocd";
/// Note on what was there before: it is never removed.
pub const BEFORE: &str = "beside";

pub fn probe(ctx: &Ctx) -> Outcome<Probe> {
    let found = inspect(ctx)?;
    check(ctx, &found)?;
    Ok(match found.ours() {
        true => Probe::Done(in_words(&found)),
        false => Probe::Needed("it was not set up yet".to_owned()),
    })
}

/// All that speaks against using it with the profile that is meant.
///
/// # Errors
/// As [`Inspection::check`].
pub fn check(ctx: &Ctx, found: &Inspection) -> Outcome<()> {
    let profiles = || Ok((profile::wanted(ctx)?, profile::there(ctx)?));
    found.check(ctx.the_cluster()?, profiles)
}

fn in_words(found: &Inspection) -> String {
    let gib = found.free_memory_mib() as f64 / 1024.0;
    format!(
        "Kubernetes {}, {} node(s), {gib:.1} GiB not asked for",
        found.server_version,
        found.nodes.len()
    )
}

pub fn act(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let found = inspect(ctx)?;
    let before = existing(&found);
    let mut marked = vec![kubectl::STAMPED];
    if !found.foreign_argocd() {
        marked.push(ARGOCD);
    }
    let objects: Vec<String> = marked.iter().map(|name| namespace(name)).collect();
    let objects = objects.join("---\n");
    kubectl::apply_as(ctx, "driftless-xtask-owner", "owner", &objects, deadline.left())?;
    kubectl::stamp(ctx, BEFORE, &before.join("."))?;
    Acted::changed(in_words(&found))
}

pub fn verify(ctx: &Ctx) -> Outcome<()> {
    if inspect(ctx)?.ours() {
        return Ok(());
    }
    Err(
        Failure::new(Id::ClusterFailed, "mark the cluster as set up by `up`")
            .because("the namespace was applied, and yet it does not bear the mark"),
    )
}

/// Which of our namespaces were there before us.
fn existing(found: &Inspection) -> Vec<&'static str> {
    let there = |name: &&str| found.namespaces.iter().any(|there| there == name);
    NAMESPACES.into_iter().filter(there).collect()
}

fn namespace(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels:\n    driftless.dev/owned-by: xtask\n"
    )
}

//! The step `git-server`: namespaces, secrets, and the Git server, before Argo CD can follow it.
//! Argo CD takes over what is applied here.

use crate::{
    cluster,
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    git::remote,
    kubectl::{self, digest},
    profile::{self, Profile},
    step::{Acted, Deadline, Probe},
};

const NAMESPACE: &str = "gitops";
/// Makes accounts and repository.
const SETUP: &str = "git-server-setup";

fn overlay(ctx: &Ctx, app: &str) -> Outcome<String> {
    let folder = ctx
        .root
        .join("kustomize/overlays")
        .join(&ctx.environment)
        .join(app);
    kubectl::render(ctx, &folder)
}

/// Namespaces, and the Git server unless the repository is hosted.
fn objects(ctx: &Ctx) -> Outcome<(String, Option<String>)> {
    let namespaces = overlay(ctx, "namespaces")?;
    let server = match ctx.the_cluster()?.git_url {
        Some(_) => None,
        None => Some(overlay(ctx, "git-server")?),
    };
    Ok((namespaces, server))
}

fn stamp_of(objects: &(String, Option<String>), profile: Profile) -> String {
    let (namespaces, server) = objects;
    // With another profile other Secrets are made.
    let pipelines = if profile.has_pipelines() { "pipelines" } else { "" };
    let server = server.as_deref().unwrap_or("hosted");
    digest(&format!("{namespaces}{server}{pipelines}"))
}

pub fn probe(ctx: &Ctx) -> Outcome<Probe> {
    let objects = objects(ctx)?;
    let stamp = stamp_of(&objects, profile::wanted(ctx)?);
    Ok(match kubectl::stamped(ctx, "git-server", &stamp)? {
        true if objects.1.is_none() => Probe::Done("the repository is hosted".to_owned()),
        true => Probe::Done("as applied before".to_owned()),
        false => Probe::Needed("it was not applied as it is now".to_owned()),
    })
}

pub fn act(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let objects = objects(ctx)?;
    let profile = profile::wanted(ctx)?;
    let stamp = stamp_of(&objects, profile);
    let (namespaces, server) = objects;
    kubectl::apply(ctx, "namespaces", &namespaces, deadline.left())?;
    let mut secrets = vec!["secrets"];
    secrets.extend(server.is_none().then_some("--external-git"));
    secrets.extend(profile.has_pipelines().then_some("--pipelines"));
    let secrets = cluster::acts(ctx, &secrets, deadline.left())?;
    cluster::must(
        ctx,
        "make the accounts of the Git server and the other Secrets, where they are missing",
        &secrets,
    )?;
    // An account that was kept may be of a server that is gone; the bridge's step asks for this one's.
    let kept = remote::credentials(ctx);
    if server.is_some() && kept.is_file() {
        ctx.exec.remove_file(&kept).map_err(|error| {
            Failure::new(Id::StateUnwritable, format!("remove {}", ctx.short(&kept))).because(error)
        })?;
    }
    if let Some(server) = &server {
        // A Job cannot be changed, only be made anew; it does nothing where all is made.
        let again = [
            "delete",
            "job",
            SETUP,
            "--namespace",
            NAMESPACE,
            "--ignore-not-found",
        ];
        let again = kubectl::changes(ctx, &again)?.deadline(deadline.left());
        let attempted = "remove the last run of the Git server's setup";
        ctx.must(Id::ApplyFailed, attempted, &again)?;
        kubectl::apply(ctx, "git-server", server, deadline.left())?;
        let workloads = ["workloads", "--namespace", NAMESPACE];
        let job = ["job", "--namespace", NAMESPACE, "--name", SETUP];
        cluster::wait(ctx, "wait for the Git server", &workloads, deadline.left())?;
        cluster::wait(ctx, "wait for its accounts and repository", &job, deadline.left())?;
    }
    kubectl::stamp(ctx, "git-server", &stamp)?;
    Acted::changed(match server {
        Some(_) => "ready",
        None => "the repository is hosted",
    })
}

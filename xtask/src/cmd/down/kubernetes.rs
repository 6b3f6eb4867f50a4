//! `down` for a cluster: what `up` brought goes, in the order in which it depends on each other.
//! What was there before stays.

use crate::{
    cluster::inspect,
    cmd::up::{bridge, cluster, minikube},
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    flags::DownFlags,
    kubectl,
    step::{Acted, Deadline, Probe},
    world::Keeper,
};

/// Stops Minikube, or removes from a cluster what `up` brought.
///
/// # Errors
/// `not-confirmed`, `cluster-foreign`, and what is wrong with the cluster.
pub fn remove(ctx: &Ctx, flags: &DownFlags, deadline: Deadline) -> Outcome<Acted> {
    let kept_by = ctx.the_cluster()?.engine;
    if ctx.exec.engine(&ctx.state).is_ok() {
        bridge::stop(ctx, deadline)?;
    }
    match kept_by {
        Keeper::Minikube => minikube_down(ctx, flags, deadline),
        Keeper::Cluster => cluster_down(ctx, deadline),
    }
}

/// Whether anything is there to be removed, and whether it may be.
///
/// # Errors
/// `not-confirmed`, and what is wrong with the cluster.
pub fn probe(ctx: &Ctx, flags: &DownFlags) -> Outcome<Probe> {
    let cluster = ctx.the_cluster()?;
    if cluster.engine == Keeper::Minikube {
        return Ok(match minikube::state(ctx)? {
            None => Probe::Done("there is no such profile".to_owned()),
            Some([host, ..]) if host == "Stopped" && !flags.purge => {
                Probe::Done("Minikube is stopped".to_owned())
            }
            Some(_) => Probe::Needed("Minikube runs".to_owned()),
        });
    }
    if !inspect(ctx)?.ours() {
        return Ok(Probe::Done(
            "nothing in this cluster was set up by `up`".to_owned(),
        ));
    }
    if flags.yes || ctx.exec.pretends() {
        return Ok(Probe::Needed("it was set up by `up`".to_owned()));
    }
    let command = if flags.purge {
        "cargo xtask down --purge --yes"
    } else {
        "cargo xtask down --yes"
    };
    Err(
        Failure::new(Id::NotConfirmed, format!("take down context {}", cluster.context))
            .because(format!(
                "the namespaces {} and argocd would be removed with all models, runs and data in them",
                cluster::NAMESPACES.join(", ")
            ))
            .next(ctx.typed(command)),
    )
}

fn minikube_down(ctx: &Ctx, flags: &DownFlags, deadline: Deadline) -> Outcome<Acted> {
    let (args, did) = match flags.purge {
        true => (&["delete"][..], "Minikube's profile deleted"),
        false => (&["stop"][..], "Minikube stopped"),
    };
    let cmd = minikube::changes(ctx, args)?.deadline(deadline.left());
    ctx.must(Id::MinikubeFailed, "stop Minikube", &cmd)?;
    Acted::changed(did)
}

fn cluster_down(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let found = inspect(ctx)?;
    let run =
        |attempted: &str, cmd: Cmd| ctx.must(Id::ApplyFailed, attempted, &cmd.deadline(deadline.left()));
    let gone = ["--ignore-not-found", "--wait=true", "--timeout=180s"];
    let delete = |args: &[&str]| kubectl::changes(ctx, &[&["delete"], args, &gone].concat());
    // Its finalizer takes the other Applications along, and theirs what they deployed. Before Argo CD,
    // which is the one to do it.
    if found.argocd.application_crd {
        let root = ["applications.argoproj.io", "root", "--namespace", cluster::ARGOCD];
        run("remove the root Application with all below it", delete(&root)?)?;
        for project in ["platform", "workloads"] {
            let project = ["appprojects.argoproj.io", project, "--namespace", cluster::ARGOCD];
            run("remove the projects", delete(&project)?)?;
        }
    }
    if !found.foreign_argocd() {
        for name in ["argocd", "crds"] {
            let file = ctx.state.join("applied").join(format!("{name}.yaml"));
            if file.is_file() {
                let file = file.display().to_string();
                run("remove Argo CD", delete(&["--filename", &file])?)?;
            }
        }
        run(
            "remove the namespace of Argo CD",
            delete(&["namespace", cluster::ARGOCD])?,
        )?;
    }
    let before = before(ctx)?;
    let ours: Vec<&str> = cluster::NAMESPACES
        .into_iter()
        .filter(|name| !before.iter().any(|there| there == name))
        .collect();
    run(
        "remove the namespaces",
        delete(&[&["namespace"], &ours[..]].concat())?,
    )?;
    Acted::changed("removed from the cluster")
}

/// Namespaces that were there before `up`.
fn before(ctx: &Ctx) -> Outcome<Vec<String>> {
    let text = kubectl::read_stamp(ctx, cluster::BEFORE)?;
    Ok(text.split('.').map(str::to_owned).collect())
}

//! The files of `main` that only `up` writes: which trainer runs, where images go, whom Argo CD
//! follows, the profile. Each is written whole, so no tool ever edits a person's YAML.

use crate::{
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    git, profile,
    world::Cluster,
};
use contract::names::{TRAINER, TRAINING};

const HEADER: &str = "# Written whole by `cargo xtask up`; not for editing.";

/// A machine-written file: path in the repository, contents.
pub type Written = (String, String);

/// What `main` must hold for these images (digests).
///
/// # Errors
/// What is wrong with the cluster, whose profile is asked for.
pub fn files(ctx: &Ctx, base: &str, trainer: &str) -> Outcome<Vec<Written>> {
    let overlay = format!("kustomize/overlays/{}/{TRAINING}/release", ctx.environment);
    let image = format!("{overlay}/image/kustomization.yaml");
    let Some(cluster) = &ctx.cluster else {
        return Ok(vec![(image, release_component(TRAINER, trainer))]);
    };
    let name = format!("{}/{TRAINER}", cluster.registry);
    let argocd = format!("argocd/environments/{}", ctx.environment);
    let mut files = vec![
        (image, release_component(&name, trainer)),
        (
            format!("{overlay}/settings/kustomization.yaml"),
            settings(cluster, base),
        ),
        (format!("{argocd}/settings.yaml"), argocd_settings(cluster)),
        (format!("{argocd}/git/kustomization.yaml"), git_component(cluster)),
    ];
    files.extend(profile::files(&ctx.environment, profile::wanted(ctx)?));
    Ok(files)
}

/// The trainer's image by digest.
pub fn release_component(name: &str, digest: &str) -> String {
    format!(
        "{HEADER}\n\
         apiVersion: kustomize.config.k8s.io/v1alpha1\n\
         kind: Component\n\
         images:\n  - name: trainer\n    newName: {name}\n    digest: \"{digest}\"\n"
    )
}

/// Where runs push to, what nodes pull by, and what a model is packed on: by digest, so that a
/// promoted image says exactly which API is in it.
fn settings(cluster: &Cluster, base: &str) -> String {
    let Cluster {
        environment,
        registry,
        registry_in_cluster,
        ..
    } = cluster;
    let git_url = cluster.git_in_cluster();
    format!(
        "{HEADER} Where runs push to, and what nodes pull by.\n\
         apiVersion: kustomize.config.k8s.io/v1alpha1\n\
         kind: Component\n\
         configMapGenerator:\n  - name: training\n    behavior: merge\n    literals:\n\
         \x20     - ENVIRONMENT={environment}\n\
         \x20     - GIT_URL={git_url}\n\
         \x20     - IMAGE_REPOSITORY={registry_in_cluster}\n\
         \x20     - IMAGE_PULL_REPOSITORY={registry}\n\
         \x20     - BASE_IMAGE=inference-api@{base}\n"
    )
}

/// Whom Argo CD follows.
fn argocd_settings(cluster: &Cluster) -> String {
    format!(
        "# Written whole by `cargo xtask up` when the bootstrap differs from these.\n\
         apiVersion: v1\n\
         kind: ConfigMap\n\
         metadata:\n  name: settings\n  annotations:\n\
         \x20   # Read by the replacements of kustomization.yaml, and never applied.\n\
         \x20   config.kubernetes.io/local-config: \"true\"\n\
         data:\n  environment: {}\n  repository: {}\n  revision: main\n",
        cluster.environment,
        cluster.git_in_cluster()
    )
}

/// Whether the Git server is one of the Applications.
fn git_component(cluster: &Cluster) -> String {
    let head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
    match cluster.git_url {
        Some(_) => format!(
            "{HEADER} Git is hosted; see settings.yaml.\n{head}\
             components:\n  - ../../../components/hosted-git\n"
        ),
        None => format!(
            "{HEADER} Git is served in the cluster.\n{head}\
             metadata:\n  # Kustomize refuses a component that says nothing.\n  name: git-in-the-cluster\n"
        ),
    }
}

/// Whether `main` holds these files; true where there is no repository yet.
pub fn held(ctx: &Ctx, files: &[Written]) -> Outcome<bool> {
    if git::bare_head(ctx)?.is_none() {
        return Ok(true);
    }
    for (path, text) in files {
        let show = git::reads(&ctx.bare()).args(["show", &format!("{}:{path}", git::MAIN)]);
        if git::ask(ctx, &show)?.as_deref() != Some(text.trim()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The bootstrap commit, where `main` does not hold the files yet.
pub fn commit(ctx: &Ctx, files: &[Written], digest: &str) -> Outcome<Option<String>> {
    // A dry run that knows no digest cannot tell.
    let known = contract::digest::is_digest(digest);
    if known && held(ctx, files)? {
        return Ok(None);
    }
    // Somebody may push in between; a push is never forced, so begin anew a few times.
    let mut last = Failure::new(Id::GitMoved, "push the name of the trainer's image");
    for _ in 0..3 {
        let clone = git::Clone::of(ctx, "trainer-image")?;
        for (path, text) in files {
            ctx.write(Id::GitFailed, &clone.dir().join(path), text, 0o644)?;
            clone.must("commit the trainer's image", &["add", path])?;
        }
        let subject = format!("bootstrap({}): trainer {}", ctx.environment, short(digest));
        clone.must(
            "commit the trainer's image",
            &["commit", "--quiet", "--no-verify", "--message", &subject],
        )?;
        match clone.push() {
            Ok(commit) => return Ok(Some(commit)),
            Err(failure) if failure.id == Id::GitMoved => last = failure,
            Err(failure) => return Err(failure),
        }
    }
    Err(last)
}

fn short(digest: &str) -> &str {
    digest
        .strip_prefix("sha256:")
        .and_then(|hex| hex.get(..12))
        .unwrap_or(digest)
}

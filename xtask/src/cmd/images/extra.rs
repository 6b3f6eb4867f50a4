//! What `images` can do besides: an archive for nodes that have no registry, and the proof that the
//! same source gives the same images.

use super::{BASE, TRAINER, build, pack};
use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    step::Deadline,
};
use serde_json::{Value, json};
use std::path::Path;

/// Names below which nodes look for images that were loaded and not pulled.
const LOADED: &str = "localhost:5000/driftless";

/// Writes both images as one archive in the image layout's form, as `minikube image load` and
/// `ctr images import` read it.
///
/// # Errors
/// `image-store`, `disk-full`.
pub fn archive(ctx: &Ctx, to: &Path, deadline: Deadline) -> Outcome<[String; 2]> {
    let layout = ctx.state.join("work/archive");
    let attempted = format!("write the archive {}", to.display());
    let fail = |cause: String| Failure::new(Id::ImageStore, attempted.clone()).because(cause);
    ctx.exec
        .remove_tree(&layout)
        .map_err(|error| fail(error.to_string()))?;
    let digests = pack::into_layout(ctx, &layout, deadline)?;
    if !ctx.exec.pretends() {
        let index = layout.join("index.json");
        let text = ctx.read_text(&index).unwrap_or_default();
        let base = ctx
            .cluster
            .as_ref()
            .map_or(LOADED, |cluster| cluster.registry.as_str());
        ctx.write(
            Id::ImageStore,
            &index,
            &with_names(&text, base).map_err(fail)?,
            0o644,
        )?;
    }
    // The same bytes each time: no times, no owners, sorted.
    let tar = Cmd::changes("tar")
        .args(["--create", "--sort=name", "--mtime=@0", "--owner=0", "--group=0"])
        // What the layout needs on this machine only.
        .args(["--numeric-owner", "--exclude=./.lock", "--file"])
        .path(to)
        .args(["--directory"])
        .path(&layout)
        .args(["."])
        .deadline(deadline.left());
    ctx.must(Id::ImageStore, &attempted, &tar)?;
    // What stays behind is removed by the next archive.
    let _ = ctx.exec.remove_tree(&layout);
    Ok(digests)
}

/// Gives each image the two names by which containerd finds it: by tag for people, and by digest for
/// the manifests, which name nothing else.
///
/// # Errors
/// What is wrong with the index.
pub fn with_names(index: &str, base: &str) -> Result<String, String> {
    const TAGGED: &str = "org.opencontainers.image.ref.name";
    const FULL: &str = "io.containerd.image.name";
    let mut index: Value = serde_json::from_str(index).map_err(|error| error.to_string())?;
    let manifests = index["manifests"].as_array().cloned().unwrap_or_default();
    let mut named = Vec::new();
    for mut manifest in manifests {
        let Some(reference) = manifest["annotations"][TAGGED].as_str().map(str::to_owned) else {
            continue;
        };
        let digest = manifest["digest"].as_str().unwrap_or_default().to_owned();
        let name = reference.split(':').next().unwrap_or_default();
        for full in [format!("{base}/{reference}"), format!("{base}/{name}@{digest}")] {
            manifest["annotations"] = json!({ FULL: full });
            named.push(manifest.clone());
        }
    }
    if named.is_empty() {
        return Err("the layout names no image".to_owned());
    }
    index["manifests"] = Value::Array(named);
    Ok(index.to_string())
}

/// Packs what is built, compiles our own crates anew, packs again: the digests must be equal.
///
/// # Errors
/// `check-failed` when they are not, `build-failed`.
pub fn twice(ctx: &Ctx, deadline: Deadline) -> Outcome<String> {
    let attempted = "build the same source twice";
    let layout = |name: &str| ctx.state.join("work").join(name);
    let before = pack::into_layout(ctx, &layout("first"), deadline)?;
    let mut clean = Cmd::changes("cargo").dir(&ctx.root).args([
        "clean",
        "--release",
        "--target",
        &crate::tools::release_triple(),
    ]);
    for package in OURS {
        clean = clean.args(["--package", package]);
    }
    ctx.must(Id::BuildFailed, attempted, &clean)?;
    build(ctx, deadline)?;
    let after = pack::into_layout(ctx, &layout("second"), deadline)?;
    for name in ["first", "second"] {
        // Only the digests were of interest.
        let _ = ctx.exec.remove_tree(&layout(name));
    }
    if before == after {
        return Ok(format!(
            "{BASE} and {TRAINER} have the same digests when built again"
        ));
    }
    Err(Failure::new(Id::CheckFailed, attempted).because(format!(
        "{} became {}; something of the machine or the moment is in them",
        before.join(" "),
        after.join(" ")
    )))
}

/// What both images are compiled from, dependencies of others left out.
const OURS: [&str; 14] = [
    "cluster",
    "contract",
    "drift",
    "engine",
    "gitops",
    "inference-api",
    "kfp",
    "kfp-client",
    "kfp-run",
    "mlflow-client",
    "model",
    "oci",
    "onnx",
    "trainer",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_for_each_image() {
        let index = r#"{"schemaVersion":2,"manifests":[
            {"mediaType":"m","digest":"sha256:1","size":3,
             "annotations":{"org.opencontainers.image.ref.name":"trainer:dev"}},
            {"mediaType":"m","digest":"sha256:2","size":3}]}"#;
        let named: Value = serde_json::from_str(&with_names(index, "localhost:5000/d").unwrap()).unwrap();
        let names: Vec<_> = named["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|manifest| {
                manifest["annotations"]["io.containerd.image.name"]
                    .as_str()
                    .unwrap()
            })
            .collect();
        assert_eq!(
            names,
            [
                "localhost:5000/d/trainer:dev",
                "localhost:5000/d/trainer@sha256:1"
            ]
        );
        assert_eq!(named["manifests"][1]["digest"], "sha256:1");
        assert!(with_names("{}", "x").is_err());
    }
}

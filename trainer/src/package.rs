//! `package`: the model as one layer on the API's base image, named by digest.

use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::outcome::{Outcome, Status};
use crate::validate;
use anyhow::Context;
use contract::names::{self, INFERENCE_API, MODEL_DIR_IN_IMAGE, PREFIX, exit};
use contract::{Manifest, Tag};
use oci::image::{self, Changes};
use oci::{ImageStore, LayerFiles};
use serde_json::json;
use std::collections::BTreeMap;

/// Proves that the base image is there and that the store can be written, before anything is begun.
///
/// # Errors
/// Exit code IMAGE.
pub fn probe(store: &dyn ImageStore, base: &str) -> Result<()> {
    store.resolve(base)?;
    // The empty JSON object is a blob that many images share (image-spec 1.1, "empty descriptor").
    store.put_blob(INFERENCE_API, b"{}")?;
    Ok(())
}

/// Packs the registered model of the folder. `forgotten` says of a run that the tracking server does
/// not know it: an image of such a run was left by a tracking server that is gone, and began to
/// number its versions anew. Its tag is moved; what runs is named by digest.
///
/// # Errors
/// Exit code IMAGE; 1 when the model is not registered yet.
pub fn package(
    folder: &Folder,
    store: &dyn ImageStore,
    base: &str,
    forgotten: &dyn Fn(&str) -> Result<bool>,
) -> Result<Outcome> {
    let manifest = validate::candidate(&folder.model())?.manifest;
    let (Some(version), Some(run_id)) = (manifest.model_version, manifest.run_id.clone()) else {
        return Err(anyhow::anyhow!("the model has no version yet: run `register` first").into());
    };
    let tag = tag(version, &manifest.code_commit)?;
    let reference = format!("{INFERENCE_API}:{tag}");
    let labels = labels(&manifest, version, &run_id);
    let (status, digest) = match existing(store, &reference, &labels, forgotten)? {
        Existing::Same(digest) => (Status::Already, digest),
        other => {
            let changes = Changes {
                // Whatever the base is called.
                name: INFERENCE_API.to_owned(),
                labels,
                env: BTreeMap::new(),
                created_by: "trainer package".to_owned(),
            };
            let digest = image::append_layer(store, base, &layer(folder)?, &changes)?;
            store.tag(&reference, &digest, other == Existing::Forgotten)?;
            (Status::Done, digest)
        }
    };
    let detail = json!({
        "image": INFERENCE_API, "tag": tag.to_string(), "digest": digest,
        "new_name": store.image_name(INFERENCE_API), "store": store.address(), "base": base,
    });
    Ok(Outcome::new(
        "package",
        status,
        detail,
        format!("{reference} {digest}"),
    ))
}

/// The image's tag; a commit that is not known is all zeros.
fn tag(version: u64, commit: &str) -> Result<Tag> {
    let commit = if commit == "unknown" { "0000000" } else { commit };
    Tag::new(version, commit).map_err(|e| Failure::new(2, format!("--code-commit: {e}")))
}

/// What the tag names already.
#[derive(PartialEq)]
enum Existing {
    /// Nothing.
    Nothing,
    /// The image of this run and model, by digest.
    Same(String),
    /// That of a run which nobody knows any more.
    Forgotten,
}

fn existing(
    store: &dyn ImageStore,
    reference: &str,
    labels: &BTreeMap<String, String>,
    forgotten: &dyn Fn(&str) -> Result<bool>,
) -> Result<Existing> {
    let Some(found) = store.find(reference)? else {
        return Ok(Existing::Nothing);
    };
    let there = image::config(store, reference)?.labels;
    let same = labels.iter().all(|(key, value)| there.get(key) == Some(value));
    if same {
        return Ok(Existing::Same(found.digest));
    }
    let run = there.get(&label("run-id"));
    if let Some(run) = run
        && forgotten(run)?
    {
        eprintln!("trainer: {reference} was left by run {run}, which MLflow does not know; the tag is moved");
        return Ok(Existing::Forgotten);
    }
    let text = format!(
        "{reference} in {} is the image of another run ({run:?})",
        store.address()
    );
    Err(Failure::new(exit::IMAGE, format!("{text}; tags are never moved")))
}

fn label(key: &str) -> String {
    format!("{PREFIX}/{key}")
}

fn labels(manifest: &Manifest, version: u64, run_id: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (
            "org.opencontainers.image.revision".to_owned(),
            manifest.code_commit.clone(),
        ),
        (label("run-id"), run_id.to_owned()),
        (label("model-version"), version.to_string()),
        (label("model-digest"), manifest.model_digest.clone()),
        (label("dataset-digest"), manifest.dataset.digest.clone()),
    ])
}

fn layer(folder: &Folder) -> Result<LayerFiles> {
    let mut files = LayerFiles::new();
    for name in [names::MODEL_FILE, names::MANIFEST_FILE, names::REFERENCE_FILE] {
        let path = folder.model().join(name);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        files = files.file(&format!("{MODEL_DIR_IN_IMAGE}/{name}"), 0o644, bytes)?;
    }
    Ok(files)
}

//! Making images: a first one from layers, and one more layer on top of another image.

use super::{CONFIG, DOCKER_MANIFEST, Image, ImageConfig, MANIFEST, architecture, canonical};
use crate::{Error, ImageStore, Layer, LayerFiles};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Images carry no time, so that the same input has the same digest.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// What `append_layer` changes besides the layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Name in the store of the image that is made; the base's where empty.
    pub name: String,
    /// Added to the image's labels, replacing those of the same name.
    pub labels: BTreeMap<String, String>,
    /// Added to the image's variables, replacing those of the same name.
    pub env: BTreeMap<String, String>,
    /// History line: the command that made the layer.
    pub created_by: String,
}

/// Stores an image made of `layers` alone and returns the digest of its manifest; no tag is set.
///
/// # Errors
/// The store's failure.
pub fn build_base(
    store: &dyn ImageStore,
    name: &str,
    layers: &[LayerFiles],
    config: &ImageConfig,
) -> Result<String, Error> {
    let mut settings = Map::new();
    for (key, text) in [("User", &config.user), ("WorkingDir", &config.working_dir)] {
        if !text.is_empty() {
            settings.insert(key.to_owned(), json!(text));
        }
    }
    for (key, list) in [("Entrypoint", &config.entrypoint), ("Cmd", &config.cmd)] {
        if !list.is_empty() {
            settings.insert(key.to_owned(), json!(list));
        }
    }
    let mut image = json!({
        "created": EPOCH,
        "architecture": architecture(),
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [],
    });
    let mut manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []});
    for files in layers {
        add_layer(store, name, &files.pack(), "driftless", &mut manifest, &mut image)?;
    }
    add_settings(&mut image, &config.env, &config.labels)?;
    finish(store, name, manifest, &image, CONFIG, MANIFEST)
}

/// Stores the image `base` with one layer more and returns the digest of the new manifest; no tag is
/// set. What this crate does not know of the base's configuration survives.
///
/// # Errors
/// `NotFound` for the base, or the store's failure.
pub fn append_layer(
    store: &dyn ImageStore,
    base: &str,
    layer: &LayerFiles,
    changes: &Changes,
) -> Result<String, Error> {
    let Image {
        name,
        media_type,
        mut manifest,
        mut config,
        ..
    } = Image::load(store, base)?;
    let name = match changes.name.as_str() {
        "" => name,
        other => {
            // A registry keeps blobs by name.
            for layer in manifest["layers"].as_array().into_iter().flatten() {
                let digest = layer["digest"].as_str().unwrap_or_default();
                if !store.has_blob(other, digest)? {
                    store.put_blob(other, &store.blob(&name, digest)?)?;
                }
            }
            other.to_owned()
        }
    };
    let config_type = manifest["config"]["mediaType"]
        .as_str()
        .unwrap_or(CONFIG)
        .to_owned();
    add_layer(
        store,
        &name,
        &layer.pack(),
        &changes.created_by,
        &mut manifest,
        &mut config,
    )?;
    add_settings(&mut config, &changes.env, &changes.labels)?;
    finish(store, &name, manifest, &config, &config_type, &media_type)
}

/// The blob goes first: a manifest never names what is not there.
fn add_layer(
    store: &dyn ImageStore,
    name: &str,
    layer: &Layer,
    created_by: &str,
    manifest: &mut Value,
    config: &mut Value,
) -> Result<(), Error> {
    store.put_blob(name, &layer.bytes)?;
    let docker = manifest["mediaType"] == DOCKER_MANIFEST;
    push(
        manifest,
        "layers",
        json!({
            "mediaType": if docker { DOCKER_LAYER } else { LAYER },
            "digest": layer.digest,
            "size": layer.bytes.len(),
        }),
    )?;
    let rootfs = config
        .get_mut("rootfs")
        .ok_or_else(|| Error::malformed("image configuration", "rootfs is missing"))?;
    push(rootfs, "diff_ids", json!(layer.diff_id))?;
    push(
        config,
        "history",
        json!({"created": EPOCH, "created_by": created_by}),
    )
}

fn push(document: &mut Value, key: &'static str, item: Value) -> Result<(), Error> {
    let list = match document.as_object_mut().map(|members| members.entry(key)) {
        Some(entry) => entry.or_insert_with(|| json!([])).as_array_mut(),
        None => None,
    };
    list.ok_or_else(|| Error::malformed("image document", format!("{key} is not a list")))?
        .push(item);
    Ok(())
}

fn add_settings(
    image: &mut Value,
    env: &BTreeMap<String, String>,
    labels: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let wrong = |what: &str| Error::malformed("image configuration", format!("{what} has the wrong type"));
    let image = image.as_object_mut().ok_or_else(|| wrong("the document"))?;
    let settings = object(image, "config").ok_or_else(|| wrong("config"))?;
    if !labels.is_empty() {
        let there = object(settings, "Labels").ok_or_else(|| wrong("config.Labels"))?;
        there.extend(labels.iter().map(|(name, value)| (name.clone(), json!(value))));
    }
    if !env.is_empty() {
        if settings.get("Env").is_none_or(Value::is_null) {
            settings.insert("Env".to_owned(), json!([]));
        }
        let lines = settings
            .get_mut("Env")
            .and_then(Value::as_array_mut)
            .ok_or_else(|| wrong("config.Env"))?;
        let name_of = |line: &Value| Some(line.as_str()?.split_once('=')?.0.to_owned());
        lines.retain(|line| name_of(line).is_none_or(|name| !env.contains_key(&name)));
        lines.extend(env.iter().map(|(name, value)| json!(format!("{name}={value}"))));
    }
    Ok(())
}

/// The member `key` as an object, made when it is missing or null.
fn object<'a>(parent: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    let member = parent.entry(key).or_insert(Value::Null);
    if member.is_null() {
        *member = json!({});
    }
    member.as_object_mut()
}

fn finish(
    store: &dyn ImageStore,
    name: &str,
    mut manifest: Value,
    config: &Value,
    config_type: &str,
    media_type: &str,
) -> Result<String, Error> {
    let bytes = canonical(config);
    let digest = store.put_blob(name, &bytes)?;
    manifest["config"] = json!({"mediaType": config_type, "digest": digest, "size": bytes.len()});
    Ok(store
        .put_manifest(name, media_type, &canonical(&manifest))?
        .digest)
}

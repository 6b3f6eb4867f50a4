//! Images: build, append, inspect, unpack, copy.
//!
//! `reference` is `name:tag` or `name@sha256:<hex>`; a layout also takes a bare `sha256:<hex>`.
//! An index (several platforms) is resolved to this machine's platform.

mod append;
mod extract;
mod layers;
mod path;
mod read;
mod unpack;

pub use append::{Changes, append_layer, build_base};
pub use read::read_file;
pub use unpack::unpack;

use crate::{Descriptor, Error, ImageStore, reference::Reference};
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Docker's older twin of the manifest, still what many registries hold.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// How an image's process is started: the `config` object of an image configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// `uid:gid` or a name; empty means root.
    pub user: String,
    /// Empty means `/`.
    pub working_dir: String,
    /// Program and first arguments.
    pub entrypoint: Vec<String>,
    /// Further arguments, which a manifest's `args` replace.
    pub cmd: Vec<String>,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// How the image's process is started, and its labels.
///
/// # Errors
/// `NotFound`, `Malformed`, or the store's failure.
pub fn config(store: &dyn ImageStore, reference: &str) -> Result<ImageConfig, Error> {
    let image = Image::load(store, reference)?;
    let config = &image.config["config"];
    let text = |key: &str| config[key].as_str().unwrap_or_default().to_owned();
    let list = |key: &str| -> Vec<String> {
        let values = config[key].as_array().into_iter().flatten();
        values
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect()
    };
    let variable = |line: String| match line.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (line, String::new()),
    };
    let labels = config["Labels"].as_object().into_iter().flatten();
    Ok(ImageConfig {
        user: text("User"),
        working_dir: text("WorkingDir"),
        entrypoint: list("Entrypoint"),
        cmd: list("Cmd"),
        env: list("Env").into_iter().map(variable).collect(),
        labels: labels
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
    })
}

/// Copies an image between stores under the name `name`, without a tag; returns its digest.
///
/// # Errors
/// Either store's failure.
pub fn copy(
    from: &dyn ImageStore,
    reference: &str,
    to: &dyn ImageStore,
    name: &str,
) -> Result<String, Error> {
    let image = Image::load(from, reference)?;
    let blobs = image.layers()?.into_iter().chain([image.config_descriptor()?]);
    for blob in blobs {
        if !to.has_blob(name, &blob.digest)? {
            to.put_blob(name, &from.blob(&image.name, &blob.digest)?)?;
        }
    }
    Ok(to.put_manifest(name, &image.media_type, &image.bytes)?.digest)
}

/// An image's documents, kept as they were read so that unknown fields survive.
pub(crate) struct Image {
    pub name: String,
    pub media_type: String,
    pub digest: String,
    pub bytes: Vec<u8>,
    pub manifest: Value,
    pub config: Value,
}

impl Image {
    pub fn load(store: &dyn ImageStore, reference: &str) -> Result<Self, Error> {
        let name = Reference::parse(reference)?.name;
        let mut descriptor = store.resolve(reference)?;
        let mut bytes = store.manifest(&name, &descriptor.digest)?;
        let mut manifest = parse("manifest", &descriptor.digest, &bytes)?;
        if let Some(entries) = manifest["manifests"].as_array() {
            descriptor = this_platform(entries, reference)?;
            bytes = store.manifest(&name, &descriptor.digest)?;
            manifest = parse("manifest", &descriptor.digest, &bytes)?;
        }
        let mut image = Self {
            name,
            media_type: manifest["mediaType"].as_str().unwrap_or(MANIFEST).to_owned(),
            digest: descriptor.digest,
            bytes,
            manifest,
            config: Value::Null,
        };
        let digest = image.config_descriptor()?.digest;
        image.config = parse("configuration", &digest, &store.blob(&image.name, &digest)?)?;
        Ok(image)
    }

    pub fn config_descriptor(&self) -> Result<Descriptor, Error> {
        self.descriptor(&self.manifest["config"])
    }

    pub fn layers(&self) -> Result<Vec<Descriptor>, Error> {
        let Some(layers) = self.manifest["layers"].as_array() else {
            return Err(Error::malformed(
                format!("manifest {}", self.digest),
                "layers is not a list",
            ));
        };
        layers.iter().map(|layer| self.descriptor(layer)).collect()
    }

    /// Digests of the layers' tars, as many as there are layers.
    pub fn diff_ids(&self) -> Result<Vec<String>, Error> {
        let ids = self.config["rootfs"]["diff_ids"].as_array().into_iter().flatten();
        let ids: Vec<_> = ids.filter_map(|id| id.as_str().map(str::to_owned)).collect();
        let layers = self.layers()?.len();
        if ids.len() != layers {
            let reason = format!("rootfs.diff_ids has {} digests, expected {layers}", ids.len());
            return Err(Error::malformed(
                format!("configuration of {}", self.digest),
                reason,
            ));
        }
        Ok(ids)
    }

    fn descriptor(&self, value: &Value) -> Result<Descriptor, Error> {
        serde_json::from_value(value.clone())
            .map_err(|error| Error::malformed(format!("manifest {}", self.digest), error))
    }
}

fn parse(what: &str, digest: &str, bytes: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::malformed(format!("{what} {digest}"), error))
}

/// Go's name of the processor this program was built for.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn this_platform(entries: &[Value], reference: &str) -> Result<Descriptor, Error> {
    let fits = |entry: &&Value| {
        let platform = &entry["platform"];
        platform["os"] == "linux" && platform["architecture"] == architecture()
    };
    let entry = entries.iter().find(fits).ok_or_else(|| {
        Error::malformed(
            format!("index {reference}"),
            format!("no image for linux/{}", architecture()),
        )
    })?;
    serde_json::from_value(entry.clone()).map_err(|e| Error::malformed(format!("index {reference}"), e))
}

/// JSON with sorted members whatever feature flags serde_json was built with: same value, same digest.
pub(crate) fn canonical(value: &Value) -> Vec<u8> {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Object(members) => {
                let sorted: BTreeMap<_, _> = members.iter().collect();
                out.push('{');
                for (at, (name, member)) in sorted.into_iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    out.push_str(&Value::from(name.as_str()).to_string());
                    out.push(':');
                    write(member, out);
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    write(item, out);
                }
                out.push(']');
            }
            scalar => out.push_str(&scalar.to_string()),
        }
    }
    let mut out = String::new();
    write(value, &mut out);
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn canonical_sorts_and_reads_back() {
        let value = json!({"b": [1, {"z": "\u{1}\"é", "a": null}], "a": 1.5});
        let text = canonical(&value);
        assert_eq!(
            String::from_utf8(text.clone()).unwrap(),
            "{\"a\":1.5,\"b\":[1,{\"a\":null,\"z\":\"\\u0001\\\"é\"}]}"
        );
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), value);
    }
}

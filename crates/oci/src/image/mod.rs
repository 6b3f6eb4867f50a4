//! Images: build, append, inspect, unpack, copy. `reference` is `name:tag` or `name@sha256:<hex>`;
//! a layout also takes a bare `sha256:<hex>`.

use crate::{Error, ImageStore, LayerFiles};
use std::{collections::BTreeMap, path::Path};

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

/// What `append_layer` changes besides the layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
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
    _store: &dyn ImageStore,
    _name: &str,
    _layers: &[LayerFiles],
    _config: &ImageConfig,
) -> Result<String, Error> {
    todo!()
}

/// Stores the image `base` with one layer more, under the same name, and returns the digest of
/// the new manifest; no tag is set. What this crate does not know of the base's configuration survives.
///
/// # Errors
/// `NotFound` for the base, or the store's failure.
pub fn append_layer(
    _store: &dyn ImageStore,
    _base: &str,
    _layer: &LayerFiles,
    _changes: &Changes,
) -> Result<String, Error> {
    todo!()
}

/// How the image's process is started, and its labels.
///
/// # Errors
/// `NotFound`, `Malformed`, or the store's failure.
pub fn config(_store: &dyn ImageStore, _reference: &str) -> Result<ImageConfig, Error> {
    todo!()
}

/// One regular file of the image by path (`model/manifest.json`), `None` when it has no such file.
///
/// # Errors
/// `NotFound` for the image, `Malformed`, `TooLarge`, or the store's failure.
pub fn read_file(_store: &dyn ImageStore, _reference: &str, _path: &str) -> Result<Option<Vec<u8>>, Error> {
    todo!()
}

/// Unpacks the image into `directory`, which appears whole or not at all; does nothing when it is
/// there already. Returns whether it was unpacked now.
///
/// # Errors
/// `Entry` for what must not be unpacked, `Digest`, `TooLarge`, `Io`, or the store's failure.
pub fn unpack(_store: &dyn ImageStore, _reference: &str, _directory: &Path) -> Result<bool, Error> {
    todo!()
}

/// Copies an image between stores under the name `name`, without a tag; returns its digest.
///
/// # Errors
/// Either store's failure.
pub fn copy(
    _from: &dyn ImageStore,
    _reference: &str,
    _to: &dyn ImageStore,
    _name: &str,
) -> Result<String, Error> {
    todo!()
}

//! An image's files as a folder: beside its place first, then renamed, so that it is whole or absent.

use super::{
    Image,
    extract::Extractor,
    layers::{LIMITS, Limits, Metered, decompress},
};
use crate::{
    Error, ImageStore,
    files::{folder_aside, sweep, sync_parent},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tar::Archive;

/// Unpacks the image into `directory`, which appears whole or not at all; does nothing when it is
/// there already (so give each digest a folder of its own). Files belong to the caller, whatever
/// owner the layers name. Returns whether it was unpacked now.
///
/// # Errors
/// `Entry` for what must not be unpacked, `Digest`, `TooLarge`, `Io`, or the store's failure.
pub fn unpack(store: &dyn ImageStore, reference: &str, directory: &Path) -> Result<bool, Error> {
    unpack_within(store, reference, directory, LIMITS)
}

fn unpack_within(
    store: &dyn ImageStore,
    reference: &str,
    directory: &Path,
    limits: Limits,
) -> Result<bool, Error> {
    let directory = std::path::absolute(directory).map_err(Error::io("resolve", directory))?;
    if is_folder(&directory)? {
        return Ok(false);
    }
    let parent = directory
        .parent()
        .map_or_else(|| PathBuf::from("/"), Path::to_owned);
    fs::create_dir_all(&parent).map_err(Error::io("make folder", &parent))?;
    sweep(&parent);
    let image = Image::load(store, reference)?;
    let aside = folder_aside(&parent)?;
    let mut extractor = Extractor::new(aside.path(), limits.entries);
    let mut left = limits.bytes;
    for (layer, diff_id) in image.layers()?.iter().zip(image.diff_ids()?) {
        let bytes = store.blob(&image.name, &layer.digest)?;
        let damaged = |error| Error::malformed(format!("layer {}", layer.digest), error);
        let mut archive = Archive::new(Metered::new(decompress(layer, &bytes)?, left));
        let extracted = archive
            .entries()
            .map_err(damaged)
            .and_then(|entries| extractor.layer(entries, damaged));
        let metered = archive.into_inner();
        if metered.exceeded() {
            return Err(Error::TooLarge {
                what: format!("image {reference} unpacked"),
                limit: limits.bytes,
                unit: "bytes",
            });
        }
        extracted?;
        let (actual, rest) = metered.finish().map_err(damaged)?;
        left = rest;
        if actual != diff_id {
            return Err(Error::Digest {
                what: format!("tar of layer {}", layer.digest),
                expected: diff_id,
                actual,
            });
        }
    }
    extractor.finish()?;
    match fs::rename(aside.path(), &directory) {
        // The folder has moved: nothing is left for its guard to remove.
        Ok(()) => drop(aside.keep()),
        // Another process was faster; its folder is as good as ours.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && is_folder(&directory)? => {
            return Ok(false);
        }
        Err(error) => return Err(Error::io("rename to", directory)(error)),
    }
    sync_parent(&directory)?;
    Ok(true)
}

/// `false` when nothing is there; anything but a folder is an error.
fn is_folder(path: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => Ok(true),
        Ok(_) => Err(Error::io("unpack into", path)(
            io::ErrorKind::NotADirectory.into(),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}

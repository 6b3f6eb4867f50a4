//! Files of a model directory: bounded reads, digests, the drift reference.

use super::LoadError;
use crate::monitor::Training;
use contract::{Manifest, manifest::FORMAT, sha256_hex};
use drift::{Reference, npy};
use std::{
    io::{ErrorKind, Read},
    path::{Component, Path},
};

/// Largest manifest; golden rows and thousands of feature names fit many times.
pub const MANIFEST_MOST: u64 = 16 << 20;
/// Largest drift reference; 10,000 rows of 800 features.
const REFERENCE_MOST: u64 = 64 << 20;

/// The whole file, or an error that names it.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, LoadError> {
    let failed = |cause| LoadError::Read {
        path: path.to_owned(),
        cause,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > most {
        return Err(LoadError::TooLarge {
            path: path.to_owned(),
            bytes,
            most,
        });
    }
    let mut content = Vec::with_capacity(bytes as usize);
    // Bounded again: what is not a regular file states no length.
    file.take(most + 1).read_to_end(&mut content).map_err(failed)?;
    let bytes = content.len() as u64;
    if bytes > most {
        return Err(LoadError::TooLarge {
            path: path.to_owned(),
            bytes,
            most,
        });
    }
    Ok(content)
}

/// The same, `None` where there is no such file.
pub fn read_if_present(path: &Path, most: u64) -> Result<Option<Vec<u8>>, LoadError> {
    match read(path, most) {
        Err(LoadError::Read { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Parses a manifest; its format number is looked at first, so that one from a later version is
/// refused as such and not for a field that this version does not know.
pub fn manifest(path: &Path, bytes: &[u8]) -> Result<Manifest, LoadError> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: u32,
    }
    let failed = |cause| LoadError::Manifest {
        path: path.to_owned(),
        cause,
    };
    let head: Head = serde_json::from_slice(bytes).map_err(failed)?;
    if head.format != FORMAT {
        return Err(LoadError::Format {
            path: path.to_owned(),
            found: head.format,
            expected: FORMAT,
        });
    }
    serde_json::from_slice(bytes).map_err(failed)
}

/// The drift reference that the manifest names, checked against it.
pub fn training(directory: &Path, manifest: &Manifest) -> Result<Option<Training>, LoadError> {
    let Some(named) = &manifest.drift_reference else {
        return Ok(None);
    };
    let relative = Path::new(&named.path);
    if !relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        let problem = format!("is {:?}, expected a path inside the model directory", named.path);
        return Err(LoadError::Field {
            field: "drift_reference.path".to_owned(),
            problem,
        });
    }
    let path = directory.join(relative);
    let bytes = read(&path, REFERENCE_MOST)?;
    let found = sha256_hex(&bytes);
    if found != named.digest {
        return Err(LoadError::Digest {
            path,
            found,
            expected: named.digest.clone(),
        });
    }
    let refused = |problem: String| LoadError::Reference {
        path: path.clone(),
        problem,
    };
    let matrix = npy::read(&bytes).map_err(|cause| refused(cause.to_string()))?;
    if matrix.columns != manifest.features.len() || matrix.rows as u64 != named.rows {
        let (rows, columns) = (named.rows, manifest.features.len());
        let (found_rows, found_columns) = (matrix.rows, matrix.columns);
        return Err(refused(format!(
            "has shape {found_rows} × {found_columns}, the manifest says {rows} × {columns}"
        )));
    }
    let names = manifest
        .features
        .iter()
        .map(|feature| feature.name.clone())
        .collect();
    let chain = |cause: drift::ReferenceError| match std::error::Error::source(&cause) {
        Some(source) => format!("{cause}: {source}"),
        None => cause.to_string(),
    };
    let classes = (manifest.classes.len(), named.predictions.len());
    if classes.1 != 0 && classes.0 != classes.1 {
        let (found, expected) = (classes.1, classes.0);
        return Err(LoadError::Field {
            field: "drift_reference.predictions".to_owned(),
            problem: format!("has {found} counts, expected one for each of {expected} classes"),
        });
    }
    let reference = Reference::from_matrix(names, &matrix).map_err(|cause| refused(chain(cause)))?;
    let training = Training::new(manifest, &matrix, reference);
    training.map(Some).map_err(|cause| refused(cause.to_string()))
}

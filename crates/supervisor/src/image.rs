//! From an image reference to a folder that can be run: resolved to a digest, verified, unpacked.

use oci::image::ImageConfig;
use std::path::{Path, PathBuf};

/// An image that can be run.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// `name@sha256:<hex>`.
    pub image: String,
    /// Its root folder.
    pub root: PathBuf,
    /// How its process is started.
    pub config: ImageConfig,
}

/// Why it cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Neither tag nor digest.
    #[error("image {0:?} has neither a tag nor a digest")]
    Unversioned(String),
    /// The store's refusal.
    #[error("image {image} cannot be made ready")]
    Store {
        /// The reference.
        image: String,
        /// The store's answer.
        source: oci::Error,
    },
}

/// Resolves and unpacks `image`; both are quick when it was done before. Blocks.
///
/// # Errors
/// See [`ImageError`].
pub fn prepare(image: &str, state: &Path) -> Result<Prepared, ImageError> {
    let reference = Reference::parse(image)?;
    let failed = |source| ImageError::Store {
        image: image.to_owned(),
        source,
    };
    let store = match reference.registry {
        Some(registry) => oci::open_store(registry),
        None => oci::open_store(&format!("oci-layout:{}", state.join("images").display())),
    }
    .map_err(failed)?;
    let digest = store.resolve(&reference.within_store()).map_err(failed)?.digest;
    let by_digest = format!("{}@{digest}", reference.name);
    let root = unpacked(state, &digest);
    oci::image::unpack(&*store, &by_digest, &root).map_err(failed)?;
    let config = oci::image::config(&*store, &by_digest).map_err(failed)?;
    let registry = reference
        .registry
        .map_or(String::new(), |registry| format!("{registry}/"));
    Ok(Prepared {
        image: format!("{registry}{by_digest}"),
        root,
        config,
    })
}

/// The content-addressed folder of an image.
fn unpacked(state: &Path, digest: &str) -> PathBuf {
    state.join("unpacked").join(digest.trim_start_matches("sha256:"))
}

/// Removes unpacked images: all but those `used` (digests) and the newest `spare` others, which
/// make a revert quick.
pub fn sweep(state: &Path, used: &[String], spare: usize) {
    let mut others: Vec<_> = std::fs::read_dir(state.join("unpacked"))
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let whole = name.len() == 64 && !used.iter().any(|digest| digest.ends_with(&name));
            whole.then_some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    others.sort();
    let surplus = others.len().saturating_sub(spare);
    for (_, path) in others.into_iter().take(surplus) {
        let _ = std::fs::remove_dir_all(path);
    }
}

struct Reference<'a> {
    /// `host[:port][/path]` where the first part is a host, as in every container runtime.
    registry: Option<&'a str>,
    name: &'a str,
    version: &'a str,
}

impl<'a> Reference<'a> {
    fn parse(image: &'a str) -> Result<Self, ImageError> {
        let unversioned = || ImageError::Unversioned(image.to_owned());
        let (registry, rest) = match image.rsplit_once('/') {
            Some((registry, rest)) if is_host(registry.split('/').next().unwrap_or("")) => {
                (Some(registry), rest)
            }
            _ => (None, image),
        };
        // `name:tag@sha256:…` is allowed, and the digest wins.
        let (name, version) = match rest.split_once('@') {
            Some((tagged, digest)) => {
                let name = tagged.split_once(':').map_or(tagged, |(name, _)| name);
                (name, &rest[rest.len() - digest.len() - 1..])
            }
            None => {
                let at = rest.rfind(':').ok_or_else(unversioned)?;
                (&rest[..at], &rest[at..])
            }
        };
        if name.is_empty() || version.len() < 2 {
            return Err(unversioned());
        }
        Ok(Reference {
            registry,
            name,
            version,
        })
    }

    fn within_store(&self) -> String {
        format!("{}{}", self.name, self.version)
    }
}

fn is_host(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for (image, expected) in [
            ("inference-api:base", (None, "inference-api:base")),
            ("inference-api@sha256:ab", (None, "inference-api@sha256:ab")),
            ("inference-api:m1@sha256:ab", (None, "inference-api@sha256:ab")),
            ("team/api:x", (None, "team/api:x")),
            (
                "localhost:5000/api@sha256:ab",
                (Some("localhost:5000"), "api@sha256:ab"),
            ),
            ("ghcr.io/a/b:v1", (Some("ghcr.io/a"), "b:v1")),
        ] {
            let parsed = Reference::parse(image).unwrap();
            assert_eq!(
                (parsed.registry, parsed.within_store().as_str()),
                expected,
                "{image}"
            );
        }
        for image in ["", "inference-api", "localhost:5000/api", ":x", "a:"] {
            assert!(Reference::parse(image).is_err(), "{image:?}");
        }
    }

    #[test]
    fn sweeping_keeps_the_used_and_the_newest() {
        let state = tempfile::tempdir().unwrap();
        let digest = |n: u8| format!("{n:064x}");
        for age in 0..5u8 {
            let path = unpacked(state.path(), &digest(age));
            std::fs::create_dir_all(&path).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(age));
            std::fs::File::open(&path).unwrap().set_modified(time).unwrap();
        }
        sweep(state.path(), &[format!("sha256:{}", digest(0))], 2);
        let mut left: Vec<u8> = (0..5)
            .filter(|n| unpacked(state.path(), &digest(*n)).exists())
            .collect();
        left.sort_unstable();
        assert_eq!(left, [0, 3, 4]);
    }
}

//! What is live, as Git and the image say it: works with MLflow and the API down.

use crate::cli::GitFlags;
use crate::failure::{Failure, Result};
use contract::Manifest;
use contract::names::{self, exit};
use gitops::{Release, Repo};
use oci::ImageStore;
use std::path::Path;
use std::time::Duration;

/// The model that the release file names.
pub struct Live {
    /// The release.
    pub release: Release,
    /// Its manifest.
    pub manifest: Manifest,
    /// The model itself.
    pub model: onnx::Model,
}

/// Opens the repository; `work` keeps the cache of a remote one.
///
/// # Errors
/// Exit code GIT.
pub fn repository(flags: &GitFlags, work: &Path) -> Result<Repo> {
    let waiting = |error: &gitops::Error| eprintln!("trainer: {error}; trying again");
    let deadline = Duration::from_secs(flags.git_deadline);
    let cache = flags.git_cache.clone();
    let cache = cache.unwrap_or_else(|| work.join("git-cache"));
    Ok(Repo::open(&flags.git_url, &cache)?.patient(deadline, waiting))
}

/// Reads manifest and model out of the release's image and checks them against the release.
///
/// # Errors
/// Exit code IMAGE when the image cannot be read or is not what the release says.
pub fn read(release: Release, store: &dyn ImageStore) -> Result<Live> {
    let reference = format!("{}@{}", release.image, release.digest);
    let file = |name: &str| -> Result<Vec<u8>> {
        let path = format!("{}/{name}", names::MODEL_DIR_IN_IMAGE);
        let found = oci::image::read_file(store, &reference, &path)
            .map_err(|e| Failure::from(e).during(format!("cannot read the live model from {reference}")))?;
        found.ok_or_else(|| wrong(&reference, &format!("it has no file {path}")))
    };
    let bytes = file(names::MODEL_FILE)?;
    let digest = contract::sha256_hex(&bytes);
    if digest != release.model_digest {
        let text = format!("its model is {digest}, the release says {}", release.model_digest);
        return Err(wrong(&reference, &text));
    }
    let manifest = serde_json::from_slice(&file(names::MANIFEST_FILE)?)
        .map_err(|e| wrong(&reference, &format!("its manifest cannot be read: {e}")))?;
    let model = onnx::Model::read(&bytes)
        .map_err(|e| wrong(&reference, &format!("its model cannot be read: {e}")))?;
    Ok(Live {
        release,
        manifest,
        model,
    })
}

fn wrong(reference: &str, text: &str) -> Failure {
    Failure::new(
        exit::IMAGE,
        format!("the live image {reference} is not a release of ours: {text}"),
    )
}

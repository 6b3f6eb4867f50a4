//! Where images live: one trait over a layout on disk and a registry.

use crate::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Points at a blob (image-spec 1.1, descriptor). Fields this crate does not know survive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob holds.
    pub media_type: String,
    /// `sha256:<hex>`.
    pub digest: String,
    /// Length in bytes.
    pub size: u64,
    /// Annotations, platform and whatever else was there.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A place of images, addressed by references `name:tag`, `name@sha256:<hex>`, and, where the
/// store has one namespace for all blobs (a layout), a bare `sha256:<hex>`.
///
/// `name` is the image's name within the store (`inference-api`); a registry keeps blobs by name.
pub trait ImageStore: Send + Sync {
    /// Where it is, for people; never holds credentials.
    fn address(&self) -> String;

    /// How a manifest names an image of this store: `inference-api`, or `host:5000/path/inference-api`.
    fn image_name(&self, name: &str) -> String;

    /// The manifest that a reference names, `None` when there is none.
    ///
    /// # Errors
    /// A reference that cannot be read, or the store's failure.
    fn find(&self, reference: &str) -> Result<Option<Descriptor>, Error>;

    /// Bytes of a manifest or index, digest verified.
    ///
    /// # Errors
    /// `NotFound`, `Digest`, or the store's failure.
    fn manifest(&self, name: &str, digest: &str) -> Result<Vec<u8>, Error>;

    /// Bytes of a blob, digest verified.
    ///
    /// # Errors
    /// `NotFound`, `Digest`, or the store's failure.
    fn blob(&self, name: &str, digest: &str) -> Result<Vec<u8>, Error>;

    /// Whether the blob is there.
    ///
    /// # Errors
    /// The store's failure.
    fn has_blob(&self, name: &str, digest: &str) -> Result<bool, Error>;

    /// Stores a blob and returns its digest; storing it again is cheap.
    ///
    /// # Errors
    /// The store's failure; nothing half-written is ever visible.
    fn put_blob(&self, name: &str, bytes: &[u8]) -> Result<String, Error>;

    /// Stores a manifest by its digest, without a tag.
    ///
    /// # Errors
    /// As `put_blob`.
    fn put_manifest(&self, name: &str, media_type: &str, bytes: &[u8]) -> Result<Descriptor, Error>;

    /// Makes `name:tag` name a manifest that is already stored. A tag that names another digest
    /// stays where it is unless `replace`; returns whether anything changed.
    ///
    /// # Errors
    /// `TagTaken`, `NotFound`, or the store's failure.
    fn tag(&self, reference: &str, digest: &str, replace: bool) -> Result<bool, Error>;

    /// As `find`, absence being an error.
    ///
    /// # Errors
    /// `NotFound`, and those of `find`.
    fn resolve(&self, reference: &str) -> Result<Descriptor, Error> {
        self.find(reference)?.ok_or_else(|| Error::NotFound {
            what: format!("image {reference}"),
            place: self.address(),
        })
    }
}

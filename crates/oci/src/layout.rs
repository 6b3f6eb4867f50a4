//! An OCI image layout on disk.

use crate::{Descriptor, Error, ImageStore};
use std::path::{Path, PathBuf};

/// An image layout folder (`oci-layout`, `index.json`, `blobs/sha256/…`), shared between processes.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Opens the layout at `root`, making an empty one when there is none.
    ///
    /// # Errors
    /// `Io` naming the path, `Malformed` when the folder holds something else.
    pub fn open_or_create(root: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self {
            root: root.as_ref().to_path_buf(),
        })
    }

    /// Every tag (`name:tag`) with what it names, in the index's order.
    ///
    /// # Errors
    /// `Io` or `Malformed`.
    pub fn tags(&self) -> Result<Vec<(String, Descriptor)>, Error> {
        todo!()
    }
}

impl ImageStore for Layout {
    fn address(&self) -> String {
        format!("oci-layout:{}", self.root.display())
    }
    fn image_name(&self, name: &str) -> String {
        name.to_owned()
    }
    fn find(&self, _reference: &str) -> Result<Option<Descriptor>, Error> {
        todo!()
    }
    fn manifest(&self, _name: &str, _digest: &str) -> Result<Vec<u8>, Error> {
        todo!()
    }
    fn blob(&self, _name: &str, _digest: &str) -> Result<Vec<u8>, Error> {
        todo!()
    }
    fn has_blob(&self, _name: &str, _digest: &str) -> Result<bool, Error> {
        todo!()
    }
    fn put_blob(&self, _name: &str, _bytes: &[u8]) -> Result<String, Error> {
        todo!()
    }
    fn put_manifest(&self, _name: &str, _media_type: &str, _bytes: &[u8]) -> Result<Descriptor, Error> {
        todo!()
    }
    fn tag(&self, _reference: &str, _digest: &str, _replace: bool) -> Result<bool, Error> {
        todo!()
    }
}

//! One layer: files in, deterministic gzipped tar out.

use crate::Error;

/// The files of a layer. Parent folders are implied (0755, root).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerFiles {
    entries: (),
}

/// A finished layer: same files, same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The gzipped tar.
    pub bytes: Vec<u8>,
    /// `sha256:<hex>` of `bytes`.
    pub digest: String,
    /// `sha256:<hex>` of the tar before compression.
    pub diff_id: String,
}

impl LayerFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file owned by root with permission bits `mode` (at most 0o777).
    ///
    /// # Errors
    /// `Entry` for a path that is absolute, empty, climbs, or is there already as something else.
    pub fn file(self, _path: &str, _mode: u32, _content: impl Into<Vec<u8>>) -> Result<Self, Error> {
        todo!()
    }

    /// Adds a folder (permission bits at most 0o1777).
    ///
    /// # Errors
    /// As `file`.
    pub fn directory(self, _path: &str, _mode: u32) -> Result<Self, Error> {
        todo!()
    }

    /// Makes the whole tree belong to `uid:gid` instead of root.
    pub fn owned_by(self, _uid: u64, _gid: u64) -> Self {
        todo!()
    }

    /// Packs them.
    pub fn pack(&self) -> Layer {
        todo!()
    }
}

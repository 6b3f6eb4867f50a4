//! What can go wrong with images. Variants name the operation; the cause is the source.

use std::{io, path::PathBuf};

/// Why an image could not be read, built or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused: read-only folder, full disk, missing file.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// Verb of what was attempted.
        action: &'static str,
        /// File or folder it was attempted on.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Nothing of that name or digest is there.
    #[error("no {what} in {place}")]
    NotFound {
        /// Reference or digest that was looked for.
        what: String,
        /// Address of the store.
        place: String,
    },
    /// Bytes do not have the digest they go by.
    #[error("{what} is damaged: expected {expected}, found {actual}")]
    Digest {
        /// Blob, layer or manifest.
        what: String,
        /// Digest it goes by.
        expected: String,
        /// Digest of the bytes.
        actual: String,
    },
    /// The tag names another image, and tags are never moved.
    #[error("tag {reference} already names {existing}; not moved to {wanted}")]
    TagTaken {
        /// `name:tag`.
        reference: String,
        /// Digest it names now.
        existing: String,
        /// Digest that was to be tagged.
        wanted: String,
    },
    /// Not a reference or store address this crate understands.
    #[error("{text:?} is not {expected}")]
    Text {
        /// What was given.
        text: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A document is not what the image specification says.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// Which document.
        what: String,
        /// Field and value.
        reason: String,
    },
    /// A layer holds an entry that must not be unpacked.
    #[error("layer entry {path:?} refused: {reason}")]
    Entry {
        /// Path inside the layer.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// Larger than this crate will read.
    #[error("{what} exceeds the limit of {limit} {unit}")]
    TooLarge {
        /// What was read.
        what: String,
        /// The bound.
        limit: u64,
        /// `bytes` or `entries`.
        unit: &'static str,
    },
    /// Another process kept the layout's lock for too long.
    #[error("{} was locked by another process for {seconds} s", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long this process waited.
        seconds: u64,
    },
    /// A registry refused or could not be reached.
    #[error("cannot {action} at registry {registry}: {reason}")]
    Registry {
        /// Verb and object of what was attempted.
        action: String,
        /// Host and port.
        registry: String,
        /// The registry's or the network's answer; never holds credentials.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn malformed(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Malformed {
            what: what.into(),
            reason: reason.to_string(),
        }
    }
}

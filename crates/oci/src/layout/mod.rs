//! An OCI image layout on disk.

mod index;

use crate::{
    Descriptor, Error, ImageStore,
    files::{sweep, write_whole},
    reference::{Pointer, Reference},
};
use contract::{digest::is_digest, sha256_hex};
use index::Index;
use serde_json::{Map, Value, json};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Larger blobs are refused rather than read into memory.
const BLOB_LIMIT: u64 = 2 << 30;
const LOCK_DEADLINE: Duration = Duration::from_secs(30);
const LOCK_POLL: Duration = Duration::from_millis(5);

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
        let root = std::path::absolute(root.as_ref()).map_err(Error::io("resolve", root.as_ref()))?;
        let layout = Self { root };
        let marker = layout.root.join("oci-layout");
        match fs::read(&marker) {
            Ok(bytes) => check_version(&marker, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => layout.create(&marker)?,
            Err(error) => return Err(Error::io("read", marker)(error)),
        }
        sweep(&layout.root);
        Ok(layout)
    }

    /// Every tag (`name:tag`) with what it names, in the index's order.
    ///
    /// # Errors
    /// `Io` or `Malformed`.
    pub fn tags(&self) -> Result<Vec<(String, Descriptor)>, Error> {
        Index::read(&self.root)?.tags()
    }

    /// The marker comes last: without it the folder is unfinished and the next caller finishes it.
    fn create(&self, marker: &Path) -> Result<(), Error> {
        if let Ok(entries) = fs::read_dir(&self.root) {
            let foreign = entries.flatten().map(|entry| entry.file_name()).find(|name| {
                let name = name.to_string_lossy();
                !(name.starts_with('.') || name == "blobs" || name == "index.json")
            });
            if let Some(name) = foreign {
                let reason = format!("it holds {name:?} and no oci-layout file");
                return Err(Error::malformed(self.address(), reason));
            }
        }
        let blobs = self.root.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(Error::io("make folder", blobs))?;
        let _lock = self.lock()?;
        if !self.root.join("index.json").exists() {
            Index::empty().write(&self.root)?;
        }
        write_whole(
            &self.root,
            marker,
            json!({"imageLayoutVersion": "1.0.0"}).to_string().as_bytes(),
        )
    }

    /// Held until dropped; the kernel lets go of it when the process dies.
    fn lock(&self) -> Result<File, Error> {
        let path = self.root.join(".lock");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
                Err(TryLockError::WouldBlock) if start.elapsed() >= LOCK_DEADLINE => {
                    return Err(Error::Locked {
                        path,
                        seconds: LOCK_DEADLINE.as_secs(),
                    });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_POLL),
            }
        }
    }

    fn blob_path(&self, digest: &str) -> Result<PathBuf, Error> {
        if !is_digest(digest) {
            return Err(Error::Text {
                text: digest.to_owned(),
                expected: "sha256:<64 hex digits>",
            });
        }
        Ok(self.root.join("blobs/sha256").join(&digest["sha256:".len()..]))
    }

    fn read_blob(&self, digest: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.blob_path(digest)?;
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(BLOB_LIMIT + 1)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", &path))?;
        if bytes.len() as u64 > BLOB_LIMIT {
            return Err(Error::TooLarge {
                what: format!("blob {digest}"),
                limit: BLOB_LIMIT,
                unit: "bytes",
            });
        }
        let actual = sha256_hex(&bytes);
        if actual != digest {
            return Err(Error::Digest {
                what: path.display().to_string(),
                expected: digest.to_owned(),
                actual,
            });
        }
        Ok(Some(bytes))
    }

    /// The descriptor of a stored manifest, `None` when there is no such blob.
    fn describe(&self, digest: &str) -> Result<Option<Descriptor>, Error> {
        let Some(bytes) = self.read_blob(digest)? else {
            return Ok(None);
        };
        let document: Value =
            serde_json::from_slice(&bytes).map_err(|e| Error::malformed(format!("manifest {digest}"), e))?;
        let media_type = match document["mediaType"].as_str() {
            Some(text) => text,
            None if document["manifests"].is_array() => crate::image::INDEX,
            None => crate::image::MANIFEST,
        };
        Ok(Some(Descriptor {
            media_type: media_type.to_owned(),
            digest: digest.to_owned(),
            size: bytes.len() as u64,
            other: Map::new(),
        }))
    }

    fn absent(&self, what: String) -> Error {
        Error::NotFound {
            what,
            place: self.address(),
        }
    }
}

impl ImageStore for Layout {
    fn address(&self) -> String {
        format!("oci-layout:{}", self.root.display())
    }

    fn image_name(&self, name: &str) -> String {
        name.to_owned()
    }

    fn find(&self, reference: &str) -> Result<Option<Descriptor>, Error> {
        match Reference::parse(reference)?.pointer {
            Pointer::Digest(digest) => self.describe(&digest),
            Pointer::Tag(_) => Index::read(&self.root)?.find(reference),
        }
    }

    fn manifest(&self, name: &str, digest: &str) -> Result<Vec<u8>, Error> {
        self.blob(name, digest)
    }

    fn blob(&self, _name: &str, digest: &str) -> Result<Vec<u8>, Error> {
        self.read_blob(digest)?
            .ok_or_else(|| self.absent(format!("blob {digest}")))
    }

    fn has_blob(&self, _name: &str, digest: &str) -> Result<bool, Error> {
        let path = self.blob_path(digest)?;
        path.try_exists().map_err(Error::io("look for", path))
    }

    fn put_blob(&self, _name: &str, bytes: &[u8]) -> Result<String, Error> {
        let digest = sha256_hex(bytes);
        // A damaged blob is written again; a good one is left alone.
        let stored = match self.read_blob(&digest) {
            Ok(found) => found.is_some(),
            Err(Error::Digest { .. }) => false,
            Err(error) => return Err(error),
        };
        if !stored {
            write_whole(&self.root, &self.blob_path(&digest)?, bytes)?;
        }
        Ok(digest)
    }

    fn put_manifest(&self, name: &str, media_type: &str, bytes: &[u8]) -> Result<Descriptor, Error> {
        Ok(Descriptor {
            media_type: media_type.to_owned(),
            digest: self.put_blob(name, bytes)?,
            size: bytes.len() as u64,
            other: Map::new(),
        })
    }

    fn tag(&self, reference: &str, digest: &str, replace: bool) -> Result<bool, Error> {
        if !matches!(Reference::parse(reference)?.pointer, Pointer::Tag(_)) {
            return Err(Error::Text {
                text: reference.to_owned(),
                expected: "a tag name:tag",
            });
        }
        let descriptor = self
            .describe(digest)?
            .ok_or_else(|| self.absent(format!("manifest {digest}")))?;
        let _lock = self.lock()?;
        let mut index = Index::read(&self.root)?;
        let changed = index.set(reference, descriptor, replace)?;
        if changed {
            index.write(&self.root)?;
        }
        Ok(changed)
    }
}

fn check_version(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let what = || path.display().to_string();
    let marker: Value = serde_json::from_slice(bytes).map_err(|e| Error::malformed(what(), e))?;
    match marker["imageLayoutVersion"].as_str() {
        Some(version) if version.starts_with("1.") => Ok(()),
        _ => Err(Error::malformed(
            what(),
            format!("imageLayoutVersion in {marker}, expected 1.x"),
        )),
    }
}

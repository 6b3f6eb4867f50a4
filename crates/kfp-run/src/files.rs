//! Files and folders: whole writes, digests of trees, copies. Nothing here follows a link.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

/// Deepest folder of an artifact.
const DEPTH_MAX: usize = 64;
/// Files and folders of an artifact.
const ENTRIES_MAX: usize = 1_000_000;

/// Writes a file aside and renames it into its place, whole after a `kill -9`. One writer at a time.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, false)
}

/// The same, and on disk before it is in its place: whole after a power cut, too.
pub(crate) fn write_for_good(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, true)
}

fn put(path: &Path, bytes: &[u8], for_good: bool) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    if for_good {
        file.sync_data()?;
    }
    fs::rename(&aside, path)
}

/// A file with no more than `max` bytes; nothing where it has more.
pub(crate) fn bounded(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    let kind = fs::symlink_metadata(path)?.file_type();
    // A pipe would be waited for.
    if !kind.is_file() {
        return Err(io::Error::other("is no plain file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= max).then_some(bytes))
}

/// Whether it stays below where it is joined to.
pub(crate) fn is_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Removes a file or a folder with all that is in it, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// What an artifact is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    /// `sha256:<hex>` of a file's bytes; of a folder's names, kinds and digests.
    pub digest: String,
    /// Of all files.
    pub bytes: u64,
}

/// Why a tree cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("{0}: is a link or a device; expected files and folders alone")]
    NotPlain(PathBuf),
    #[error("{0}: has more than {1}")]
    TooLarge(PathBuf, String),
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
}

impl Tree {
    /// Reads a file or folder, if it is there.
    pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Option<Tree>, TreeError> {
        Walk::new(bytes_max).top(path, None)
    }

    /// Copies it and reads it in the same go, so that the digest is that of the copy.
    pub(crate) fn copy(from: &Path, to: &Path, bytes_max: u64) -> Result<Option<Tree>, TreeError> {
        Walk::new(bytes_max).top(from, Some(to))
    }
}

struct Walk {
    bytes: u64,
    bytes_max: u64,
    entries: usize,
    buffer: Vec<u8>,
}

impl Walk {
    fn new(bytes_max: u64) -> Self {
        Walk {
            bytes: 0,
            bytes_max,
            entries: 0,
            buffer: vec![0; 256 << 10],
        }
    }

    fn top(&mut self, path: &Path, to: Option<&Path>) -> Result<Option<Tree>, TreeError> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TreeError::Io(path.to_owned(), error)),
            Ok(_) => {}
        }
        let digest = self.entry(path, to, 0)?;
        Ok(Some(Tree {
            digest,
            bytes: self.bytes,
        }))
    }

    fn entry(&mut self, path: &Path, to: Option<&Path>, depth: usize) -> Result<String, TreeError> {
        let io = |error| TreeError::Io(path.to_owned(), error);
        self.entries += 1;
        if depth > DEPTH_MAX || self.entries > ENTRIES_MAX {
            let most = format!("{DEPTH_MAX} levels or {ENTRIES_MAX} entries");
            return Err(TreeError::TooLarge(path.to_owned(), most));
        }
        let kind = fs::symlink_metadata(path).map_err(io)?.file_type();
        if kind.is_file() {
            return self.file(path, to);
        }
        if !kind.is_dir() {
            return Err(TreeError::NotPlain(path.to_owned()));
        }
        if let Some(to) = to {
            fs::create_dir(to).map_err(io)?;
        }
        let mut names = fs::read_dir(path)
            .and_then(|entries| {
                entries
                    .map(|entry| Ok(entry?.file_name()))
                    .collect::<io::Result<Vec<_>>>()
            })
            .map_err(io)?;
        names.sort();
        let mut hash = Sha256::new_with_prefix(b"folder\0");
        for name in names {
            let to = to.map(|to| to.join(&name));
            let digest = self.entry(&path.join(&name), to.as_deref(), depth + 1)?;
            hash.update(name.as_encoded_bytes());
            hash.update(b"\0");
            hash.update(digest.as_bytes());
        }
        Ok(contract::digest::prefixed(&hash.finalize()))
    }

    fn file(&mut self, path: &Path, to: Option<&Path>) -> Result<String, TreeError> {
        let io = |error| TreeError::Io(path.to_owned(), error);
        let mut from = File::open(path).map_err(io)?;
        let mut to = match to {
            Some(to) => {
                let mode = from.metadata().map_err(io)?.permissions();
                let file = File::create_new(to).map_err(io)?;
                file.set_permissions(mode).map_err(io)?;
                Some(file)
            }
            None => None,
        };
        let mut hash = Sha256::new();
        loop {
            let read = from.read(&mut self.buffer).map_err(io)?;
            if read == 0 {
                return Ok(contract::digest::prefixed(&hash.finalize()));
            }
            self.bytes += read as u64;
            if self.bytes > self.bytes_max {
                let most = format!("{} bytes", self.bytes_max);
                return Err(TreeError::TooLarge(path.to_owned(), most));
            }
            hash.update(&self.buffer[..read]);
            if let Some(to) = &mut to {
                to.write_all(&self.buffer[..read]).map_err(io)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_the_same_tree() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("a/inner/empty")).unwrap();
        fs::write(at("a/inner/x"), b"one").unwrap();
        fs::write(at("a/y"), b"two").unwrap();
        let tree = Tree::read(&at("a"), 100).unwrap().unwrap();
        assert_eq!(tree.bytes, 6);
        assert_eq!(Tree::copy(&at("a"), &at("b"), 100).unwrap().unwrap(), tree);
        assert_eq!(Tree::read(&at("b"), 100).unwrap().unwrap(), tree);
        fs::write(at("b/y"), b"twp").unwrap();
        assert_ne!(Tree::read(&at("b"), 100).unwrap().unwrap().digest, tree.digest);
        fs::write(at("b/y"), b"two").unwrap();
        fs::rename(at("b/y"), at("b/z")).unwrap();
        assert_ne!(Tree::read(&at("b"), 100).unwrap().unwrap().digest, tree.digest);
        assert_eq!(Tree::read(&at("nowhere"), 100).unwrap(), None);
        let file = Tree::read(&at("a/y"), 100).unwrap().unwrap();
        assert_eq!(file.digest, contract::sha256_hex(b"two"));
    }

    #[test]
    fn links_and_sizes_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("a")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("a/link")).unwrap();
        std::os::unix::fs::symlink("a", at("to")).unwrap();
        for path in ["a", "to"] {
            let error = Tree::copy(&at(path), &at("copy"), 100).unwrap_err();
            assert!(matches!(error, TreeError::NotPlain(_)), "{error}");
        }
        fs::write(at("big"), [0; 101]).unwrap();
        let error = Tree::read(&at("big"), 100).unwrap_err();
        assert!(matches!(error, TreeError::TooLarge(..)), "{error}");
        assert_eq!(bounded(&at("big"), 100).unwrap(), None);
        assert!(bounded(&at("to"), 100).is_err());
        assert!(!is_inside(Path::new("../x")) && !is_inside(Path::new("/x")) && is_inside(Path::new("a/b")));
    }
}

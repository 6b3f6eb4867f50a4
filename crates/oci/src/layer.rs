//! One layer: files in, deterministic gzipped tar out.

use crate::Error;
use contract::sha256_hex;
use flate2::{Compression, GzBuilder};
use std::{collections::BTreeMap, io::Write};
use tar::{EntryType, Header};

/// The files of a layer. Parent folders are implied (0755).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerFiles {
    entries: BTreeMap<String, Entry>,
    uid: u64,
    gid: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    /// `None` is a folder.
    content: Option<Vec<u8>>,
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

    /// Adds a file with permission bits `mode` (at most 0o777).
    ///
    /// # Errors
    /// `Entry` for a path that is absolute, empty, climbs, or is there already.
    pub fn file(self, path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Result<Self, Error> {
        self.entry(path, mode, 0o777, Some(content.into()))
    }

    /// Adds a folder with permission bits `mode` (at most 0o1777).
    ///
    /// # Errors
    /// As `file`.
    pub fn directory(self, path: &str, mode: u32) -> Result<Self, Error> {
        self.entry(path, mode, 0o1777, None)
    }

    /// Makes the whole tree belong to `uid:gid` instead of root.
    pub fn owned_by(self, uid: u64, gid: u64) -> Self {
        Self { uid, gid, ..self }
    }

    fn entry(mut self, path: &str, mode: u32, bits: u32, content: Option<Vec<u8>>) -> Result<Self, Error> {
        let refused = |reason| Error::Entry {
            path: path.to_owned(),
            reason,
        };
        let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.starts_with(".wh.");
        if !path.split('/').all(plain) || path.contains('\0') {
            return Err(refused("expected a relative path of plain names"));
        }
        if mode & !bits != 0 {
            return Err(refused("mode has more than permission bits"));
        }
        for (at, _) in path.match_indices('/') {
            let parent = self.entries.entry(path[..at].to_owned()).or_insert(Entry {
                mode: 0o755,
                content: None,
            });
            if parent.content.is_some() {
                return Err(refused("its parent is a file"));
            }
        }
        match self.entries.get_mut(path) {
            None => {
                self.entries.insert(path.to_owned(), Entry { mode, content });
            }
            // An implied folder gets its mode when it is named.
            Some(there) if there.content.is_none() && content.is_none() => there.mode = mode,
            Some(_) => return Err(refused("it is there already")),
        }
        Ok(self)
    }

    /// Packs them: sorted by path, time 0, no user names, gzip header without name and time.
    pub fn pack(&self) -> Layer {
        // Writing to memory: the only errors left are of paths, which `entry` has checked.
        let tar = self.tar().expect("plain relative paths fit into a tar header");
        let mut gzip = GzBuilder::new()
            .mtime(0)
            .operating_system(255)
            .write(Vec::new(), Compression::new(6));
        gzip.write_all(&tar).expect("writing to memory");
        let bytes = gzip.finish().expect("writing to memory");
        Layer {
            digest: sha256_hex(&bytes),
            diff_id: sha256_hex(&tar),
            bytes,
        }
    }

    fn tar(&self) -> std::io::Result<Vec<u8>> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, entry) in &self.entries {
            let mut header = Header::new_ustar();
            header.set_mtime(0);
            header.set_uid(self.uid);
            header.set_gid(self.gid);
            header.set_mode(entry.mode);
            match &entry.content {
                Some(content) => {
                    header.set_entry_type(EntryType::Regular);
                    header.set_size(content.len() as u64);
                    builder.append_data(&mut header, path, content.as_slice())?;
                }
                None => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_size(0);
                    builder.append_data(&mut header, format!("{path}/"), std::io::empty())?;
                }
            }
        }
        builder.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_bad_paths_and_modes() {
        let with = |path: &str, mode| {
            LayerFiles::new()
                .file("a/b", 0o644, "x")
                .unwrap()
                .file(path, mode, "y")
        };
        for (path, mode) in [
            ("", 0o644),
            ("/etc/passwd", 0o644),
            ("../x", 0o644),
            ("x/../y", 0o644),
            ("x//y", 0o644),
            ("x/", 0o644),
            ("./x", 0o644),
            (".wh.x", 0o644),
            ("a/b", 0o644),
            ("a", 0o644),
            ("a/b/c", 0o644),
            ("x", 0o4755),
        ] {
            assert!(
                matches!(with(path, mode), Err(Error::Entry { .. })),
                "{path} {mode:o}"
            );
        }
    }

    #[test]
    fn gzip_header_tells_nothing() {
        let layer = LayerFiles::new().file("a", 0o600, "x").unwrap().pack();
        // RFC 1952: magic, deflate, no flags (no name), time 0, extra flags, OS unknown.
        assert_eq!(layer.bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    }

    proptest! {
        #[test]
        fn order_of_adding_does_not_matter(
            files in proptest::collection::btree_map("[a-z]{1,3}/[a-z]{1,120}", proptest::collection::vec(any::<u8>(), 0..300), 1..8),
            rotate in 0usize..8,
            owner in 0u64..70_000,
        ) {
            let pack = |rotate: usize| {
                let mut list: Vec<_> = files.iter().collect();
                let by = rotate % list.len();
                list.rotate_left(by);
                list.iter()
                    .fold(LayerFiles::new().owned_by(owner, owner), |all, (path, content)| {
                        all.file(path, 0o644, content.as_slice()).unwrap()
                    })
                    .pack()
            };
            let (one, other) = (pack(0), pack(rotate));
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(sha256_hex(&one.bytes), one.digest);
            let mut tar = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(one.bytes.as_slice()), &mut tar).unwrap();
            prop_assert_eq!(sha256_hex(&tar), one.diff_id);
            for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
                let entry = entry.unwrap();
                prop_assert_eq!(entry.header().mtime().unwrap(), 0);
                prop_assert_eq!(entry.header().uid().unwrap(), owner);
            }
        }
    }
}

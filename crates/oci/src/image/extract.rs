//! Writing layer entries into a folder that they cannot leave.
//!
//! No entry is written through a symbolic link, so a path's names are real folders below the root.

use super::path::{Whiteout, check_link, names};
use crate::Error;
use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File, Permissions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};
use tar::{Entry, EntryType};

pub(super) struct Extractor<'a> {
    root: &'a Path,
    entries_left: u64,
    entries_limit: u64,
    /// Paths that the current layer has written: its whiteouts do not concern them.
    written: HashSet<PathBuf>,
    /// Set at the end, so that a folder without write permission can be filled first.
    modes: BTreeMap<PathBuf, u32>,
}

impl<'a> Extractor<'a> {
    pub fn new(root: &'a Path, entries_limit: u64) -> Self {
        Self {
            root,
            entries_left: entries_limit,
            entries_limit,
            written: HashSet::new(),
            modes: BTreeMap::new(),
        }
    }

    /// Applies one layer over what is there.
    pub fn layer<'t, R: Read + 't>(
        &mut self,
        entries: impl Iterator<Item = io::Result<Entry<'t, R>>>,
        damaged: impl Fn(io::Error) -> Error,
    ) -> Result<(), Error> {
        self.written.clear();
        for entry in entries {
            self.entries_left = self.entries_left.checked_sub(1).ok_or_else(|| Error::TooLarge {
                what: "image".to_owned(),
                limit: self.entries_limit,
                unit: "entries",
            })?;
            self.entry(&mut entry.map_err(&damaged)?, &damaged)?;
        }
        Ok(())
    }

    /// Gives the folders their modes, deepest first.
    pub fn finish(self) -> Result<(), Error> {
        for (path, mode) in self.modes.into_iter().rev() {
            if path.is_dir() {
                fs::set_permissions(&path, Permissions::from_mode(mode))
                    .map_err(Error::io("set the mode of", path))?;
            }
        }
        Ok(())
    }

    fn entry<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        damaged: &impl Fn(io::Error) -> Error,
    ) -> Result<(), Error> {
        let names = names(&entry.path_bytes())?;
        let text = names.join("/");
        let refused = |reason| Error::Entry {
            path: text.clone(),
            reason,
        };
        let kind = entry.header().entry_type();
        let Some((last, parents)) = names.split_last() else {
            return Ok(()); // the root itself
        };
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let folder = self.folder(parents, &text)?;
        if let Some(whiteout) = Whiteout::of(last) {
            return match whiteout {
                Whiteout::Opaque => self.hide_below(&folder),
                Whiteout::Name("" | "." | "..") => Err(refused("whiteout of no name")),
                Whiteout::Name(name) => self.hide(&folder.join(name)),
            };
        }
        let path = folder.join(last);
        let mode = entry.header().mode().map_err(damaged)?;
        if mode & 0o6000 != 0 {
            return Err(refused("setuid or setgid"));
        }
        match kind {
            EntryType::Directory => {
                if !is_real_folder(&path) {
                    remove(&path)?;
                    fs::create_dir(&path).map_err(Error::io("make folder", &path))?;
                }
                // The owner can always list and remove it.
                self.modes.insert(path.clone(), mode & 0o1777 | 0o700);
            }
            EntryType::Regular | EntryType::Continuous => {
                remove(&path)?;
                write(&path, mode & 0o777, entry)?;
            }
            EntryType::Symlink => {
                let target = entry
                    .link_name_bytes()
                    .ok_or_else(|| refused("a link without target"))?;
                check_link(&text, &target, parents.len())?;
                remove(&path)?;
                let target = String::from_utf8_lossy(&target).into_owned();
                symlink(target, &path).map_err(Error::io("make link", &path))?;
            }
            EntryType::Link => {
                let target = entry
                    .link_name_bytes()
                    .ok_or_else(|| refused("a link without target"))?;
                let target = self
                    .existing_file(&target)
                    .ok_or_else(|| refused("a hard link to no file"))?;
                if target != path {
                    remove(&path)?;
                    fs::hard_link(target, &path).map_err(Error::io("make link", &path))?;
                }
            }
            _ => return Err(refused("a device, pipe or other special file")),
        }
        // Its folders too: they now hold something that this layer's whiteouts must not remove.
        self.written
            .extend(path.ancestors().take(names.len()).map(Path::to_path_buf));
        Ok(())
    }

    /// The folder of these names, made where missing; no name of it may be a link or a file.
    fn folder(&mut self, parents: &[String], entry: &str) -> Result<PathBuf, Error> {
        let mut path = self.root.to_path_buf();
        for name in parents {
            path.push(name);
            if is_real_folder(&path) {
                continue;
            }
            if fs::symlink_metadata(&path).is_ok() {
                return Err(Error::Entry {
                    path: entry.to_owned(),
                    reason: "its parent is a link or a file",
                });
            }
            fs::create_dir(&path).map_err(Error::io("make folder", &path))?;
            self.modes.insert(path.clone(), 0o755);
        }
        Ok(path)
    }

    /// A regular file that was unpacked before, reached without passing a link.
    fn existing_file(&self, target: &[u8]) -> Option<PathBuf> {
        let mut path = self.root.to_path_buf();
        let names = names(target).ok()?;
        let (last, parents) = names.split_last()?;
        for name in parents {
            path.push(name);
            if !is_real_folder(&path) {
                return None;
            }
        }
        path.push(last);
        fs::symlink_metadata(&path)
            .is_ok_and(|data| data.is_file())
            .then_some(path)
    }

    fn hide(&self, path: &Path) -> Result<(), Error> {
        if !self.written.contains(path) {
            return remove(path);
        }
        if is_real_folder(path) {
            return self.hide_below(path);
        }
        Ok(())
    }

    fn hide_below(&self, folder: &Path) -> Result<(), Error> {
        for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
            self.hide(&entry.map_err(Error::io("list", folder))?.path())?;
        }
        Ok(())
    }
}

fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.is_dir())
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
    .map_err(Error::io("remove", path))
}

fn write(path: &Path, mode: u32, content: &mut impl Read) -> Result<(), Error> {
    let failed = |source| Error::io("write", path)(source);
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    io::copy(content, &mut file).map_err(failed)?;
    // The process's umask does not apply to what the image says.
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(failed)?;
    file.sync_all().map_err(failed)
}

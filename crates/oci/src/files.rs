//! Files that appear whole or not at all.

use crate::Error;
use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

const PREFIX: &str = ".aside-";
/// An aside file older than this belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Writes `bytes` aside in `aside`, then renames onto `path`; both on one file system.
pub(crate) fn write_whole(aside: &Path, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::io("write", path)(source);
    let mut file = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(aside)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    sync_parent(path)
}

/// Makes a rename survive a power cut.
pub(crate) fn sync_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io("sync", parent))
}

/// An empty folder beside its final place, removed again unless it is renamed.
pub(crate) fn folder_aside(parent: &Path) -> Result<tempfile::TempDir, Error> {
    tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in(parent)
        .map_err(Error::io("make a folder in", parent))
}

/// Removes what killed processes left in `folder`. Failing to is no reason to stop.
pub(crate) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        let old = entry
            .metadata()
            .and_then(|data| data.modified())
            .is_ok_and(|modified| {
                SystemTime::now()
                    .duration_since(modified)
                    .is_ok_and(|age| age > ABANDONED)
            });
        if ours && old {
            let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
        }
    }
}

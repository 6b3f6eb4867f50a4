//! Log files of processes. They are plain files, not pipes, so that a process survives the engine.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// A log file is cut when it grows beyond this.
pub const BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How much of a file's end is read for its last lines.
const TAIL_BYTES: u64 = 256 * 1024;

/// Opens for appending, making the folder. Append mode is what lets [`bound`] cut the file while
/// its writer goes on.
///
/// # Errors
/// The operating system's refusal.
pub fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// Cuts a file that has grown too large: its end is kept as `<name>.1`, the file starts anew.
/// Lines written in between are lost.
pub fn bound(path: &Path) {
    if fs::metadata(path).is_ok_and(|meta| meta.len() > BYTES_MAX) {
        let mut kept = path.as_os_str().to_owned();
        kept.push(".1");
        // A full disk must not stop the cut, which is what frees it.
        let _ = end_of(path, TAIL_BYTES).and_then(|end| fs::write(kept, end));
        let _ = OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|file| file.set_len(0));
    }
}

/// The last `count` lines, oldest first; nothing where there is no file.
pub fn tail(path: &Path, count: usize) -> Vec<String> {
    let end = end_of(path, TAIL_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

/// The last `bytes` bytes.
///
/// # Errors
/// The operating system's refusal.
pub fn end_of(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
    let mut end = Vec::new();
    file.take(bytes).read_to_end(&mut end)?;
    Ok(end)
}

/// Keeps the newest `count` entries of a folder, and those `used` however old they are.
pub fn prune(folder: &Path, count: usize, used: &[&Path]) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            if used.iter().any(|used| used.starts_with(entry.path())) {
                return None;
            }
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    entries.sort();
    let surplus = entries.len().saturating_sub(count);
    for (_, path) in entries.into_iter().take(surplus) {
        let _ = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn tail_of_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.log");
        assert!(tail(&path, 3).is_empty());
        open(&path).unwrap().write_all(b"1\n2\n3\n4").unwrap();
        assert_eq!(tail(&path, 3), ["2", "3", "4"]);
        assert_eq!(tail(&path, 0), Vec::<String>::new());
    }

    #[test]
    fn a_file_is_cut_while_its_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.log");
        let mut writer = open(&path).unwrap();
        let line = [b'x'; 1023].into_iter().chain(*b"\n").collect::<Vec<u8>>();
        for _ in 0..=BYTES_MAX / 1024 {
            writer.write_all(&line).unwrap();
        }
        bound(&path);
        writer.write_all(b"after\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"after\n");
        assert_eq!(
            fs::metadata(folder.path().join("b.log.1")).unwrap().len(),
            TAIL_BYTES
        );
    }

    #[test]
    fn the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let start = std::time::SystemTime::UNIX_EPOCH;
        for age in 0..5u64 {
            let file = File::create(folder.path().join(age.to_string())).unwrap();
            file.set_modified(start + std::time::Duration::from_secs(age))
                .unwrap();
        }
        prune(folder.path(), 2, &[&folder.path().join("0")]);
        let left: Vec<bool> = (0..5)
            .map(|age| folder.path().join(age.to_string()).exists())
            .collect();
        assert_eq!(left, [true, false, false, true, true]);
    }
}

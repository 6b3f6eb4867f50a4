//! Results of earlier runs, by content. A broken entry is a miss.
//!
//! An entry is a folder named by the key, made aside and renamed: `entry.json` and the artifacts, numbered.

use crate::files::{self, Tree};
use crate::record::{Outputs, Saved};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const ENTRY: &str = "entry.json";
/// An entry that was being made so long ago is nobody's.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// Largest `entry.json`.
const ENTRY_BYTES_MAX: u64 = 64 << 20;

/// A folder of results, for all runs.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Where.
    pub folder: PathBuf,
    /// The oldest go when there are more.
    pub entries_max: usize,
    /// And when they are larger.
    pub bytes_max: u64,
}

impl Cache {
    /// With room for 1000 results of 10 GiB.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Cache {
            folder: folder.into(),
            entries_max: 1000,
            bytes_max: 10 << 30,
        }
    }

    fn entry(&self, key: &str) -> PathBuf {
        self.folder.join(key.trim_start_matches("sha256:"))
    }

    /// The result with this key, its artifacts copied to where `place` says (below `run`).
    pub(crate) fn take(&self, key: &str, run: &Path, place: &dyn Fn(&str) -> String) -> Option<Outputs> {
        let entry = self.entry(key);
        let bytes = files::bounded(&entry.join(ENTRY), ENTRY_BYTES_MAX).ok()??;
        let mut outputs: Outputs = serde_json::from_slice(&bytes).ok()?;
        for (name, all) in &mut outputs.artifacts {
            let [saved] = all.as_mut_slice() else { return None };
            let from = entry.join(&saved.path);
            if !files::is_inside(Path::new(&saved.path)) {
                return None;
            }
            saved.path = place(name);
            let to = run.join(&saved.path);
            files::remove(&to).ok()?;
            let digest = match Tree::copy(&from, &to, self.bytes_max).ok()? {
                Some(tree) => tree.digest,
                None => String::new(),
            };
            if digest != saved.digest {
                let _ = files::remove(&to);
                return None;
            }
        }
        // What was used lately goes last.
        let used = fs::File::open(entry.join(ENTRY)).and_then(|file| file.set_modified(SystemTime::now()));
        used.ok().map(|()| outputs)
    }

    /// Keeps a result. One that is too large, or a disk that is full, is no failure of the step.
    ///
    /// # Errors
    /// Why it was not kept.
    pub(crate) fn put(&self, key: &str, run: &Path, outputs: &Outputs) -> io::Result<()> {
        let size: u64 = outputs
            .artifacts
            .values()
            .flatten()
            .map(|saved| saved.bytes)
            .sum();
        if size > self.bytes_max {
            return Err(io::Error::other(format!(
                "{size} bytes are more than the cache has room for"
            )));
        }
        fs::create_dir_all(&self.folder)?;
        let aside = tempfile::Builder::new().prefix("new-").tempdir_in(&self.folder)?;
        let mut kept = outputs.clone();
        for (at, saved) in kept.artifacts.values_mut().flatten().enumerate() {
            let from = run.join(&saved.path);
            saved.path = at.to_string();
            let copied = Tree::copy(&from, &aside.path().join(&saved.path), self.bytes_max);
            let digest = copied
                .map_err(io::Error::other)?
                .map_or(String::new(), |tree| tree.digest);
            if digest != saved.digest {
                return Err(io::Error::other(format!("{} has changed", from.display())));
            }
        }
        files::write(&aside.path().join(ENTRY), &serde_json::to_vec(&kept)?)?;
        // A broken one makes room; a good one that another run has put there meanwhile is the same.
        let entry = self.entry(key);
        if fs::rename(aside.path(), &entry).is_err() {
            files::remove(&entry)?;
            fs::rename(aside.path(), &entry)?;
        }
        self.sweep()
    }

    /// Removes the entries that were used longest ago.
    fn sweep(&self) -> io::Result<()> {
        let mut all: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for folder in fs::read_dir(&self.folder)? {
            let path = folder?.path();
            let is_new = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("new-"));
            let file = if is_new { path.clone() } else { path.join(ENTRY) };
            let modified = fs::metadata(file).and_then(|found| found.modified());
            let modified = modified.unwrap_or(SystemTime::UNIX_EPOCH);
            if is_new {
                if modified.elapsed().is_ok_and(|age| age > STALE) {
                    files::remove(&path)?;
                }
                continue;
            }
            all.push((modified, size(&path.join(ENTRY)), path));
        }
        all.sort();
        let mut bytes: u64 = all.iter().map(|(_, bytes, _)| bytes).sum();
        let mut count = all.len();
        for (_, size, path) in all {
            if count <= self.entries_max && bytes <= self.bytes_max {
                break;
            }
            files::remove(&path)?;
            (count, bytes) = (count - 1, bytes - size);
        }
        Ok(())
    }
}

fn size(entry: &Path) -> u64 {
    let bytes = files::bounded(entry, ENTRY_BYTES_MAX)
        .ok()
        .flatten()
        .unwrap_or_default();
    let outputs: Outputs = serde_json::from_slice(&bytes).unwrap_or_default();
    let all = outputs.artifacts.values().flatten();
    all.map(|saved: &Saved| saved.bytes).sum::<u64>() + bytes.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(run: &Path, text: &str) -> Outputs {
        fs::write(run.join("a"), text).unwrap();
        let saved = Saved {
            path: "a".to_owned(),
            digest: contract::sha256_hex(text.as_bytes()),
            bytes: text.len() as u64,
            title: String::new(),
            metadata: serde_json::Map::new(),
        };
        Outputs {
            parameters: [("n".to_owned(), 7.into())].into(),
            artifacts: [("data".to_owned(), vec![saved])].into(),
        }
    }

    #[test]
    fn a_result_is_found_again_and_a_broken_one_is_not() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path();
        let cache = Cache::new(run.join("cache"));
        let take = |key: &str| cache.take(key, run, &|name| format!("copy-{name}"));
        assert_eq!(take("sha256:aa"), None);
        cache.put("sha256:aa", run, &outputs(run, "rows")).unwrap();
        cache.put("sha256:aa", run, &outputs(run, "rows")).unwrap();
        let found = take("sha256:aa").unwrap();
        assert_eq!(found.parameters["n"], 7);
        assert_eq!(found.artifacts["data"][0].path, "copy-data");
        assert_eq!(fs::read(run.join("copy-data")).unwrap(), b"rows");

        fs::write(run.join("cache/aa/0"), b"rowz").unwrap();
        assert_eq!(take("sha256:aa"), None);
        assert!(!run.join("copy-data").exists());
        fs::write(run.join("cache/aa/entry.json"), b"{").unwrap();
        assert_eq!(take("sha256:aa"), None);
        cache.put("sha256:aa", run, &outputs(run, "rows")).unwrap();
        assert!(take("sha256:aa").is_some());
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path();
        let mut cache = Cache::new(run.join("cache"));
        cache.entries_max = 3;
        for at in 0..5 {
            cache
                .put(&format!("sha256:{at}"), run, &outputs(run, "rows"))
                .unwrap();
            let file = fs::File::open(run.join(format!("cache/{at}/entry.json"))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
                .unwrap();
        }
        let left = || {
            let mut names: Vec<_> = fs::read_dir(run.join("cache"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(left(), ["2", "3", "4"]);
        // What is taken stays longer.
        assert!(cache.take("sha256:2", run, &|_| "copy".to_owned()).is_some());
        cache.put("sha256:5", run, &outputs(run, "rows")).unwrap();
        assert_eq!(left(), ["2", "4", "5"]);
        cache.bytes_max = 3;
        assert!(cache.put("sha256:6", run, &outputs(run, "rows")).is_err());
    }
}

//! The folder of all runs: a lock, and a folder for each run.

use super::request::{Ended, Request, State};
use crate::cli::RunFlags;
use crate::failure::{Failure, Result};
use crate::folder::{self, Folder};
use anyhow::Context;
use contract::names::exit;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Finished runs whose folders are kept.
const KEPT: usize = 10;
const STATE_FILE: &str = "run.json";

/// The work folder, held by this process alone.
pub struct Shelf {
    path: PathBuf,
    _lock: File,
}

impl Shelf {
    /// Takes the lock, which ends with the process however that ends.
    pub fn open(path: &Path) -> Result<Self> {
        let lock = path.join("lock");
        let open = || -> std::io::Result<File> {
            std::fs::create_dir_all(path)?;
            File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&lock)
        };
        let file = open().with_context(|| format!("cannot open {}", lock.display()))?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => Ok(Shelf {
                path: path.to_path_buf(),
                _lock: file,
            }),
            Err(fs4::TryLockError::WouldBlock) => {
                let text = format!(
                    "another run holds {}: wait for it, or use another --work-dir",
                    lock.display()
                );
                Err(Failure::new(exit::LOCKED, text))
            }
            Err(fs4::TryLockError::Error(e)) => Err(anyhow::Error::new(e)
                .context(format!("cannot lock {}", lock.display()))
                .into()),
        }
    }

    /// An empty folder for what is being loaded.
    pub fn incoming(&self) -> Result<Folder> {
        let path = self.path.join("incoming");
        remove(&path)?;
        Ok(Folder::new(path))
    }

    /// Turns the incoming folder into that of the run.
    pub fn begin(&self, incoming: &Folder, state: &State) -> Result<Folder> {
        folder::write_json(&incoming.path().join(STATE_FILE), state)?;
        let path = self.path.join(state.short());
        remove(&path)?;
        std::fs::rename(incoming.path(), &path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Folder::new(path))
    }

    /// Runs for this request that have not ended, newest first.
    pub fn unfinished(&self, request: &Request) -> Result<Vec<(Folder, State)>> {
        let mut all = self.all()?;
        all.retain(|(_, state)| state.ended.is_none() && state.request == *request);
        Ok(all)
    }

    /// The run of this key.
    pub fn of_key(&self, key: &str) -> Result<Option<(Folder, State)>> {
        Ok(self.all()?.into_iter().find(|(_, state)| state.key == key))
    }

    /// Writes down how a run ended, and lets go of old folders.
    pub fn end(&self, folder: &Folder, state: &State, ended: Ended) -> Result<()> {
        let state = State {
            ended: Some(ended),
            ..state.clone()
        };
        folder::write_json(&folder.path().join(STATE_FILE), &state)?;
        let ended = self.all()?.into_iter().filter(|(_, state)| state.ended.is_some());
        for (old, _) in ended.skip(KEPT) {
            remove(old.path())?;
        }
        Ok(())
    }

    /// What makes runs of this place the same run: given, or random for a forced one, or the place's own.
    pub fn nonce(&self, flags: &RunFlags) -> Result<String> {
        if let Some(nonce) = flags.nonce() {
            return Ok(nonce.to_owned());
        }
        if flags.force {
            return Ok(random());
        }
        // Two clones that race must not take each other's run for their own.
        let path = self.path.join("identity");
        match std::fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => {
                let identity = random();
                folder::write(&path, identity.as_bytes())?;
                Ok(identity)
            }
        }
    }

    fn all(&self) -> Result<Vec<(Folder, State)>> {
        let mut found = Vec::new();
        let entries = self
            .path
            .read_dir()
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        for entry in entries.flatten() {
            // A folder of another version's making is left alone.
            if entry.file_name() != "incoming"
                && let Ok(Some(state)) = folder::read_json::<State>(&entry.path().join(STATE_FILE))
            {
                found.push((Folder::new(entry.path()), state));
            }
        }
        found.sort_by(|a, b| b.1.started_at.cmp(&a.1.started_at));
        Ok(found)
    }
}

impl Drop for Shelf {
    /// What was loaded and not begun is of no use to anybody.
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.path.join("incoming"));
    }
}

fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(anyhow::Error::new(e)
            .context(format!("cannot remove {}", path.display()))
            .into()),
        _ => Ok(()),
    }
}

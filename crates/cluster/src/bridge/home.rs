//! The state folder: one bridge at a time, and how others find it.

use crate::{Error, Kind, Result, in_cluster::random};
use engine::{Endpoint, EngineClient};
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A predecessor that was told to end needs a moment.
const PREDECESSOR_ENDS: Duration = Duration::from_secs(2);

/// A state folder that is ours until this is dropped or the process ends.
#[derive(Debug)]
pub struct Home {
    /// Absolute, without links.
    pub path: PathBuf,
    _lock: File,
}

impl Home {
    /// Makes the folder where needed and takes it.
    ///
    /// # Errors
    /// `Conflict` when another bridge has it; `Other` when it cannot be written.
    pub fn take(path: &Path) -> Result<Self> {
        let failed =
            |error: io::Error| Error::other(format!("write the state folder {}: {error}", path.display()));
        fs::create_dir_all(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("bridge.lock"))
            .map_err(failed)?;
        let deadline = Instant::now() + PREDECESSOR_ENDS;
        // The kernel drops it with the process, however that ends.
        while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            if Instant::now() >= deadline {
                let pid = EngineClient::open(&path).map_or(0, |engine| engine.endpoint().pid);
                let text = format!("another bridge (pid {pid}) runs on {}", path.display());
                return Err(Error::new(Kind::Conflict, text));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Home { path, _lock: lock })
    }

    /// Says where the bridge listens; the file holds the token.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn announce(&self, endpoint: &Endpoint) -> Result<()> {
        let text = serde_json::to_vec_pretty(endpoint).map_err(|error| Error::other(error.to_string()))?;
        write_private(&self.path.join(EngineClient::ENDPOINT_FILE), &text)
    }

    /// Takes that back.
    pub fn withdraw(&self) {
        let _ = fs::remove_file(self.path.join(EngineClient::ENDPOINT_FILE));
    }
}

/// Writes a file that only this user can read, whole or not at all.
///
/// # Errors
/// The operating system's refusal, with the file.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let failed = |error: io::Error| Error::other(format!("write {}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let aside = path.with_extension(format!("{}.aside", std::process::id()));
    let written = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&aside)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| fs::rename(&aside, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&aside);
        failed(error)
    })
}

/// `N` random bytes in hex.
///
/// # Errors
/// The operating system's refusal.
pub fn random_hex<const N: usize>() -> Result<String> {
    Ok(random::<N>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_bridge_at_a_time_and_the_token_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::take(folder.path()).unwrap();
        let endpoint = Endpoint {
            address: "http://127.0.0.1:1".into(),
            token: random_hex::<32>().unwrap(),
            pid: 42,
            git_url: "http://127.0.0.1:2/x.git".into(),
            engine: "cluster".into(),
            environment: "minikube".into(),
        };
        home.announce(&endpoint).unwrap();
        let file = folder.path().join("engine.json");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(EngineClient::open(folder.path()).unwrap().endpoint(), &endpoint);
        let refused = Home::take(folder.path()).unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.contains("pid 42"), "{refused}");
        home.withdraw();
        assert!(!file.exists());
        drop(home);
        Home::take(folder.path()).unwrap();
    }
}

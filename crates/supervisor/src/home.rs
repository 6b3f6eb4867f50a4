//! The state folder: one engine at a time, and how others find it.

use crate::state::write_whole;
use engine::{Endpoint, EngineClient};
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const PREDECESSOR_ENDS: Duration = Duration::from_secs(2);

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Another engine runs on it.
    #[error("another engine{} runs on {}", pid.map_or(String::new(), |pid| format!(" (pid {pid})")), home.display())]
    Taken {
        /// The folder.
        home: PathBuf,
        /// From its endpoint file.
        pid: Option<u32>,
    },
    /// Read-only folder, full disk, …
    #[error("cannot write the engine's state below {}", home.display())]
    Write {
        /// The folder.
        home: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

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
    /// See [`HomeError`].
    pub fn take(path: &Path) -> Result<Self, HomeError> {
        let failed = |source| HomeError::Write {
            home: path.to_owned(),
            source,
        };
        fs::create_dir_all(path.join("engine")).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("engine/lock"))
            .map_err(failed)?;
        // The kernel drops it with the process, however that ends.
        if !lock_soon(&lock, &path) {
            let pid = EngineClient::open(&path).ok().map(|engine| engine.endpoint().pid);
            return Err(HomeError::Taken { home: path, pid });
        }
        // Found now rather than when the first process has to be remembered.
        let probe = path.join("engine/.writable");
        write_whole(&probe, b"x")
            .and_then(|()| fs::remove_file(&probe))
            .map_err(failed)?;
        make_token(&path.join("engine/replicas/token")).map_err(failed)?;
        // Exports of an engine that was killed while it compared.
        for entry in fs::read_dir(path.join("engine")).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(EXPORT_PREFIX) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(Home { path, _lock: lock })
    }

    /// Says where the engine listens (mode 0600: the file holds the token).
    ///
    /// # Errors
    /// `Write`.
    pub fn announce(&self, endpoint: &Endpoint) -> Result<(), HomeError> {
        let failed = |source| HomeError::Write {
            home: self.path.clone(),
            source,
        };
        let text = serde_json::to_vec_pretty(endpoint).map_err(|error| failed(error.into()))?;
        write_whole(&self.path.join(EngineClient::ENDPOINT_FILE), &text).map_err(failed)
    }

    /// Takes that back.
    pub fn withdraw(&self) {
        let _ = fs::remove_file(self.path.join(EngineClient::ENDPOINT_FILE));
    }
}

/// What the replicas of a Deployment know each other by: made once, for the owner's eyes.
fn make_token(path: &Path) -> io::Result<()> {
    match path.exists() {
        true => Ok(()),
        // Files that are written aside are the owner's alone.
        false => write_whole(path, random_hex(24)?.as_bytes()),
    }
}

/// Locks the file. A predecessor that has taken back its endpoint is at its end and waited for.
fn lock_soon(lock: &File, home: &Path) -> bool {
    let deadline = Instant::now() + PREDECESSOR_ENDS;
    loop {
        if flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return true;
        }
        if home.join(EngineClient::ENDPOINT_FILE).exists() || Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Temporary folders of comparisons begin with this.
pub const EXPORT_PREFIX: &str = "export-";

/// `bytes` random bytes in hex, from the kernel.
///
/// # Errors
/// The operating system's refusal.
pub fn random_hex(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_engine_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::take(folder.path()).unwrap();
        let endpoint = Endpoint {
            address: "http://127.0.0.1:1".into(),
            token: random_hex(32).unwrap(),
            pid: 42,
            git_url: "file:///x".into(),
            engine: "local".into(),
            environment: "local".into(),
        };
        home.announce(&endpoint).unwrap();
        let file = folder.path().join("engine.json");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = Home::take(folder.path()).unwrap_err().to_string();
        assert!(
            refused.starts_with("another engine (pid 42) runs on"),
            "{refused}"
        );
        drop(home);
        Home::take(folder.path()).unwrap().withdraw();
        assert!(!file.exists());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let refused = Home::take(&file.join("state")).unwrap_err().to_string();
        assert!(
            refused.starts_with("cannot write the engine's state below"),
            "{refused}"
        );
    }
}

//! Files that are read again when they change: looked at each second, for that works with every
//! file system and with the way Kubernetes swaps mounted secrets.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

const PERIOD: Duration = Duration::from_secs(1);

/// Files that belong together.
#[derive(Debug)]
pub struct Watched {
    paths: Vec<PathBuf>,
    read: Vec<Stamp>,
    seen: Vec<Stamp>,
}

/// What changes with a file: device, inode, length and time of writing; `None` where it is missing.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

impl Watched {
    /// To be made before the files are read for the first time.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let paths: Vec<PathBuf> = paths.into_iter().collect();
        let stamps = stamps(&paths);
        Watched {
            paths,
            read: stamps.clone(),
            seen: stamps,
        }
    }

    /// Whether they have changed and have then been left alone from one look to the next: of a
    /// certificate and a key that are replaced one after the other, both are new then.
    fn is_due(&mut self) -> bool {
        let now = stamps(&self.paths);
        let settled = now == self.seen;
        self.seen = now;
        let due = settled && self.seen != self.read;
        if due {
            self.read.clone_from(&self.seen);
        }
        due
    }

    /// Calls `reload` after each change, for ever. It is called once for each change, also for one
    /// that it cannot use. `what` is for the log.
    pub async fn run<E>(
        mut self,
        what: &'static str,
        reload: impl Fn() -> Result<(), E> + Clone + Send + 'static,
    ) where
        E: std::error::Error + Send + 'static,
    {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let reload = reload.clone();
            // Mounted file systems may hang, and requests must not hang with them.
            let looked = spawn_blocking(move || {
                let result = self.is_due().then(reload);
                (self, result)
            });
            let Ok((watched, result)) = looked.await else {
                return;
            };
            self = watched;
            match result {
                Some(Ok(())) => tracing::info!(event = "reload", what, "read again"),
                Some(Err(error)) => {
                    let error = error.to_string();
                    tracing::error!(
                        event = "reload",
                        what,
                        error,
                        "refused, what was read before stays"
                    );
                }
                None => {}
            }
        }
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    paths.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let file = std::fs::metadata(path).ok()?;
    Some((
        file.dev(),
        file.ino(),
        file.len(),
        file.mtime(),
        file.mtime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn due_once_and_only_when_settled() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, "1").unwrap();
        fs::write(&b, "1").unwrap();
        let mut watched = Watched::new([a.clone(), b.clone()]);
        assert!(!watched.is_due());
        fs::write(&a, "22").unwrap();
        assert!(!watched.is_due(), "just written");
        fs::write(&b, "22").unwrap();
        assert!(!watched.is_due(), "the other one was just written");
        assert!(watched.is_due());
        assert!(!watched.is_due(), "once");
        fs::remove_file(&a).unwrap();
        assert!(!watched.is_due());
        assert!(watched.is_due(), "gone is a change");
        fs::write(&a, "333").unwrap();
        assert!(!watched.is_due());
        assert!(watched.is_due());
    }
}

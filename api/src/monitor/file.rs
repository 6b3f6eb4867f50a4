//! The window as a file, so that it outlives the process.

use super::{Monitor, core::Core, exchange};
use drift::wire;
use std::{
    fs,
    io::{ErrorKind, Write},
    path::Path,
};

/// Takes the file's window over, if it is of the same model. A file that cannot be used is said and left alone: the
/// window then begins empty.
pub(super) fn restore(path: &Path, core: &mut Core) {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => {
            tracing::warn!(event = "drift_state", path = %path.display(), %error, "the drift window cannot be read, it begins empty");
            return;
        }
    };
    let restored = exchange::read(&bytes).and_then(|(head, rows)| {
        if head.model != core.window().model() {
            tracing::info!(event = "drift_state", path = %path.display(), model = head.model, "the kept drift window is another model's, it begins empty");
            return Ok(());
        }
        let window = wire::read(rows, core.window().size(), core.window().features())?;
        core.merge(&window, &head.episodes)?;
        Ok(())
    });
    if let Err(error) = restored {
        tracing::warn!(event = "drift_state", path = %path.display(), %error, "the kept drift window cannot be used, it begins empty");
    }
}

impl Monitor {
    /// Writes the window aside and puts it in the file's place; nothing where nothing has changed since `written`.
    pub(super) fn save(&self, path: &Path, written: &mut Option<u64>) {
        let version = self.catch_up().version;
        if *written == Some(version) {
            return;
        }
        let bytes = self.everything();
        let saved = || -> std::io::Result<()> {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let mut aside = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
            aside.write_all(&bytes)?;
            aside.persist(path)?;
            Ok(())
        };
        match saved() {
            Ok(()) => *written = Some(version),
            Err(error) => {
                tracing::warn!(event = "drift_state", path = %path.display(), %error, "the drift window cannot be kept");
            }
        }
    }
}

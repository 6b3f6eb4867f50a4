//! The folder of one run: what each step leaves for the next, and what a second start finds.
//!
//! ```text
//! <run>/run.json                 what was asked for, and how it ended
//! <run>/data/00001-name.csv      the bytes that were read
//! <run>/model/{model.onnx,manifest.json,drift/reference_data.npy}
//! <run>/<step>.json              result of each finished step
//! ```

use crate::failure::Result;
use crate::outcome::{Outcome, Status};
use anyhow::Context;
use serde::{Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};

/// A run's folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Folder(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Copies of the data.
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// The model directory.
    pub fn model(&self) -> PathBuf {
        self.0.join("model")
    }

    /// Result of a step that was finished before.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    pub fn finished(&self, step: &str) -> Result<Option<Outcome>> {
        let found: Option<Outcome> = read_json(&self.0.join(format!("{step}.json")))?;
        Ok(found.map(|outcome| Outcome {
            status: match outcome.status {
                Status::Done => Status::Already,
                other => other,
            },
            summary: outcome.text("summary").to_owned(),
            ..outcome
        }))
    }

    /// Result of a step, which must have been finished.
    ///
    /// # Errors
    /// Names the step that is to be run first.
    pub fn require(&self, step: &str) -> Result<Outcome> {
        let found = self.finished(step)?;
        found.ok_or_else(|| {
            let text = format!(
                "{} has no result of `{step}`: run that step first",
                self.0.display()
            );
            anyhow::anyhow!(text).into()
        })
    }

    /// Keeps a result.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, outcome: &Outcome) -> Result<()> {
        let mut outcome = outcome.clone();
        outcome
            .detail
            .insert("summary".to_owned(), outcome.summary.clone().into());
        write_json(&self.0.join(format!("{}.json", outcome.step)), &outcome)
    }
}

/// Reads a JSON file, `None` when it is not there.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            return Err(anyhow::Error::new(e)
                .context(format!("cannot read {}", path.display()))
                .into());
        }
    };
    let value =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is not as expected", path.display()))?;
    Ok(Some(value))
}

/// Writes a JSON file whole.
///
/// # Errors
/// When it cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).context("a value that JSON cannot hold")?;
    text.push(b'\n');
    write(path, &text)
}

/// Writes a file aside and renames it into its place, so that it is there whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let put = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.as_file().sync_data()?;
        // Temporary files are private; what is kept is read by others.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    Ok(put().with_context(|| format!("cannot write {}", path.display()))?)
}

//! The file that is written: beside its place until it is complete.

use super::{
    ScoreError,
    csv_file::CsvOut,
    jsonl_file::JsonlOut,
    parquet_out::ParquetOut,
    source::{Named, Values},
};
use std::{
    fs::{File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::TempPath;

/// How predictions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Parquet,
    Jsonl,
}

/// A file's extension in lower case; empty where there is none.
pub(super) fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}

impl Format {
    pub(super) fn of(path: &Path) -> Result<Self, ScoreError> {
        match extension(path).as_str() {
            "csv" => Ok(Format::Csv),
            "parquet" => Ok(Format::Parquet),
            "jsonl" => Ok(Format::Jsonl),
            other => Err(ScoreError::Usage(format!(
                "--out {} ends in {other:?}, expected .csv, .parquet or .jsonl",
                path.display()
            ))),
        }
    }
}

/// What writes a kind of file.
pub(super) trait Write {
    /// Writes rows, a value of each column for each.
    fn block(&mut self, rows: usize, columns: Vec<Values>) -> io::Result<()>;
    /// Writes what is left; the file is complete then.
    fn finish(self: Box<Self>) -> io::Result<File>;
}

/// A file being written.
pub(super) struct Sink {
    path: PathBuf,
    /// Removed when it is dropped.
    aside: TempPath,
    writer: Box<dyn Write>,
}

impl Sink {
    pub(super) fn create(path: &Path, format: Format, columns: &[Named]) -> Result<Self, ScoreError> {
        let failed = |error: io::Error| ScoreError::output(path, error);
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            let problem = format!("{} is no folder", folder.display());
            return Err(ScoreError::output(path, problem));
        }
        if path.is_dir() {
            return Err(ScoreError::output(path, "it is a directory"));
        }
        let (file, aside) = tempfile::Builder::new()
            .prefix(".score-")
            .suffix(".part")
            // What a file gets that is simply created; the umask takes its share.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(failed)?
            .into_parts();
        let writer: Box<dyn Write> = match format {
            Format::Csv => Box::new(CsvOut::new(file, columns).map_err(failed)?),
            Format::Parquet => Box::new(ParquetOut::new(file, columns).map_err(failed)?),
            Format::Jsonl => Box::new(JsonlOut::new(file, columns).map_err(failed)?),
        };
        Ok(Sink {
            path: path.to_owned(),
            aside,
            writer,
        })
    }

    pub(super) fn block(&mut self, rows: usize, columns: Vec<Values>) -> Result<(), ScoreError> {
        let written = self.writer.block(rows, columns);
        written.map_err(|error| ScoreError::output(&self.path, error))
    }

    /// Completes the file and gives it its name.
    pub(super) fn finish(self) -> Result<(), ScoreError> {
        let Sink { path, aside, writer } = self;
        let file = writer
            .finish()
            .map_err(|error| ScoreError::output(&path, error))?;
        file.sync_all()
            .map_err(|error| ScoreError::output(&path, error))?;
        aside
            .persist(&path)
            .map_err(|error| ScoreError::output(&path, error.error))
    }
}

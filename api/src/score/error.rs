//! Why a file was not scored.

use std::path::Path;

/// By what is to be mended; each has an exit code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}", text = self.message())]
pub enum ScoreError {
    /// Flags that make no sense together.
    Usage(String),
    /// The model cannot be loaded, or takes no tables.
    Model(String),
    /// The data cannot be read, or are not what the model takes: file, row, column, value.
    Data(String),
    /// The answer cannot be written.
    Output(String),
}

impl ScoreError {
    /// The process's exit code; 1 is left to panics and the like.
    pub fn exit_code(&self) -> u8 {
        match self {
            ScoreError::Usage(_) => 2,
            ScoreError::Model(_) => 3,
            ScoreError::Data(_) => 4,
            ScoreError::Output(_) => 5,
        }
    }

    fn message(&self) -> &str {
        match self {
            ScoreError::Usage(message)
            | ScoreError::Model(message)
            | ScoreError::Data(message)
            | ScoreError::Output(message) => message,
        }
    }

    /// What is wrong with a file of rows.
    pub(super) fn data(path: &Path, problem: impl std::fmt::Display) -> Self {
        ScoreError::Data(format!("{}: {problem}", path.display()))
    }

    /// What is wrong with the file that is written.
    pub(super) fn output(path: &Path, problem: impl std::fmt::Display) -> Self {
        ScoreError::Output(format!("cannot write {}: {problem}", path.display()))
    }
}

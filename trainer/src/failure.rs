//! A failed step: an exit code of its own and a chain of causes.

use contract::names::exit;
use serde_json::{Map, Value};
use std::fmt;

/// What a step ends with when it did not do its work.
#[derive(Debug)]
pub struct Failure {
    /// See [`contract::names::exit`].
    pub exit: u8,
    /// Why, outermost first.
    pub cause: anyhow::Error,
    /// What the JSON result says besides.
    pub detail: Map<String, Value>,
}

/// Result of everything that a step does.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with a text of ours.
    pub fn new(exit: u8, text: impl fmt::Display) -> Self {
        Self::of(exit, anyhow::anyhow!("{text}"))
    }

    fn of(exit: u8, cause: anyhow::Error) -> Self {
        Failure {
            exit,
            cause,
            detail: Map::new(),
        }
    }

    /// Adds a field to the JSON result.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.detail.insert(key.to_owned(), value);
        self
    }

    /// Adds what was attempted in front of the cause.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        let cause = anyhow::anyhow!("{what}: {self}");
        Failure { cause, ..self }
    }

    /// The word for `status` in the JSON result.
    pub fn status(&self) -> &'static str {
        match self.exit {
            exit::NOTHING_NEW => "nothing-new",
            exit::REFUSED => "refused",
            exit::OUTRUN => "outrun",
            exit::LOCKED => "locked",
            _ => "failed",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(self.cause.as_ref()))
    }
}

/// An error with its causes in one line, each said once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

impl From<anyhow::Error> for Failure {
    fn from(cause: anyhow::Error) -> Self {
        Failure::of(1, cause)
    }
}

impl From<crate::data::Refusal> for Failure {
    fn from(refusal: crate::data::Refusal) -> Self {
        Failure::of(exit::BAD_DATA, refusal.into())
    }
}

impl From<mlflow_client::Error> for Failure {
    fn from(error: mlflow_client::Error) -> Self {
        Failure::of(exit::MLFLOW, error.into())
    }
}

impl From<oci::Error> for Failure {
    fn from(error: oci::Error) -> Self {
        Failure::of(exit::IMAGE, error.into())
    }
}

impl From<gitops::Error> for Failure {
    fn from(error: gitops::Error) -> Self {
        let exit = match &error {
            gitops::Error::Outrun { .. } => exit::OUTRUN,
            // What a person took back stays so: this data has nothing new to say.
            gitops::Error::Withdrawn { .. } => exit::NOTHING_NEW,
            _ => exit::GIT,
        };
        Failure::of(exit, error.into())
    }
}

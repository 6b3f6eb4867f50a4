//! A failed step: an exit code of its own and a chain of causes.

use contract::names::exit;
use std::fmt;

/// What a step ends with when it did not do its work.
#[derive(Debug)]
pub struct Failure {
    /// See [`contract::names::exit`].
    pub exit: u8,
    /// Why, outermost first.
    pub cause: anyhow::Error,
}

/// Result of everything that a step does.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with a text of ours.
    pub fn new(exit: u8, text: impl fmt::Display) -> Self {
        Failure {
            exit,
            cause: anyhow::anyhow!("{text}"),
        }
    }

    /// Adds what was attempted in front of the cause.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        Failure {
            exit: self.exit,
            cause: anyhow::anyhow!("{what}: {self}"),
        }
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
        Failure { exit: 1, cause }
    }
}

impl From<crate::data::Refusal> for Failure {
    fn from(refusal: crate::data::Refusal) -> Self {
        Failure {
            exit: exit::BAD_DATA,
            cause: refusal.into(),
        }
    }
}

impl From<mlflow_client::Error> for Failure {
    fn from(error: mlflow_client::Error) -> Self {
        Failure {
            exit: exit::MLFLOW,
            cause: error.into(),
        }
    }
}

impl From<oci::Error> for Failure {
    fn from(error: oci::Error) -> Self {
        Failure {
            exit: exit::IMAGE,
            cause: error.into(),
        }
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
        Failure {
            exit,
            cause: error.into(),
        }
    }
}

//! What can go wrong, keyed by the server's `error_code` rather than by the HTTP status: the
//! server answers 400 both for "already exists" and for an absent alias.

use std::time::Duration;

/// Values of `error_code` that callers branch on.
pub mod code {
    /// The name is taken.
    pub const ALREADY_EXISTS: &str = "RESOURCE_ALREADY_EXISTS";
    /// There is no such thing.
    pub const DOES_NOT_EXIST: &str = "RESOURCE_DOES_NOT_EXIST";
    /// A value was refused; an absent alias answers this too.
    pub const INVALID_PARAMETER: &str = "INVALID_PARAMETER_VALUE";
}

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The base address cannot be used.
    #[error("MLflow address {address:?} cannot be used: {reason}")]
    Address {
        /// As given, without credentials.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection: the request never reached a server.
    #[error("MLflow does not answer at {address} ({request}): {cause}")]
    Unreachable {
        /// Base address.
        address: String,
        /// Method and path.
        request: String,
        /// Transport's words.
        cause: String,
    },
    /// The connection broke after the request may have been read.
    #[error("MLflow at {address} broke off {request}: {cause}")]
    Broken {
        /// Base address.
        address: String,
        /// Method and path.
        request: String,
        /// Transport's words.
        cause: String,
    },
    /// The call with its retries did not end in time.
    #[error("MLflow at {address} did not answer {request} within {deadline:?}")]
    Deadline {
        /// Base address.
        address: String,
        /// Method and path.
        request: String,
        /// Time that was allowed.
        deadline: Duration,
    },
    /// The server answered with an error.
    #[error("MLflow refused {request}: {status} {code}: {message}")]
    Refused {
        /// Method and path.
        request: String,
        /// HTTP status.
        status: u16,
        /// The server's `error_code`, or `HTML` where it answered with a page.
        code: String,
        /// The server's words, shortened.
        message: String,
    },
    /// The answer is not what this version understands.
    #[error("MLflow's answer to {request} cannot be read: {cause}")]
    Answer {
        /// Method and path.
        request: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl Error {
    /// Whether the server refused with this `error_code`.
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Error::Refused { code, .. } if code == wanted)
    }

    /// Whether the call may or may not have had its effect.
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Error::Broken { .. } | Error::Deadline { .. } | Error::Answer { .. } => true,
            Error::Refused { status, .. } => matches!(status, 500 | 502 | 503 | 504),
            Error::Address { .. } | Error::Unreachable { .. } => false,
        }
    }

    /// Whether asking again can help, given that a second effect would do no harm or not.
    pub(crate) fn may_retry(&self, idempotent: bool) -> bool {
        match self {
            Error::Unreachable { .. } | Error::Refused { status: 429, .. } => true,
            Error::Broken { .. } => idempotent,
            Error::Refused { status, .. } => idempotent && matches!(status, 500 | 502 | 503 | 504),
            Error::Address { .. } | Error::Deadline { .. } | Error::Answer { .. } => false,
        }
    }
}

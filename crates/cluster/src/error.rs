//! One error for everything that a cluster can refuse; the message names what was attempted.

use serde_json::{Value, json};
use std::{error::Error as _, time::Duration};

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The kubeconfig has no such context, or cannot be read.
    NoContext,
    /// Nobody answers at the API server's address.
    Unreachable,
    /// A certificate of either side is expired or not trusted.
    Certificate,
    /// The API server does not know who asks.
    Unauthorized,
    /// It knows, and does not allow it.
    Forbidden,
    /// There is no such object.
    NotFound,
    /// The object is there already, or was changed meanwhile.
    Conflict,
    /// A deadline passed.
    Timeout,
    /// Anything else.
    Other,
}

impl Kind {
    /// The word in the JSON answers of `driftless-cluster`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::NoContext => "no-context",
            Kind::Unreachable => "unreachable",
            Kind::Certificate => "certificate",
            Kind::Unauthorized => "unauthorized",
            Kind::Forbidden => "forbidden",
            Kind::NotFound => "not-found",
            // Commands tell it in words; programs have the kind.
            Kind::Conflict => "other",
            Kind::Timeout => "timeout",
            Kind::Other => "other",
        }
    }
}

/// A failure: what was attempted, and why it did not happen.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// For programs.
    pub kind: Kind,
    /// For people; never holds a secret.
    pub message: String,
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of that kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
        }
    }

    /// An error that has no kind of its own.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(Kind::Other, message)
    }

    /// A deadline that passed.
    pub fn timeout(what: &str, after: Duration) -> Self {
        Self::new(
            Kind::Timeout,
            format!("{what}: no answer within {} s", after.as_secs_f64()),
        )
    }

    /// What the API server (or the way to it) said to `what`.
    pub fn of_kube(what: &str, error: &kube::Error) -> Self {
        if let kube::Error::Api(status) = error {
            let kind = match status.code {
                401 => Kind::Unauthorized,
                403 => Kind::Forbidden,
                404 => Kind::NotFound,
                409 => Kind::Conflict,
                _ => Kind::Other,
            };
            let hint = match kind {
                Kind::Unauthorized => {
                    " (the client certificate or token of this context is expired or not known there)"
                }
                Kind::Forbidden => {
                    " (a role that has this verb is missing: ask for it, or use a context of the role cluster-admin)"
                }
                _ => "",
            };
            let said = match status.message.is_empty() {
                true => status.reason.clone(),
                false => status.message.clone(),
            };
            return Self::new(kind, format!("{what}: {said}{hint}"));
        }
        let causes = chain(error);
        Self::new(transport(&causes), format!("{what}: {causes}"))
    }

    /// As the commands print it: `{"error": {...}}`.
    pub fn to_json(&self) -> Value {
        json!({"error": {"kind": self.kind.word(), "message": self.message}})
    }
}

/// Words of an error and its sources, each once.
fn chain(error: &kube::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

/// The TLS library's errors come wrapped by three crates; their words are what is left of them.
fn transport(causes: &str) -> Kind {
    let lower = causes.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if any(&["certificate", "unknownissuer", "tls handshake"]) {
        Kind::Certificate
    } else if any(&["timed out", "timeout", "deadline"]) {
        Kind::Timeout
    } else if any(&[
        "connect",
        "refused",
        "reset",
        "dns",
        "unreachable",
        "closed",
        "eof",
    ]) {
        Kind::Unreachable
    } else {
        Kind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn api(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(Status::failure(message, "Reason").with_code(code)))
    }

    #[test]
    fn the_api_servers_codes_have_words() {
        for (code, word) in [
            (401, "unauthorized"),
            (403, "forbidden"),
            (404, "not-found"),
            (409, "other"),
            (500, "other"),
        ] {
            let error = Error::of_kube("list pods", &api(code, "said so"));
            assert_eq!(error.kind.word(), word);
            assert!(error.message.starts_with("list pods: said so"), "{error}");
        }
        assert!(Error::of_kube("x", &api(403, "no")).message.contains("role"));
    }

    #[test]
    fn transports_words_have_kinds() {
        for (words, kind) in [
            (
                "client error (Connect): tcp connect error: Connection refused",
                Kind::Unreachable,
            ),
            ("invalid peer certificate: UnknownIssuer", Kind::Certificate),
            ("invalid peer certificate: certificate expired", Kind::Certificate),
            ("operation timed out", Kind::Timeout),
            ("something else", Kind::Other),
        ] {
            assert_eq!(transport(words), kind, "{words}");
        }
    }
}

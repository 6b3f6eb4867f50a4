//! What is wrong with one node: attribute, input, limit.

use std::fmt;

/// Why an operator cannot be built or run. The node is named by whoever passes it on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Fault {
    #[error("attribute {attribute:?} is {value}, expected {expected}")]
    Attribute {
        attribute: String,
        value: String,
        expected: String,
    },
    #[error("attribute {attribute:?} is not supported here, supported are: {supported}")]
    UnknownAttribute { attribute: String, supported: String },
    #[error("attribute {attribute:?} is missing, expected {expected}")]
    MissingAttribute { attribute: String, expected: String },
    #[error("input {position} is {value}, expected {expected}")]
    Input {
        position: usize,
        value: String,
        expected: String,
    },
    #[error("number of {what} is {value}, expected {expected}")]
    Count {
        what: String,
        value: usize,
        expected: String,
    },
    #[error("number of {what} is {value}, expected at most {most}")]
    Limit {
        what: &'static str,
        value: usize,
        most: usize,
    },
}

/// A value for a message: a file must not choose how long our messages are.
pub(crate) fn short(value: &impl fmt::Debug) -> String {
    crate::read::short(value)
}

impl Fault {
    pub(crate) fn limit(what: &'static str, value: usize, most: usize) -> Self {
        Fault::Limit { what, value, most }
    }

    pub(crate) fn attribute(name: &str, value: &impl fmt::Debug, expected: impl Into<String>) -> Self {
        Fault::Attribute {
            attribute: name.into(),
            value: short(value),
            expected: expected.into(),
        }
    }

    pub(crate) fn input(position: usize, value: &impl fmt::Debug, expected: impl Into<String>) -> Self {
        Fault::Input {
            position,
            value: short(value),
            expected: expected.into(),
        }
    }

    pub(crate) fn count(what: impl Into<String>, value: usize, expected: impl ToString) -> Self {
        Fault::Count {
            what: what.into(),
            value,
            expected: expected.to_string(),
        }
    }
}

/// `Ok` when the counts are the same.
pub(crate) fn same_count(what: &str, value: usize, expected: usize) -> Result<(), Fault> {
    if value == expected {
        return Ok(());
    }
    Err(Fault::count(what, value, expected))
}

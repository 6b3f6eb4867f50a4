//! ONNX bytes to an ensemble: exactly the graph that [`crate::write()`] makes, or a refusal by name.
//!
//! Three passes, each of which trusts only the one before: `wire` (which protobuf fields are there,
//! how often, how deep), `graph` (operators, names, shapes, attributes), `trees` (arrays to nodes).

mod graph;
#[cfg(test)]
mod tests;
mod trees;
mod wire;

use crate::ensemble::{InvalidEnsemble, TreeEnsemble};
use crate::proto::ModelProto;
use prost::Message;
use prost::bytes::Bytes;

/// Largest file that is looked at, in bytes: 100 trees of full depth on 100,000 rows take a third.
pub const MAX_BYTES: usize = 256 << 20;

/// Why bytes were refused.
#[derive(Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ReadError {
    #[error("file has {0} bytes, expected at most {MAX_BYTES}")]
    TooLarge(usize),
    #[error("{message} is damaged: {reason}")]
    Damaged {
        message: &'static str,
        reason: &'static str,
    },
    #[error("{message} has a field with number {field} that is not expected here")]
    Field { message: &'static str, field: u32 },
    #[error("{message} has field {field} {times} times or more, expected at most {most}")]
    Repeated {
        message: &'static str,
        field: &'static str,
        times: usize,
        most: usize,
    },
    #[error("file is not an ONNX model: {0}")]
    Decode(#[from] prost::DecodeError),
    #[error("{what} is {value}, expected {expected}")]
    Different {
        what: String,
        value: String,
        expected: String,
    },
    #[error("operator {operator} has no attribute {attribute:?} here")]
    UnknownAttribute {
        operator: &'static str,
        attribute: String,
    },
    #[error("operator {operator} has attribute {attribute:?} twice")]
    DuplicateAttribute {
        operator: &'static str,
        attribute: String,
    },
    #[error("operator {operator} lacks attribute {attribute:?}")]
    MissingAttribute {
        operator: &'static str,
        attribute: &'static str,
    },
    #[error("attribute {attribute:?} is not of type {expected}, or holds values of another type")]
    AttributeType {
        attribute: &'static str,
        expected: &'static str,
    },
    #[error("attribute {attribute:?} has {length} entries, expected {expected}")]
    Length {
        attribute: String,
        length: usize,
        expected: usize,
    },
    #[error("attribute {attribute:?} entry {entry} is {value}, expected {expected}")]
    Entry {
        attribute: String,
        entry: usize,
        value: String,
        expected: String,
    },
    #[error("tree {tree} node {node} is written twice")]
    DuplicateNode { tree: i64, node: i64 },
    #[error(transparent)]
    Invalid(#[from] InvalidEnsemble),
}

/// Reads an ensemble from the bytes of an ONNX file. Never panics; memory is bounded by a small
/// multiple of the file's size, which is at most [`MAX_BYTES`].
pub fn read(bytes: &[u8]) -> Result<TreeEnsemble, ReadError> {
    read_shared(&Bytes::copy_from_slice(bytes))
}

/// The same without a copy.
pub(crate) fn read_shared(bytes: &Bytes) -> Result<TreeEnsemble, ReadError> {
    if bytes.len() > MAX_BYTES {
        return Err(ReadError::TooLarge(bytes.len()));
    }
    wire::check(bytes)?;
    graph::ensemble(ModelProto::decode(bytes.clone())?)
}

/// `Ok` when `value` is what it has to be.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, value: T, expected: T) -> Result<(), ReadError> {
    if value == expected {
        return Ok(());
    }
    Err(ReadError::Different {
        what: what.into(),
        value: short(&value),
        expected: short(&expected),
    })
}

/// A value for a message: a file must not choose how long our messages are.
pub(crate) fn short(value: &impl std::fmt::Debug) -> String {
    const MOST: usize = 80;
    let text = format!("{value:?}");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

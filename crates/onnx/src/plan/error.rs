//! Why a file is refused, or a run ends.

use super::fault::Fault;
use super::value::Element;

/// Why bytes were refused.
#[derive(Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PlanError {
    #[error("file has {bytes} bytes, expected at most {most}")]
    TooLarge { bytes: usize, most: usize },
    #[error("{message} is damaged: {reason}")]
    Damaged {
        message: &'static str,
        reason: &'static str,
    },
    #[error("{message} holds {what}, which is not supported")]
    Holds {
        message: &'static str,
        what: &'static str,
    },
    #[error("file is not an ONNX model: {0}")]
    Decode(#[from] prost::DecodeError),
    #[error("number of {what} is {value}, expected at most {most}")]
    Limit {
        what: &'static str,
        value: usize,
        most: usize,
    },
    #[error("file has no graph with outputs: it is not an ONNX model")]
    Empty,
    #[error("opset of domain {domain:?} is {version}, expected {expected}")]
    Opset {
        domain: String,
        version: i64,
        expected: String,
    },
    #[error("node {node:?}: operator {operator} is not supported, supported are: {supported}")]
    Operator {
        node: String,
        operator: String,
        supported: String,
    },
    #[error("node {node:?} ({operator}): {fault}")]
    Node {
        node: String,
        operator: String,
        fault: Fault,
    },
    #[error("{what} {name:?}: {problem}")]
    Value {
        what: &'static str,
        name: String,
        problem: String,
    },
}

/// Why a run ended without answers.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum RunError {
    #[error("number of inputs is {found}, expected {expected}")]
    Inputs { found: usize, expected: usize },
    #[error("input {name:?} holds {found}, expected {expected}")]
    Element {
        name: String,
        found: Element,
        expected: Element,
    },
    #[error("input {name:?} has shape {found:?}, expected {expected}")]
    Shape {
        name: String,
        found: Vec<usize>,
        expected: String,
    },
    #[error("input {name:?} has {found} values, its shape says {expected}")]
    Values {
        name: String,
        found: usize,
        expected: usize,
    },
    #[error("input {name:?} has {found} rows, the inputs before it have {expected}")]
    Rows {
        name: String,
        found: usize,
        expected: usize,
    },
    #[error("node {node:?} ({operator}): {fault}")]
    Node {
        node: String,
        operator: String,
        fault: Fault,
    },
}

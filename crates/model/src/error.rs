//! Why a model was not trained or a metric not computed.

/// Names the parameter, row or column, the value found and what was expected.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("parameter {name} is {value}, expected {expected}")]
    Parameter {
        name: &'static str,
        value: String,
        expected: String,
    },
    #[error("data has {what} {value}, expected {expected}")]
    Shape {
        what: &'static str,
        value: usize,
        expected: String,
    },
    #[error("row {row} column {column} is {value}, expected a finite number that fits float32")]
    Feature { row: usize, column: usize, value: f64 },
    #[error("target of row {row} is {value}, expected a finite number between -1e37 and 1e37")]
    Target { row: usize, value: f64 },
    #[error("target of row {row} is class {class}, expected below {classes}")]
    Class {
        row: usize,
        class: usize,
        classes: usize,
    },
    #[error("dataset has sample weights, which the forest does not use")]
    Weights,
    #[error("trees are not a valid ensemble: {0}")]
    Ensemble(#[from] onnx::InvalidEnsemble),
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}

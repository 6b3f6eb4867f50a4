//! Which of a model's outputs is the prediction, for those who ask for one and not for tensors.

use crate::tensor::{Datatype, TensorSpec};

/// Places among the outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A classifier: the class of each row, and the scores that speak for it.
    Label {
        /// The class: a number or a string.
        label: usize,
        /// Scores, one for each class.
        scores: usize,
    },
    /// The only output: numbers of a regression, or labels without scores.
    Values(usize),
    /// Several outputs none of which stands for the others.
    All,
}

impl Outcome {
    /// By the outputs' datatypes: names are the exporter's choice, that a label comes before its
    /// scores is not.
    pub fn of(outputs: &[TensorSpec]) -> Self {
        let is_float = |spec: &TensorSpec| matches!(spec.datatype, Datatype::Fp32 | Datatype::Fp64);
        match outputs {
            [_] => Outcome::Values(0),
            [label, scores @ ..] if !is_float(label) && !scores.is_empty() && scores.iter().all(is_float) => {
                Outcome::Label { label: 0, scores: 1 }
            }
            _ => Outcome::All,
        }
    }

    /// Places of the outputs that are the prediction.
    pub fn places(self, outputs: usize) -> std::ops::Range<usize> {
        match self {
            Outcome::Label { label: place, .. } | Outcome::Values(place) => place..place + 1,
            Outcome::All => 0..outputs,
        }
    }
}

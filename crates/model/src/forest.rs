//! Trained forests: prediction through the same evaluator that serves the exported file.

use crate::params::{Classes, ForestParams, Numbers};
use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2};
use onnx::{Model, TreeEnsemble};
use rayon::prelude::*;

/// Rows that one task of a prediction takes.
const ROWS_A_TASK: usize = 512;

/// A forest that predicts classes by the highest mean probability over its trees.
#[derive(Clone, Debug)]
pub struct Forest(Trained);

/// A forest that predicts a number, the mean over its trees.
#[derive(Clone, Debug)]
pub struct RegressionForest(Trained);

#[derive(Clone, Debug)]
struct Trained {
    ensemble: TreeEnsemble,
    model: Model,
}

impl Trained {
    fn new(ensemble: TreeEnsemble) -> Self {
        let model = Model::from(&ensemble);
        Trained { ensemble, model }
    }

    /// Scores `[rows, outputs]` and labels. Panics on another number of columns, as linfa's models do.
    fn predict<D: Data<Elem = f64>>(&self, rows: &ArrayBase<D, Ix2>) -> (Array2<f32>, Vec<i64>) {
        assert_eq!(
            rows.ncols(),
            self.model.features(),
            "number of columns must be that of the training data"
        );
        let width = self.model.outputs();
        let mut scores = Array2::<f32>::zeros((rows.nrows(), width));
        let mut labels = vec![0i64; rows.nrows()];
        let narrow = rows.map(|&value| value as f32 + 0.0);
        let narrow = narrow.as_standard_layout();
        let narrow = narrow.as_slice().expect("standard layout");
        let all_scores = scores.as_slice_mut().expect("just made");
        narrow
            .par_chunks(ROWS_A_TASK * self.model.features())
            .zip(all_scores.par_chunks_mut(ROWS_A_TASK * width))
            .zip(labels.par_chunks_mut(ROWS_A_TASK))
            .for_each(|((rows, scores), labels)| self.model.predict_batch(rows, scores, labels));
        (scores, labels)
    }
}

macro_rules! accessors {
    ($forest:ty, $kind:ty) => {
        impl $forest {
            /// Parameters to set and `fit` with.
            pub fn params() -> ForestParams<$kind> {
                ForestParams::new()
            }

            pub(crate) fn new(ensemble: TreeEnsemble) -> Self {
                Self(Trained::new(ensemble))
            }

            /// The trees.
            pub fn ensemble(&self) -> &TreeEnsemble {
                &self.0.ensemble
            }

            /// The compiled evaluator, as `onnx::Model::read` gives it for the exported bytes.
            pub fn model(&self) -> &Model {
                &self.0.model
            }

            /// The model as ONNX bytes: the same forest gives the same bytes.
            pub fn to_onnx(&self) -> Vec<u8> {
                onnx::write(&self.0.ensemble)
            }
        }
    };
}
accessors!(Forest, Classes);
accessors!(RegressionForest, Numbers);

impl Forest {
    /// Number of classes, seen in training or not.
    pub fn classes(&self) -> usize {
        self.0.model.outputs()
    }

    /// Probabilities `[rows, classes]`; each row sums to 1. A NaN goes to the upper side of a split.
    ///
    /// # Panics
    /// When the number of columns is not that of the training data.
    pub fn predict_probabilities<D: Data<Elem = f64>>(&self, rows: &ArrayBase<D, Ix2>) -> Array2<f32> {
        self.0.predict(rows).0
    }
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<usize>> for Forest {
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array1<usize>) {
        assert_eq!(x.nrows(), y.len(), "number of rows must be that of the targets");
        let (_, labels) = self.0.predict(x);
        y.iter_mut()
            .zip(labels)
            .for_each(|(y, label)| *y = label as usize);
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<usize> {
        Array1::zeros(x.nrows())
    }
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>> for RegressionForest {
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array1<f64>) {
        assert_eq!(x.nrows(), y.len(), "number of rows must be that of the targets");
        let (scores, _) = self.0.predict(x);
        y.iter_mut()
            .zip(scores.index_axis(Axis(1), 0))
            .for_each(|(y, score)| *y = f64::from(*score));
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::zeros(x.nrows())
    }
}

//! Compiled ensembles. Small trees are answered by bit masks, deep ones by walking; both give the
//! same bits.

mod bits;
#[cfg(test)]
mod tests;
mod walk;

use crate::ensemble::{Output, TreeEnsemble};
use crate::read::{ReadError, read, read_shared};
use bits::Bits;
use prost::bytes::Bytes;
use walk::Walk;

/// A tree ensemble ready to answer rows. Immutable, `Send` and `Sync`.
///
/// Sums are float32 in the order of the trees, as onnxruntime's are.
#[derive(Clone, Debug)]
pub struct Model {
    features: usize,
    output: Output,
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    Bits(Bits),
    Walk(Walk),
}

impl From<&TreeEnsemble> for Model {
    fn from(ensemble: &TreeEnsemble) -> Self {
        Model {
            features: ensemble.features(),
            output: ensemble.output(),
            engine: match Bits::new(ensemble) {
                Some(bits) => Engine::Bits(bits),
                None => Engine::Walk(Walk::new(ensemble)),
            },
        }
    }
}

impl Model {
    /// Reads and compiles the bytes of an ONNX file.
    pub fn read(bytes: &[u8]) -> Result<Model, ReadError> {
        Ok(Model::from(&read(bytes)?))
    }

    /// The same, of bytes that need not be copied.
    ///
    /// # Errors
    /// A [`ReadError`] for whatever is not the form that [`crate::write()`] makes.
    pub fn read_shared(bytes: &Bytes) -> Result<Model, ReadError> {
        Ok(Model::from(&read_shared(bytes)?))
    }

    /// Width of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Scores for each row: the number of classes, or 1.
    pub fn outputs(&self) -> usize {
        self.output.width()
    }

    /// Whether scores are probabilities of classes.
    pub fn is_classifier(&self) -> bool {
        matches!(self.output, Output::Classes(_))
    }

    /// Fills `scores` (probabilities, or the one predicted number) for one row and returns the class
    /// with the highest score, the first of equals; 0 for regression. Allocates nothing.
    ///
    /// # Panics
    /// When `row` is not [`Self::features`] or `scores` not [`Self::outputs`] long.
    pub fn predict_row(&self, row: &[f32], scores: &mut [f32]) -> usize {
        assert_eq!(row.len(), self.features, "length of the row");
        assert_eq!(scores.len(), self.outputs(), "length of the scores");
        // Sums of known width stay in registers.
        match scores.len() {
            1 => scores.copy_from_slice(&self.sums::<1>(row)),
            2 => scores.copy_from_slice(&self.sums::<2>(row)),
            3 => scores.copy_from_slice(&self.sums::<3>(row)),
            4 => scores.copy_from_slice(&self.sums::<4>(row)),
            width => {
                scores.fill(0.0);
                self.each_leaf(row, width, |values| add(scores, values));
            }
        }
        self.finish(scores)
    }

    /// The same for `labels.len()` rows: `rows` is `[n, features]`, `scores` `[n, outputs]`, both row
    /// after row. Answers equal those of [`Self::predict_row`] bit for bit.
    ///
    /// # Panics
    /// When the lengths do not fit each other.
    pub fn predict_batch(&self, rows: &[f32], scores: &mut [f32], labels: &mut [i64]) {
        let width = self.outputs();
        assert_eq!(
            Some(rows.len()),
            labels.len().checked_mul(self.features),
            "length of the rows"
        );
        assert_eq!(
            Some(scores.len()),
            labels.len().checked_mul(width),
            "length of the scores"
        );
        if let Engine::Walk(walk) = &self.engine {
            walk.sum_rows(rows, self.features, scores, width);
            for (scores, label) in scores.chunks_mut(width).zip(labels) {
                *label = self.finish(scores) as i64;
            }
            return;
        }
        let rows = rows.chunks(self.features).zip(scores.chunks_mut(width));
        for ((row, scores), label) in rows.zip(labels) {
            *label = self.predict_row(row, scores) as i64;
        }
    }

    fn sums<const WIDTH: usize>(&self, row: &[f32]) -> [f32; WIDTH] {
        let mut sums = [0.0; WIDTH];
        self.each_leaf(row, WIDTH, |values| add(&mut sums, &values[..WIDTH]));
        sums
    }

    /// Hands the leaf values of each tree to `each`, in the order of the trees.
    #[inline(always)]
    fn each_leaf(&self, row: &[f32], width: usize, each: impl FnMut(&[f32])) {
        match &self.engine {
            Engine::Bits(bits) => bits.each_leaf(row, width, each),
            Engine::Walk(walk) => walk.each_leaf(row, width, each),
        }
    }

    fn finish(&self, scores: &mut [f32]) -> usize {
        match self.output {
            Output::Number { base } => {
                scores[0] += base;
                0
            }
            Output::Classes(_) => first_highest(scores),
        }
    }
}

#[inline(always)]
fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

/// ArgMax of ONNX with `select_last_index` 0.
fn first_highest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (class, score) in scores.iter().enumerate().skip(1) {
        if *score > scores[best] {
            best = class;
        }
    }
    best
}

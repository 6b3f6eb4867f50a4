//! Variance of numbers. Sums run in the order of the sorted rows: the same on any number of threads.

use super::{Cut, Sample, Target};
use crate::leaves::Grid;

/// Numbers of all rows as residuals from the forest's base, and the sums of the current node.
pub(crate) struct NumberTarget<'a> {
    residuals: &'a [f64],
    grid: Grid,
    sum: f64,
    weight: f64,
}

impl<'a> NumberTarget<'a> {
    pub(crate) fn new(residuals: &'a [f64], grid: Grid) -> Self {
        NumberTarget {
            residuals,
            grid,
            sum: 0.0,
            weight: 0.0,
        }
    }

    fn term(&self, sample: Sample) -> (f64, f64) {
        let weight = f64::from(sample.load);
        (weight * self.residuals[sample.row as usize], weight)
    }
}

impl Target for NumberTarget<'_> {
    fn load(&self, _row: usize, weight: u32) -> u32 {
        weight
    }

    fn enter(&mut self, samples: &[Sample]) -> bool {
        (self.sum, self.weight) = (0.0, 0.0);
        let first = self.residuals[samples[0].row as usize];
        let mut pure = true;
        for &sample in samples {
            let (term, weight) = self.term(sample);
            self.sum += term;
            self.weight += weight;
            pure &= self.residuals[sample.row as usize] == first;
        }
        pure
    }

    fn key(position: usize, _sample: Sample) -> u32 {
        position as u32
    }

    fn best_cut(&mut self, sorted: &[u64], samples: &[Sample], least: usize) -> Option<Cut> {
        let (mut left_sum, mut left_weight) = (0.0, 0.0);
        let mut best: Option<Cut> = None;
        for (index, pair) in sorted.windows(2).enumerate() {
            let (term, weight) = self.term(samples[pair[0] as u32 as usize]);
            left_sum += term;
            left_weight += weight;
            let count = index + 1;
            if pair[0] >> 32 == pair[1] >> 32 || count < least || sorted.len() - count < least {
                continue;
            }
            let (right_sum, right_weight) = (self.sum - left_sum, self.weight - left_weight);
            // The weighted variances of both sides are the sum of squares minus this.
            let score = left_sum * left_sum / left_weight + right_sum * right_sum / right_weight;
            if best.is_none_or(|best| score > best.score) {
                best = Some(Cut { score, count });
            }
        }
        best
    }

    fn leaf(&self, values: &mut Vec<f32>) {
        values.push(self.grid.leaf(self.sum / self.weight));
    }
}

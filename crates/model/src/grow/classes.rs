//! Gini impurity over classes, in whole numbers: the same on every machine.

use super::{Cut, Sample, Target};
use crate::leaves;

/// Class weights fit 16 bits: a row is drawn 65,536 times with a probability below 10^-280,000.
const MAX_WEIGHT: u32 = u16::MAX as u32;

/// Classes of all rows, and the class weights of the current node.
pub(crate) struct ClassTarget<'a> {
    classes: &'a [u16],
    /// Leaf values of this tree sum to so many units.
    units: u32,
    counts: Vec<u64>,
    left: Vec<u64>,
    right: Vec<u64>,
}

impl<'a> ClassTarget<'a> {
    pub(crate) fn new(classes: &'a [u16], count: usize, units: u32) -> Self {
        ClassTarget {
            classes,
            units,
            counts: vec![0; count],
            left: vec![0; count],
            right: vec![0; count],
        }
    }

    /// The search with the class weights in arrays of known length, or in slices.
    #[inline(always)]
    fn search(sorted: &[u64], least: usize, left: &mut [u64], right: &mut [u64]) -> Option<Cut> {
        let mut right_weight: u64 = right.iter().sum();
        let mut right_squares: u64 = right.iter().map(|weight| weight * weight).sum();
        let (mut left_weight, mut left_squares) = (0u64, 0u64);
        let mut best: Option<Cut> = None;
        for (index, pair) in sorted.windows(2).enumerate() {
            let (class, weight) = unpack(pair[0] as u32);
            // (x + w)² - x² = w (2x + w), and likewise below.
            left_squares += weight * (2 * left[class] + weight);
            right_squares -= weight * (2 * right[class] - weight);
            left[class] += weight;
            right[class] -= weight;
            left_weight += weight;
            right_weight -= weight;
            let count = index + 1;
            if pair[0] >> 32 == pair[1] >> 32 || count < least || sorted.len() - count < least {
                continue;
            }
            // Weighted Gini impurity is the node's weight minus this.
            let score = left_squares as f64 / left_weight as f64 + right_squares as f64 / right_weight as f64;
            if best.is_none_or(|best| score > best.score) {
                best = Some(Cut { score, count });
            }
        }
        best
    }

    fn search_fixed<const CLASSES: usize>(&self, sorted: &[u64], least: usize) -> Option<Cut> {
        let mut right = [0; CLASSES];
        right.copy_from_slice(&self.counts);
        Self::search(sorted, least, &mut [0; CLASSES], &mut right)
    }
}

fn unpack(load: u32) -> (usize, u64) {
    ((load >> 16) as usize, u64::from(load & MAX_WEIGHT))
}

impl Target for ClassTarget<'_> {
    fn load(&self, row: usize, weight: u32) -> u32 {
        u32::from(self.classes[row]) << 16 | weight.min(MAX_WEIGHT)
    }

    fn enter(&mut self, samples: &[Sample]) -> bool {
        self.counts.fill(0);
        for sample in samples {
            let (class, weight) = unpack(sample.load);
            self.counts[class] += weight;
        }
        self.counts.iter().filter(|weight| **weight > 0).count() < 2
    }

    fn key(_position: usize, sample: Sample) -> u32 {
        sample.load
    }

    fn best_cut(&mut self, sorted: &[u64], _samples: &[Sample], least: usize) -> Option<Cut> {
        match self.counts.len() {
            2 => self.search_fixed::<2>(sorted, least),
            3 => self.search_fixed::<3>(sorted, least),
            4 => self.search_fixed::<4>(sorted, least),
            _ => {
                self.left.fill(0);
                self.right.copy_from_slice(&self.counts);
                Self::search(sorted, least, &mut self.left, &mut self.right)
            }
        }
    }

    fn leaf(&self, values: &mut Vec<f32>) {
        leaves::shares(&self.counts, self.units, values);
    }
}

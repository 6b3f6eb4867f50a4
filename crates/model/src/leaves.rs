//! Leaf values on a grid, so that the sum over the trees is exact in float32 in any order.
//!
//! Runtimes add the leaves of a forest in an order of their own (onnxruntime splits the trees among
//! threads). With rounded sums two runtimes could disagree about a label whose classes are close. Here
//! every leaf value is a whole number of units, and no sum exceeds 2^24 units, the most that float32
//! counts without a gap: all runtimes get the same bits, and a row's probabilities sum to exactly 1.

/// Units of a whole forest.
const UNITS: u32 = 1 << 24;

/// Units that the leaves of tree number `tree` of `trees` share out: all trees together make [`UNITS`].
pub(crate) fn units(tree: usize, trees: usize) -> u32 {
    let (tree, trees) = (tree as u32, trees as u32);
    UNITS / trees + u32::from(tree < UNITS % trees)
}

/// Appends the shares of `weights` in `units` units: rounded down, what is left to the largest
/// remainders (the first of equals), so that the shares sum to all units.
pub(crate) fn shares(weights: &[u64], units: u32, values: &mut Vec<f32>) {
    let total: u64 = weights.iter().sum();
    let product = |class: usize| u128::from(weights[class]) * u128::from(units);
    let first = values.len();
    let mut left = units;
    for class in 0..weights.len() {
        let share = (product(class) / u128::from(total)) as u32;
        left -= share;
        values.push(share as f32);
    }
    if left > 0 {
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(product(class) % u128::from(total)));
        for &class in &order[..left as usize] {
            values[first + class] += 1.0;
        }
    }
    for value in &mut values[first..] {
        *value /= UNITS as f32;
    }
}

/// The grid of a regression forest's leaves, as one tree sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    step: f64,
    /// Shares of the forest before and after this tree.
    before: f64,
    after: f64,
}

impl Grid {
    /// For residuals of at most `largest` (absolute), in tree number `tree` of `trees`.
    pub(crate) fn new(largest: f64, tree: usize, trees: usize) -> Self {
        // The exponent of the next power of two, from the bits: no logarithm that platforms round
        // differently. One bit below 24, because each of the trees may be off by a step.
        let bits = largest.to_bits();
        let exponent = (bits >> 52) as i32 - 1023 + i32::from(bits << 12 != 0) - 23;
        // Below float32's smallest normal number some runtimes flush to zero.
        let exponent = exponent.max(-126);
        Grid {
            step: f64::from_bits(((exponent + 1023) as u64) << 52),
            before: tree as f64 / trees as f64,
            after: (tree + 1) as f64 / trees as f64,
        }
    }

    /// This tree's share of a leaf's residual, on the grid. What one tree rounds off, later ones make
    /// good: trees that agree on a residual sum to it, rounded once.
    pub(crate) fn leaf(&self, residual: f64) -> f32 {
        let steps = residual / self.step;
        (((steps * self.after).round() - (steps * self.before).round()) * self.step) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_are_fair_and_whole(
            weights in proptest::collection::vec(0u64..1000, 2..9),
            (tree, trees) in (1usize..10_000).prop_flat_map(|trees| (0..trees, Just(trees))),
        ) {
            prop_assume!(weights.iter().sum::<u64>() > 0);
            let units = units(tree, trees);
            let mut values = Vec::new();
            shares(&weights, units, &mut values);
            let total = weights.iter().sum::<u64>() as f64;
            let counted: Vec<f64> = values.iter().map(|value| f64::from(*value) * f64::from(UNITS)).collect();
            prop_assert_eq!(counted.iter().sum::<f64>(), f64::from(units));
            for (weight, counted) in weights.iter().zip(counted) {
                prop_assert!((counted - *weight as f64 / total * f64::from(units)).abs() < 1.0);
            }
        }

        #[test]
        fn sums_of_the_grid_are_exact_in_any_order(
            residuals in proptest::collection::vec(-1e6f64..1e6, 1..300),
        ) {
            let largest = residuals.iter().fold(0.0f64, |most, value| most.max(value.abs()));
            let trees = residuals.len();
            let leaf = |(tree, value): (usize, &f64)| Grid::new(largest, tree, trees).leaf(*value);
            let leaves: Vec<f32> = residuals.iter().enumerate().map(leaf).collect();
            let forwards: f32 = leaves.iter().sum();
            let backwards: f32 = leaves.iter().rev().sum();
            let exact: f64 = leaves.iter().map(|leaf| f64::from(*leaf)).sum();
            prop_assert_eq!(forwards.to_bits(), backwards.to_bits());
            prop_assert_eq!(f64::from(forwards), exact);
            let mean = residuals.iter().sum::<f64>() / residuals.len() as f64;
            // A leaf is the difference of two roundings, so it is off by a step at most, and a step is
            // at most 2^-22 of the largest residual (just above a power of two).
            let step = largest / f64::from(1 << 22);
            prop_assert!((exact - mean).abs() <= step * residuals.len() as f64);
        }
    }

    #[test]
    fn trees_that_agree_sum_to_what_they_agree_on() {
        for trees in [1, 3, 100, 9_999] {
            let sum: f32 = (0..trees)
                .map(|tree| Grid::new(1.0, tree, trees).leaf(-1.0))
                .sum();
            assert_eq!(sum, -1.0);
        }
    }

    #[test]
    fn a_forest_has_all_units() {
        for trees in [1, 3, 100, 10_000] {
            assert_eq!((0..trees).map(|tree| units(tree, trees)).sum::<u32>(), UNITS);
        }
    }
}

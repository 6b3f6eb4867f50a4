//! Distances between two samples of numbers.

use crate::categories::{self, CategoryError};
use crate::ecdf::Ecdf;

/// Goes through all distinct values of both samples: `visit(width to the next value, F(x), G(x))`.
fn walk(a: &Ecdf, b: &Ecdf, mut visit: impl FnMut(f64, f64, f64)) {
    let (size_a, size_b) = (a.count() as f64, b.count() as f64);
    let (xs, ys) = (a.values(), b.values());
    let (mut i, mut j) = (0, 0);
    let next = |i: usize, j: usize| match (xs.get(i), ys.get(j)) {
        (Some(&x), Some(&y)) => Some(x.min(y)),
        (Some(&x), None) => Some(x),
        (None, y) => y.copied(),
    };
    let upto = |ecdf: &Ecdf, place: usize| {
        if place == 0 {
            0.0
        } else {
            ecdf.cumulative()[place - 1] as f64
        }
    };
    while let Some(here) = next(i, j) {
        i += usize::from(xs.get(i) == Some(&here));
        j += usize::from(ys.get(j) == Some(&here));
        if let Some(there) = next(i, j) {
            visit(there - here, upto(a, i) / size_a, upto(b, j) / size_b);
        }
    }
}

/// First Wasserstein (earth mover's) distance `∫|F − G|`: `scipy.stats.wasserstein_distance`.
pub fn wasserstein(a: &Ecdf, b: &Ecdf) -> f64 {
    let mut sum = 0.0;
    walk(a, b, |width, f, g| sum += width * (f - g).abs());
    sum
}

/// One-dimensional energy distance `√(2∫(F − G)²)`: `scipy.stats.energy_distance`.
pub fn energy(a: &Ecdf, b: &Ecdf) -> f64 {
    let mut sum = 0.0;
    walk(a, b, |width, f, g| sum += width * (f - g).powi(2));
    (2.0 * sum).sqrt()
}

/// Upper ends of at most `bins` bins of about equal counts of `sample`: its quantiles, each once.
/// A value belongs to the first bin whose end is not below it; the last bin has no end.
pub fn quantile_bins(sample: &Ecdf, bins: usize) -> Vec<f64> {
    let mut ends: Vec<f64> = (1..bins as u64)
        .map(|bin| {
            let wanted = (bin * sample.count()).div_ceil(bins as u64);
            let place = sample.cumulative().partition_point(|&upto| upto < wanted);
            sample.values()[place]
        })
        .collect();
    ends.dedup();
    // Nothing lies above the largest value: the last, open bin begins with it.
    if ends.last() == sample.values().last() && ends.len() > 1 {
        ends.pop();
    }
    ends
}

/// Counts of `sample` in the bins of [`quantile_bins`].
pub fn binned(sample: &Ecdf, ends: &[f64]) -> Vec<u64> {
    let mut before = 0;
    let mut counts: Vec<u64> = ends
        .iter()
        .map(|&end| {
            let place = sample.values().partition_point(|&value| value <= end);
            let upto = if place == 0 {
                0
            } else {
                sample.cumulative()[place - 1]
            };
            let count = upto - before;
            before = upto;
            count
        })
        .collect();
    counts.push(sample.count() - before);
    counts
}

/// [`categories::psi`] over ten bins of about equal counts of the reference.
pub fn psi(reference: &Ecdf, current: &Ecdf) -> Result<f64, CategoryError> {
    let ends = quantile_bins(reference, 10);
    categories::psi(&binned(reference, &ends), &binned(current, &ends))
}

/// [`categories::jensen_shannon`] over the same bins.
pub fn jensen_shannon(reference: &Ecdf, current: &Ecdf) -> Result<f64, CategoryError> {
    let ends = quantile_bins(reference, 10);
    categories::jensen_shannon(&binned(reference, &ends), &binned(current, &ends))
}

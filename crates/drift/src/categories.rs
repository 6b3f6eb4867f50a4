//! Two tables of counts over the same categories: chi-square, G, Jensen–Shannon, PSI.
//!
//! A category that only one side knows is a category with a count of 0 on the other side; one that
//! neither side has seen says nothing and is left out.

use crate::special::chi_square_sf;
use serde::{Deserialize, Serialize};

/// Why two tables of counts were not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CategoryError {
    /// No observation.
    #[error("the {side} counts are all 0, at least one observation is needed")]
    Empty {
        /// `reference` or `current`.
        side: &'static str,
    },
    /// Both sides must count the same categories.
    #[error("{reference} reference counts, {current} current counts: the categories differ")]
    Length {
        /// Counts of the reference.
        reference: usize,
        /// Counts of the current side.
        current: usize,
    },
}

/// A test over categories.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoryTest {
    /// Chi-square or G.
    pub statistic: f64,
    /// Upper tail of the chi-square distribution: a limit law, rough where expected counts are below 5.
    pub p_value: f64,
    /// Categories seen on either side, less one. 0: there was only one category, p is 1.
    pub degrees: u64,
    /// Smallest expected count: below 5 the p-value should not be quoted.
    pub least_expected: f64,
}

/// Both totals, after the checks that every comparison needs.
fn totals(reference: &[u64], current: &[u64]) -> Result<[f64; 2], CategoryError> {
    if reference.len() != current.len() {
        return Err(CategoryError::Length {
            reference: reference.len(),
            current: current.len(),
        });
    }
    let sum = |side, counts: &[u64]| match counts.iter().sum::<u64>() {
        0 => Err(CategoryError::Empty { side }),
        sum => Ok(sum as f64),
    };
    Ok([sum("reference", reference)?, sum("current", current)?])
}

fn test(
    reference: &[u64],
    current: &[u64],
    cell: impl Fn(f64, f64) -> f64,
) -> Result<CategoryTest, CategoryError> {
    let totals = totals(reference, current)?;
    let all = totals[0] + totals[1];
    let (mut statistic, mut kinds, mut least) = (0.0, 0_u64, f64::INFINITY);
    for (&a, &b) in reference.iter().zip(current).filter(|&(a, b)| a + b > 0) {
        kinds += 1;
        for (seen, total) in [(a, totals[0]), (b, totals[1])] {
            let expected = (a + b) as f64 * total / all;
            least = least.min(expected);
            statistic += cell(seen as f64, expected);
        }
    }
    let degrees = kinds - 1;
    // One category: nothing can differ, and what is left is rounding.
    let statistic = if degrees == 0 { 0.0 } else { statistic.max(0.0) };
    Ok(CategoryTest {
        statistic,
        p_value: if degrees == 0 {
            1.0
        } else {
            chi_square_sf(statistic, degrees)
        },
        degrees,
        least_expected: least,
    })
}

/// Pearson's chi-square test of homogeneity: `scipy.stats.chi2_contingency(correction=False)`.
pub fn chi_square(reference: &[u64], current: &[u64]) -> Result<CategoryTest, CategoryError> {
    test(reference, current, |seen, expected| {
        (seen - expected).powi(2) / expected
    })
}

/// The G test (likelihood ratio): the same with `lambda_="log-likelihood"`.
pub fn g_test(reference: &[u64], current: &[u64]) -> Result<CategoryTest, CategoryError> {
    test(reference, current, |seen, expected| {
        if seen == 0.0 {
            0.0
        } else {
            2.0 * seen * (seen / expected).ln()
        }
    })
}

/// Jensen–Shannon distance, 0 to √ln 2: `scipy.spatial.distance.jensenshannon` with natural logarithms.
pub fn jensen_shannon(reference: &[u64], current: &[u64]) -> Result<f64, CategoryError> {
    let totals = totals(reference, current)?;
    let part = |p: f64, m: f64| if p == 0.0 { 0.0 } else { p * (p / m).ln() };
    let divergence: f64 = reference
        .iter()
        .zip(current)
        .map(|(&a, &b)| {
            let (p, q) = (a as f64 / totals[0], b as f64 / totals[1]);
            let middle = (p + q) / 2.0;
            part(p, middle) + part(q, middle)
        })
        .sum();
    Ok((divergence.max(0.0) / 2.0).sqrt())
}

/// Population stability index `Σ (q − p)·ln(q/p)` (S. Lewis, "An Introduction to Credit Scoring", 1994).
///
/// The textbook's index is infinite where a category is empty on one side; here each share is
/// `(count + ½) / (total + k/2)` over the k categories seen on either side (Jeffreys' prior).
pub fn psi(reference: &[u64], current: &[u64]) -> Result<f64, CategoryError> {
    let totals = totals(reference, current)?;
    let seen = || reference.iter().zip(current).filter(|&(a, b)| a + b > 0);
    let halves = seen().count() as f64 / 2.0;
    let share = |count: u64, total: f64| (count as f64 + 0.5) / (total + halves);
    Ok(seen()
        .map(|(&a, &b)| {
            let (p, q) = (share(a, totals[0]), share(b, totals[1]));
            (q - p) * (q / p).ln()
        })
        .sum())
}

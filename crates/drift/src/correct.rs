//! Corrections for many p-values at once: adjusted p-values, in the order of the given ones.
//!
//! An adjusted p-value is at most the level exactly if the procedure rejects. Both hold under any
//! dependence between the p-values. NaN stands for "not tested" and stays NaN; it is not counted.

use serde::{Deserialize, Serialize};

/// Which one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// [`holm`]: no false rejection at all, with the level's probability.
    #[default]
    Holm,
    /// [`benjamini_yekutieli`]: a bounded share of false ones among the rejections.
    BenjaminiYekutieli,
}

impl Correction {
    /// Adjusted p-values.
    pub fn adjust(self, p_values: &[f64]) -> Vec<f64> {
        match self {
            Correction::Holm => holm(p_values),
            Correction::BenjaminiYekutieli => benjamini_yekutieli(p_values),
        }
    }

    /// What each p-value is held against, in the order of the given ones, and the same said of all: Holm's procedure
    /// goes up from the smallest p-value and stops at the first that is above its threshold; Benjamini's and
    /// Yekutieli's goes down from the largest and stops at the first that is not.
    pub fn thresholds(self, p_values: &[f64], level: f64) -> Vec<Threshold> {
        let order = ascending(p_values);
        let (count, mut thresholds) = (order.len(), vec![Threshold::default(); p_values.len()]);
        let harmonic: f64 = (1..=count).map(|i| 1.0 / i as f64).sum();
        for (place, &index) in order.iter().enumerate() {
            thresholds[index] = Threshold {
                rank: place + 1,
                p_value: match self {
                    Correction::Holm => level / (count - place) as f64,
                    Correction::BenjaminiYekutieli => level * (place + 1) as f64 / (count as f64 * harmonic),
                },
            };
        }
        thresholds
    }
}

/// What one p-value among many is held against.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Threshold {
    /// From 1, of the smallest p-value; 0 where nothing was tested.
    pub rank: usize,
    /// Largest p-value that is small enough at this rank.
    pub p_value: f64,
}

/// Positions of the p-values that are numbers, smallest first.
fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|&i| !p_values[i].is_nan()).collect();
    order.sort_by(|&i, &j| p_values[i].total_cmp(&p_values[j]));
    order
}

/// S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
/// Statistics 6 (1979): the familywise error.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![f64::NAN; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max((order.len() - rank) as f64 * p_values[index]);
        adjusted[index] = largest.min(1.0);
    }
    adjusted
}

/// Y. Benjamini, D. Yekutieli, "The control of the false discovery rate in multiple testing under
/// dependency", Annals of Statistics 29 (2001): `scipy.stats.false_discovery_control(method="by")`.
/// Where nothing has drifted every rejection is a false one, and the familywise error is bounded too.
pub fn benjamini_yekutieli(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let count = order.len();
    let harmonic: f64 = (1..=count).map(|i| 1.0 / i as f64).sum();
    let mut adjusted = vec![f64::NAN; p_values.len()];
    let mut smallest = 1.0_f64;
    for (rank, &index) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[index] * count as f64 * harmonic / (rank + 1) as f64);
        adjusted[index] = smallest;
    }
    adjusted
}

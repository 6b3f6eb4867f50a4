//! The one-sided two-sample test: `scipy.stats.ks_2samp(alternative="less" | "greater")`.

use super::distance::Sides;
use super::{KsResult, MAX_AUTO_SIZE, Method, exact};
use crate::ecdf::Ecdf;
use serde::{Deserialize, Serialize};
use statrs::function::factorial::ln_binomial;

/// Which difference is looked for; SciPy's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alternative {
    /// The reference's distribution function lies below the current one's: current values are smaller.
    Less,
    /// It lies above: current values are larger.
    Greater,
}

/// Compares two sorted samples in one direction.
///
/// Exact p-values for equal sizes are a closed form; else paths are counted, and where the number of
/// paths overflows a double SciPy takes the limit law, and so does this.
pub fn one_sided(reference: &Ecdf, current: &Ecdf, alternative: Alternative, method: Method) -> KsResult {
    let sides = Sides::between(reference, current);
    let (size_a, size_b) = (reference.count(), current.count());
    let (peak, numerator, sign) = match alternative {
        Alternative::Greater => (sides.above, sides.above_numerator, 1),
        Alternative::Less => (sides.below, sides.below_numerator, -1),
    };
    let countable = size_a == size_b || ln_binomial(size_a + size_b, size_a) < f64::MAX.ln();
    let exact = match method {
        Method::Auto => size_a.max(size_b) <= MAX_AUTO_SIZE,
        Method::Asymp => false,
        Method::Exact => exact::affordable(numerator, size_a, size_b),
    };
    let (statistic, p_value, method) = if exact && (countable || numerator == 0) {
        let statistic = exact::fraction(numerator, size_a, size_b);
        let p_value = exact::one_sided_p_value(numerator, size_a, size_b);
        (statistic, p_value, Method::Exact)
    } else {
        let statistic = peak.height.clamp(0.0, 1.0);
        (statistic, limit_law(statistic, size_a, size_b), Method::Asymp)
    };
    KsResult {
        statistic,
        p_value,
        location: peak.location,
        sign,
        method,
    }
}

/// J. L. Hodges, "The significance probability of the Smirnov two-sample test", Arkiv för Matematik 3
/// (1958), equation 5.3: Smirnov's limit with a correction for unequal sizes.
fn limit_law(d: f64, size_a: u64, size_b: u64) -> f64 {
    let (m, n) = (size_a.max(size_b) as f64, size_a.min(size_b) as f64);
    let z = (m * n / (m + n)).sqrt() * d;
    let exponent = -2.0 * z * z - 2.0 * z * (m + 2.0 * n) / (m * n * (m + n)).sqrt() / 3.0;
    exponent.exp().clamp(0.0, 1.0)
}

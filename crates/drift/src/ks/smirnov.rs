//! Exact tail of the one-sided one-sample statistic.

use statrs::consts::LN_SQRT_2PI;
use statrs::function::factorial::ln_factorial;

/// `P(D⁺_n ≥ x)`, 0 < x < 1, by the sum of Z. W. Birnbaum and F. H. Tingey, "One-sided confidence
/// contours for probability distribution functions", Annals of Mathematical Statistics 22 (1951):
/// `x · Σ_{v=0}^{⌊n(1−x)⌋} C(n,v) (x + v/n)^{v−1} (1 − x − v/n)^{n−v}`.
///
/// All terms are positive. Each is a binomial probability at `p = x + v/n` times `x/p`, which is
/// evaluated by its saddle point (C. Loader, "Fast and accurate computation of binomial
/// probabilities", 2000): the exponent is never the difference of large logarithms, so that tails
/// of 1e-300 keep their digits, where `ln Γ` would lose them.
pub fn sf(n: u64, x: f64) -> f64 {
    let size = n as f64;
    let shift = size * x;
    let mut sum = (size * (-x).ln_1p()).exp();
    for v in 1..n {
        let hits = v as f64;
        let misses = size - hits;
        let expected_misses = misses - shift;
        if expected_misses <= 0.0 {
            break;
        }
        let expected_hits = hits + shift;
        let exponent = stirling_error(n)
            - stirling_error(v)
            - stirling_error(n - v)
            - deviance(hits, expected_hits, -shift)
            - deviance(misses, expected_misses, shift);
        let root = (size / (std::f64::consts::TAU * hits * misses)).sqrt();
        sum += exponent.exp() * root * shift / expected_hits;
    }
    sum.min(1.0)
}

/// `ln n! − ln(√(2πn)·(n/e)^n)`: Stirling's series from 16 on, where five terms give all digits.
fn stirling_error(n: u64) -> f64 {
    let x = n as f64;
    if n < 16 {
        return ln_factorial(n) - LN_SQRT_2PI - (x + 0.5) * x.ln() + x;
    }
    let square = x * x;
    (1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square) / square)
        / x
}

/// `x·ln(x/m) + m − x`, given `difference = x − m` without cancellation.
fn deviance(x: f64, mean: f64, difference: f64) -> f64 {
    if difference.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() - difference;
    }
    // ln(x/m) = 2·artanh(u): the first term cancels against the difference and is left out.
    let u = difference / (x + mean);
    let square = u * u;
    let mut sum = difference * u;
    let mut term = 2.0 * x * u;
    for odd in (3..).step_by(2) {
        term *= square;
        let next = sum + term / f64::from(odd);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{Binomial, Discrete};

    #[test]
    fn terms_agree_with_binomial_probabilities() {
        for (n, x) in [(1_u64, 0.3), (2, 0.6), (20, 0.11), (150, 0.2), (900, 0.04)] {
            let last = (n as f64 * (1.0 - x)).floor() as u64;
            let direct: f64 = (0..=last)
                .map(|v| {
                    let p = x + v as f64 / n as f64;
                    let probability = Binomial::new(p.min(1.0), n).unwrap().pmf(v);
                    probability * x / p
                })
                .sum();
            let relative = sf(n, x) / direct - 1.0;
            assert!(relative.abs() < 1e-11, "n {n}, x {x}: {relative:e}");
        }
    }
}

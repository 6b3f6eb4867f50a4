//! Asymptotic p-values: the two-sided one-sample distribution at the effective sample size.
//!
//! R. Simard, P. L'Ecuyer, "Computing the two-sided Kolmogorov–Smirnov distribution", Journal of
//! Statistical Software 39 (11), 2011: which formula serves where. The borders are those of
//! `scipy.stats.kstwo`, so that the approximations, which differ from each other by 1e-8 or so,
//! agree to the last digits. Where SciPy changes between two exact algorithms for up to 140 values
//! (Durbin's matrix and Pomeranz' recursion), the matrix serves alone: both are exact.

use super::{durbin, pelz_good, smirnov};

/// The p-value of statistic `d` between samples of these sizes (not both 1).
pub fn p_value(d: f64, size_a: u64, size_b: u64) -> f64 {
    let (long, short) = (size_a.max(size_b) as f64, size_a.min(size_b) as f64);
    // Half-way cases go to the even neighbour, as numpy rounds.
    let effective = (long * short / (long + short)).round_ties_even();
    sf(effective as u64, d).clamp(0.0, 1.0)
}

/// `P(D_n > x)` for n ≥ 1.
fn sf(n: u64, x: f64) -> f64 {
    let size = n as f64;
    let scaled = size * x;
    if x >= 1.0 {
        return 0.0;
    }
    if scaled <= 0.5 {
        return 1.0;
    }
    if scaled <= 1.0 {
        // H. Ruben, J. Gambino (1982): n!·(2x − 1/n)^n.
        let base = 2.0 * scaled - 1.0;
        return 1.0 - (1..=n).map(|i| i as f64 / size * base).product::<f64>();
    }
    if scaled >= size - 1.0 {
        return 2.0 * (1.0 - x).powf(size);
    }
    if x >= 0.5 {
        return 2.0 * smirnov::sf(n, x);
    }
    let square = scaled * x;
    if n <= 140 {
        return if square <= 4.0 {
            1.0 - durbin::cdf(n, x)
        } else {
            2.0 * smirnov::sf(n, x)
        };
    }
    if square >= 370.0 {
        0.0
    } else if square >= 2.2 {
        // L. H. Miller (1956): both sides at once hardly ever happen out here.
        2.0 * smirnov::sf(n, x)
    } else if n <= 100_000 && size * x.powf(1.5) <= 1.4 {
        1.0 - durbin::cdf(n, x)
    } else {
        pelz_good::sf(n, x)
    }
}

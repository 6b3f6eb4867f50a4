//! The two-sample Cramér–von Mises test: `scipy.stats.cramervonmises_2samp`.

use crate::ecdf::Ecdf;
use crate::ks::Method;
use crate::special::bessel_k_quarter_scaled;
use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;
use std::f64::consts::PI;

/// Above this size of either sample [`Method::Auto`] takes the limit law, as SciPy does.
const MAX_AUTO_SIZE: u64 = 20;
/// Larger products of sizes have too many values of the statistic to be counted.
const MAX_EXACT_PRODUCT: u64 = 400;

/// Outcome of the test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CvmResult {
    /// Anderson's T.
    pub statistic: f64,
    /// `P(T ≥ t)`. The limit law is one minus a series: below 1e-14 it is not told from 0 (nor by SciPy).
    pub p_value: f64,
    /// `exact` or `asymp`.
    pub method: Method,
}

/// Compares two sorted samples; `None` if a side has fewer than two values.
pub fn cramer_von_mises(a: &Ecdf, b: &Ecdf, method: Method) -> Option<CvmResult> {
    let (m, n) = (a.count(), b.count());
    if m.min(n) < 2 {
        return None;
    }
    let four_u = four_u(a, b);
    let (size, product) = ((m + n) as f64, (m * n) as f64);
    let u = four_u as f64 / 4.0;
    let statistic = u / (product * size) - (4.0 * product - 1.0) / (6.0 * size);
    let exact = match method {
        Method::Auto => m.max(n) <= MAX_AUTO_SIZE,
        Method::Exact => m * n <= MAX_EXACT_PRODUCT,
        Method::Asymp => false,
    };
    let (p_value, method) = if exact {
        (exact_p(four_u, m, n), Method::Exact)
    } else {
        (limit_p(statistic, m as f64, n as f64), Method::Asymp)
    };
    Some(CvmResult {
        statistic,
        p_value,
        method,
    })
}

/// `4·(m·Σ(r_i − i)² + n·Σ(s_j − j)²)` with the mid-ranks r, s of both samples among all values:
/// T. W. Anderson, "On the distribution of the two-sample Cramér–von Mises criterion", Annals of
/// Mathematical Statistics 33 (1962), equation 10. Four times, so that mid-ranks stay integers.
fn four_u(a: &Ecdf, b: &Ecdf) -> i128 {
    let sizes = [i128::from(a.count()), i128::from(b.count())];
    let (mut i, mut j, mut sum) = (0, 0, 0_i128);
    let mut before = [0_u64; 2];
    loop {
        let here = match (a.values().get(i), b.values().get(j)) {
            (Some(&x), Some(&y)) => x.min(y),
            (Some(&x), None) => x,
            (None, Some(&y)) => y,
            (None, None) => return sum,
        };
        let start = before;
        for (side, (sample, place)) in [(a, &mut i), (b, &mut j)].into_iter().enumerate() {
            if sample.values().get(*place) == Some(&here) {
                before[side] = sample.cumulative()[*place];
                *place += 1;
            }
        }
        // Twice the mid-rank of the tied group, from 1.
        let twice_rank = i128::from(start[0] + start[1] + before[0] + before[1] + 1);
        for side in 0..2 {
            // Σ (R − 2k)² over the group's k, in closed form.
            let (first, last) = (i128::from(start[side]), i128::from(before[side]));
            let count = last - first;
            let sum_k = (last * (last + 1) - first * (first + 1)) / 2;
            let squares = |k: i128| k * (k + 1) * (2 * k + 1) / 6;
            let sum_k2 = squares(last) - squares(first);
            sum += sizes[side] * (count * twice_rank * twice_rank - 4 * twice_rank * sum_k + 4 * sum_k2);
        }
    }
}

fn limit_p(statistic: f64, m: f64, n: f64) -> f64 {
    let (size, product) = (m + n, m * n);
    // Mean and variance of T (Anderson), moved to those of the limit.
    let mean = (1.0 + 1.0 / size) / 6.0;
    let variance = (size + 1.0) * (4.0 * product * size - 3.0 * (m * m + n * n) - 2.0 * product)
        / (45.0 * size * size * 4.0 * product);
    let scaled = 1.0 / 6.0 + (statistic - mean) / (45.0 * variance).sqrt();
    if scaled < 0.003 {
        1.0
    } else {
        (1.0 - limit_cdf(scaled)).max(0.0)
    }
}

/// S. Csörgő, J. J. Faraway, "The exact and asymptotic distributions of Cramér–von Mises statistics",
/// Journal of the Royal Statistical Society B 58 (1996), equation 1.3. The series ends where SciPy ends it.
fn limit_cdf(x: f64) -> f64 {
    let mut sum = 0.0;
    for k in 0.. {
        let k = f64::from(k);
        let front = (ln_gamma(k + 0.5) - ln_gamma(k + 1.0)).exp() / (PI.powf(1.5) * x.sqrt());
        let y = 4.0 * k + 1.0;
        let q = y * y / (16.0 * x);
        let term = front * y.sqrt() * (-2.0 * q).exp() * bessel_k_quarter_scaled(q);
        sum += term;
        if term.abs() < 1e-7 {
            break;
        }
    }
    sum
}

/// Share of orders whose statistic is at least as large: Y. Xiao, A. Gordon, A. Yakovlev, "A C++
/// program for the Cramér–von Mises two-sample test", Journal of Statistical Software 17 (8), 2006.
/// Shares in place of counts: nothing overflows, and only positive terms are added.
fn exact_p(four_u: i128, m: u64, n: u64) -> f64 {
    let (mut a, mut b) = (m, n);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let lcm = m / a * n;
    let (a, b) = ((lcm / m) as i64, (lcm / n) as i64);
    let (wide, product) = (i128::from(lcm), i128::from(m * n));
    let top = wide * wide * i128::from(m + n) * (6 * four_u - 4 * product * (4 * product - 1));
    let zeta = top.div_euclid(24 * product * product);
    // For each v: values of the sum over paths to (u, v), ascending, and how likely each is.
    let mut row: Vec<Vec<(u64, f64)>> = vec![Vec::new(); m as usize + 1];
    for u in 0..=n as i64 {
        for v in 0..=m as usize {
            let here = (a * v as i64 - b * u).unsigned_abs().pow(2);
            let steps = (u + v as i64) as f64;
            let merged = match (u, v) {
                (0, 0) => vec![(0, 1.0)],
                (0, _) => row[v - 1].clone(),
                (_, 0) => row[0].clone(),
                _ => merge(&row[v - 1], v as f64 / steps, &row[v], u as f64 / steps),
            };
            row[v] = merged
                .into_iter()
                .map(|(value, share)| (value + here, share))
                .collect();
        }
    }
    let tail = row[m as usize]
        .iter()
        .rev()
        .take_while(|(value, _)| i128::from(*value) >= zeta);
    tail.map(|(_, share)| share).sum::<f64>().min(1.0)
}

/// Two ascending lists as one, shares weighted.
fn merge(left: &[(u64, f64)], weight: f64, right: &[(u64, f64)], other: f64) -> Vec<(u64, f64)> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        let x = left.get(i).map_or(u64::MAX, |entry| entry.0);
        let y = right.get(j).map_or(u64::MAX, |entry| entry.0);
        let mut share = 0.0;
        if x <= y {
            share += left[i].1 * weight;
            i += 1;
        }
        if y <= x {
            share += right[j].1 * other;
            j += 1;
        }
        merged.push((x.min(y), share));
    }
    merged
}

//! Exact tests of rates: how often something happened among two sides' observations.
//!
//! Under the null hypothesis every choice of which observations are the current side's is equally
//! likely, so that counts are hypergeometric: exact at any size and any level, as no limit law is.

use serde::{Deserialize, Serialize};
use statrs::function::factorial::ln_binomial;

/// Events among observations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How often it happened.
    pub events: u64,
    /// Out of how many.
    pub of: u64,
}

impl Rate {
    /// Share of events; `None` without observations.
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| self.events as f64 / self.of as f64)
    }
}

/// `P(X ≥ k)` for `draws` out of `all` of which `marked` are marked: `scipy.stats.hypergeom.sf(k − 1)`.
///
/// Only positive terms are added, from the largest one wanted downwards.
pub fn hypergeometric_sf(k: u64, all: u64, marked: u64, draws: u64) -> f64 {
    let lowest = (marked + draws).saturating_sub(all);
    let highest = marked.min(draws);
    if k <= lowest {
        return 1.0;
    }
    if k > highest {
        return 0.0;
    }
    // Above the mode terms fall and are added upwards from k; below it the other tail is smaller.
    let mode = (marked + 1) * (draws + 1) / (all + 2);
    let term = |x: u64| {
        (ln_binomial(marked, x) + ln_binomial(all - marked, draws - x) - ln_binomial(all, draws)).exp()
    };
    // all + x − marked − draws, without going below zero on the way.
    let left = |x: u64| (all + x) - marked - draws;
    if k > mode {
        let (mut sum, mut last, mut x) = (0.0, term(k), k);
        while last > sum * 1e-17 {
            sum += last;
            if x == highest {
                break;
            }
            last *= (marked - x) as f64 * (draws - x) as f64 / ((x + 1) as f64 * left(x + 1) as f64);
            x += 1;
        }
        sum.min(1.0)
    } else {
        let (mut sum, mut x) = (0.0, k - 1);
        let mut last = term(x);
        while last > sum * 1e-17 {
            sum += last;
            if x == lowest {
                break;
            }
            last *= x as f64 * left(x) as f64 / ((marked - x + 1) as f64 * (draws - x + 1) as f64);
            x -= 1;
        }
        (1.0 - sum).max(0.0)
    }
}

/// Two-sided exact test that both rates are one: twice the smaller tail of Fisher's exact test.
/// 1 where a side has no observations: nothing speaks against the null hypothesis.
pub fn rate_test(reference: Rate, current: Rate) -> f64 {
    if reference.of == 0 || current.of == 0 {
        return 1.0;
    }
    let (all, marked) = (reference.of + current.of, reference.events + current.events);
    let upper = hypergeometric_sf(current.events, all, marked, current.of);
    // Few events of the current side are many of the reference's.
    let lower = hypergeometric_sf(reference.events, all, marked, reference.of);
    (2.0 * upper.min(lower)).min(1.0)
}

/// `P(at least this many of the current values lie outside of the reference's range)`, exact for
/// continuous values and an upper bound with ties.
///
/// The stretches between neighbouring reference values are exchangeable (S. S. Wilks, "Order
/// statistics", Bulletin of the AMS 54, 1948): both end stretches together hold as many current values
/// as the two lowest ones, and those hold k or more exactly if at most one of the k + 1 lowest
/// values of all belongs to the reference.
pub fn out_of_range_p(outside: u64, reference: u64, current: u64) -> f64 {
    if outside == 0 || reference == 0 || current == 0 {
        return 1.0;
    }
    // At least `outside` of the `outside + 1` lowest are current ones.
    hypergeometric_sf(
        outside,
        reference + current,
        current,
        (outside + 1).min(reference + current),
    )
}

/// Categories: exact tests of each category's share, times the number of categories (Bonferroni).
///
/// What decisions use in place of chi-square, whose limit law is rough where counts are small, and
/// roughest at the small levels at which decisions are made.
pub fn shares_test(reference: &[u64], current: &[u64]) -> f64 {
    let (of_a, of_b) = (reference.iter().sum(), current.iter().sum());
    let seen = || reference.iter().zip(current).filter(|&(a, b)| a + b > 0);
    let kinds = seen().count();
    // With two categories the tests of both are one test.
    let tests = if kinds == 2 { 1 } else { kinds };
    let least = seen()
        .map(|(&a, &b)| rate_test(Rate { events: a, of: of_a }, Rate { events: b, of: of_b }))
        .fold(1.0, f64::min);
    // Nothing seen on either side: no test, nothing found.
    (least * tests.max(1) as f64).min(1.0)
}

/// `P(at least as many current observations lie in categories that the reference does not have)`, at most.
///
/// Which observations are the current side's is uniform over all choices, so that all c of a category are current
/// with the chance of drawing no other: that gives the expected number of such observations, and Markov's
/// inequality bounds the chance of the number seen. Weak where the reference is small, sharp where it is large enough
/// that a category of some ten observations should have been seen.
pub fn unseen_p(reference: &[u64], current: &[u64]) -> f64 {
    let (ours, theirs): (u64, u64) = (reference.iter().sum(), current.iter().sum());
    let pairs = || reference.iter().zip(current);
    let seen: u64 = pairs().filter(|&(&a, _)| a == 0).map(|(_, &b)| b).sum();
    if seen == 0 || ours == 0 {
        return 1.0;
    }
    let all = ours + theirs;
    let expected: f64 = pairs()
        .map(|(&a, &b)| a + b)
        .filter(|&count| count > 0 && count <= theirs)
        .map(|count| {
            count as f64 * (ln_binomial(all - count, theirs - count) - ln_binomial(all, theirs)).exp()
        })
        .sum();
    (expected / seen as f64).min(1.0)
}

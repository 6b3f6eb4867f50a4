//! A column of categories.

use super::{Feature, MISSING, Tested, words};
use crate::categories::{self, CategoryTest};
use crate::rates::{Rate, rate_test, unseen_p};
use crate::rule::Rule;
use serde::Serialize;
use std::collections::BTreeMap;

/// So many categories are listed, those that changed most: a column of names has as many as rows.
const LISTED_MAX: usize = 50;

/// How often one category was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// The category.
    pub value: String,
    /// Rows of the reference.
    pub reference: u64,
    /// Rows of the current table.
    pub current: u64,
}

/// Statistics of a column of categories. Missing values are no category.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CategoryStatistics {
    /// Pearson's test of homogeneity.
    pub chi_square: CategoryTest,
    /// The likelihood ratio test.
    pub g: CategoryTest,
    /// Fisher's exact test of each category's share, Bonferroni over categories; what is decided by.
    pub fisher: f64,
    /// [`categories::jensen_shannon`].
    pub jensen_shannon: f64,
    /// [`categories::psi`].
    pub psi: f64,
    /// Current values in categories that the reference does not have.
    pub new: Rate,
    /// Categories seen on either side.
    pub categories_total: u64,
    /// Those that changed most (at most 50), by how far.
    pub categories: Vec<Share>,
}

impl Share {
    pub(super) fn change(&self, totals: [u64; 2]) -> f64 {
        self.current as f64 / totals[1] as f64 - self.reference as f64 / totals[0] as f64
    }
}

/// Every category of either side with both counts, by name.
fn shares(reference: (&[u32], &[String]), current: (&[u32], &[String])) -> Vec<Share> {
    let mut counts: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for (side, (codes, names)) in [reference, current].into_iter().enumerate() {
        let mut seen = vec![0_u64; names.len()];
        for &code in codes.iter().filter(|&&code| code != MISSING) {
            seen[code as usize] += 1;
        }
        for (name, count) in names.iter().zip(seen) {
            counts.entry(name).or_default()[side] += count;
        }
    }
    let share = |(value, [reference, current]): (&str, [u64; 2])| Share {
        value: value.to_owned(),
        reference,
        current,
    };
    counts
        .into_iter()
        .map(share)
        .filter(|share| share.reference + share.current > 0)
        .collect()
}

/// Each category's p-value times the number of tests, and all of them in one.
fn fisher(shares: &[Share], totals: [u64; 2]) -> (Vec<f64>, f64) {
    // With two categories the tests of both are one test.
    let tests = if shares.len() == 2 { 1 } else { shares.len() } as f64;
    let each: Vec<f64> = shares
        .iter()
        .map(|share| {
            let rate = |events, of| Rate { events, of };
            let p_value = rate_test(rate(share.reference, totals[0]), rate(share.current, totals[1]));
            (p_value * tests).min(1.0)
        })
        .collect();
    let least = each.iter().copied().fold(1.0, f64::min);
    (each, least)
}

/// The share of rows that moved: the largest change of one category, or all changes in one direction that are
/// significant each for itself (chance moves a little of many categories, and that sums up).
fn moved(shares: &[Share], totals: [u64; 2], p_values: &[f64], level: f64) -> f64 {
    let (mut largest, mut sums) = (0.0_f64, [0.0_f64; 2]);
    for (share, &p_value) in shares.iter().zip(p_values) {
        let change = share.change(totals);
        largest = largest.max(change.abs());
        if p_value <= level {
            sums[usize::from(change > 0.0)] += change.abs();
        }
    }
    largest.max(sums[0]).max(sums[1]).min(1.0)
}

/// Both sides have values.
pub(super) fn compare(
    feature: &mut Feature,
    reference: (&[u32], &[String]),
    current: (&[u32], &[String]),
    rule: &Rule,
) {
    let mut shares = shares(reference, current);
    let counts: [Vec<u64>; 2] = [
        shares.iter().map(|share| share.reference).collect(),
        shares.iter().map(|share| share.current).collect(),
    ];
    let totals = [counts[0].iter().sum(), counts[1].iter().sum::<u64>()];
    let (Ok(chi_square), Ok(g), Ok(jensen_shannon), Ok(psi)) = (
        categories::chi_square(&counts[0], &counts[1]),
        categories::g_test(&counts[0], &counts[1]),
        categories::jensen_shannon(&counts[0], &counts[1]),
        categories::psi(&counts[0], &counts[1]),
    ) else {
        return;
    };
    let (each, fisher) = fisher(&shares, totals);
    let effect = moved(&shares, totals, &each, rule.level);
    let new = Rate {
        events: shares
            .iter()
            .filter(|share| share.reference == 0)
            .map(|share| share.current)
            .sum(),
        of: totals[1],
    };
    let total = shares.len() as u64;
    // Ties stay in the order of names.
    shares.sort_by(|a, b| b.change(totals).abs().total_cmp(&a.change(totals).abs()));
    let said = words::shares(&feature.name, &shares, totals);
    feature.tested(Tested::Distribution, effect, fisher, said);
    let said = words::new(&shares, new);
    let share = new.share().unwrap_or(0.0);
    let p_value = unseen_p(&counts[0], &counts[1]);
    let words = format!("{}: {said}", feature.name);
    feature.tested(Tested::NewCategories, share, p_value, words);
    if total >= 20 && 2 * total > totals[0] + totals[1] {
        // What else could be said of such a column follows from it.
        feature.notes.push(words::identifiers(total));
    } else {
        if new.events > 0 {
            feature.notes.push(said);
        }
        if total > 1 && chi_square.least_expected < 5.0 {
            feature.notes.push(words::small_counts(chi_square.least_expected));
        }
    }
    if total == 1 {
        feature.notes.push("one category on both sides".to_owned());
    }
    shares.truncate(LISTED_MAX);
    feature.categories = Some(CategoryStatistics {
        chi_square,
        g,
        fisher,
        jensen_shannon,
        psi,
        new,
        categories_total: total,
        categories: shares,
    });
}

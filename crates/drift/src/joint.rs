//! All features at once: two permutation tests over whole rows, exact at every level.
//!
//! Rows of the window and training rows are exchangeable when nothing has drifted, so that every choice
//! of which rows are the window's is equally likely, however features depend on each other (E. J. G.
//! Pitman, 1937; P. H. Westfall, S. S. Young, "Resampling-based multiple testing", 1993). Each feature's
//! statistic is Anderson and Darling's with ties (A. N. Pettitt, "A two-sample Anderson–Darling rank
//! statistic", Biometrika 63, 1976), nearly as good as the best test for shifts, and sensitive to the tails. `sparse` takes the largest one, for a single feature that
//! moved; `diffuse` their sum, for many that moved a little.

use crate::random::Random;
use serde::{Deserialize, Serialize};

/// Permutations that are computed side by side.
const LANES: usize = 8;
/// Statistics are compared in single precision; what is equal to so many digits counts as equal.
const SAME: f32 = 1.0 - 1e-5;
/// Up to so many groups of ties the tail of a feature's statistic is computed, else taken as continuous.
const GROUPS_MAX: usize = 64;

/// p-values of both tests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointResult {
    /// Of the feature that moved most.
    pub sparse: f64,
    /// Of all features together.
    pub diffuse: f64,
    /// Permutations drawn.
    pub permutations: u32,
    /// Rows compared on both sides together.
    pub rows: usize,
}

/// One column of both sides, ranked: which rows tie with each other, in ascending order.
struct Ranked {
    /// Rows in ascending order of their values.
    order: Vec<u32>,
    /// Where each group of ties ends, and its weight.
    groups: Vec<(u32, f32)>,
    /// One over the statistic's mean, and over the scale of its tail.
    per_mean: f32,
    per_scale: f32,
}

impl Ranked {
    /// A missing value is a value of its own, below all others. `None` where all rows tie.
    fn new(values: impl Iterator<Item = f64>, current: usize) -> Option<Self> {
        let mut keyed: Vec<(f64, u32)> = values
            .zip(0..)
            .map(|(x, row)| (if x.is_nan() { f64::NEG_INFINITY } else { x + 0.0 }, row))
            .collect();
        keyed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let count = keyed.len();
        let ends: Vec<u32> = (1..=count)
            .filter(|&end| end == count || keyed[end].0 != keyed[end - 1].0)
            .map(|end| end as u32)
            .collect();
        if ends.len() < 2 {
            return None;
        }
        // The number of current rows among the lowest u·N has the variance spread·u(1 − u); a group
        // counts by its size over u(1 − u). All rows together, u = 1, differ never.
        let spread = current as f64 * (count - current) as f64 / (count as f64 - 1.0);
        let (mut shares, mut weights, mut before) = (Vec::new(), Vec::new(), 0);
        for &end in &ends {
            let share = f64::from(end) / count as f64;
            let weight = f64::from(end - before) / (share * (1.0 - share));
            shares.push(share);
            weights.push(if end as usize == count { 0.0 } else { weight });
            before = end;
        }
        let mean: f64 = shares.iter().zip(&weights).map(|(u, w)| w * u * (1.0 - u)).sum();
        let scale = tail_scale(&shares, &weights, mean);
        Some(Self {
            order: keyed.into_iter().map(|(_, row)| row).collect(),
            groups: ends
                .iter()
                .zip(&weights)
                .map(|(&end, &weight)| (end, weight as f32))
                .collect(),
            per_mean: (1.0 / (spread * mean)) as f32,
            per_scale: (1.0 / (spread * scale)) as f32,
        })
    }

    /// The statistic for each lane; `labels` holds 1 for a row of the window, else 0.
    fn statistics(&self, labels: &[[f32; LANES]], share: f32) -> [f32; LANES] {
        let mut sums = [0.0_f32; LANES];
        let mut total = [0.0_f32; LANES];
        let mut start = 0;
        for &(end, weight) in &self.groups {
            for &row in &self.order[start as usize..end as usize] {
                let label = &labels[row as usize];
                for lane in 0..LANES {
                    sums[lane] += label[lane];
                }
            }
            let expected = end as f32 * share;
            for lane in 0..LANES {
                let gap = sums[lane] - expected;
                total[lane] += weight * gap * gap;
            }
            start = end;
        }
        total
    }
}

/// Largest eigenvalue of the limit's covariance, by power iteration: it rules the tail `exp(−x/2λ)`, so
/// that features with few and with many values can be compared by their statistics over λ.
fn tail_scale(shares: &[f64], weights: &[f64], mean: f64) -> f64 {
    if shares.len() > GROUPS_MAX {
        // Without ties the eigenvalues are 1/(k(k + 1)), and their sum, the mean, is 1.
        return mean / 2.0;
    }
    let mut vector: Vec<f64> = shares.iter().map(|u| (u * (1.0 - u)).sqrt()).collect();
    let mut eigenvalue = mean;
    for _ in 0..40 {
        // The kernel min(u, v) − u·v applied in two sweeps.
        let weighted: Vec<f64> = vector.iter().zip(weights).map(|(x, w)| x * w).collect();
        let right: f64 = weighted.iter().zip(shares).map(|(x, u)| x * u).sum();
        let mut above: f64 = weighted.iter().sum();
        let mut below = 0.0;
        let next: Vec<f64> = shares
            .iter()
            .zip(&weighted)
            .map(|(u, x)| {
                above -= x;
                below += x * u;
                below + u * above - u * right
            })
            .collect();
        eigenvalue =
            next.iter().map(|x| x * x).sum::<f64>().sqrt() / vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        let largest = next.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        vector = next.into_iter().map(|x| x / largest).collect();
    }
    eigenvalue
}

/// One test: the first permutation that reaches what was seen ends it.
struct Race {
    seen: f32,
    /// Permutations until one was as extreme; `None`: none so far.
    reached: Option<u32>,
}

impl Race {
    fn p_value(&self, permutations: u32) -> f64 {
        1.0 / f64::from(self.reached.unwrap_or(permutations + 1))
    }
}

/// Compares two tables (row after row, NaN for missing) until either both tests have met a permutation as
/// extreme as what was seen or `permutations` were drawn.
///
/// The p-value of a test that first meets one at draw l is 1/l, else 1/(permutations + 1): valid at every
/// level and, where nothing has drifted, found after a few draws (J. Besag, P. Clifford, "Sequential
/// Monte Carlo p-values", Biometrika 78, 1991, with h = 1). `None` if a side has no rows or no feature varies.
pub fn joint_test(
    reference: &[f64],
    current: &[f64],
    features: usize,
    permutations: u32,
    seed: u64,
) -> Option<JointResult> {
    let (ours, theirs) = (reference.len() / features, current.len() / features);
    if ours == 0 || theirs == 0 {
        return None;
    }
    let rows = ours + theirs;
    let columns: Vec<Ranked> = (0..features)
        .filter_map(|feature| {
            let column = |side: &'static str| {
                let table = if side == "reference" { reference } else { current };
                table.iter().skip(feature).step_by(features).copied()
            };
            Ranked::new(column("reference").chain(column("current")), theirs)
        })
        .collect();
    if columns.is_empty() {
        return None;
    }
    let share = theirs as f32 / rows as f32;
    let both = |labels: &[[f32; LANES]]| {
        let (mut most, mut sum) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for column in &columns {
            let statistics = column.statistics(labels, share);
            for lane in 0..LANES {
                most[lane] = most[lane].max(statistics[lane] * column.per_scale);
                sum[lane] += statistics[lane] * column.per_mean;
            }
        }
        [most, sum]
    };
    // What was seen goes through the same arithmetic as the permutations.
    let mut labels = vec![[0.0_f32; LANES]; rows];
    labels[ours..].fill([1.0; LANES]);
    let seen = both(&labels);
    let mut races = seen.map(|statistic| Race {
        seen: statistic[0] * SAME,
        reached: None,
    });
    let mut random = Random::new(seed);
    let mut order: Vec<u32> = (0..rows as u32).collect();
    let mut drawn = 0;
    while drawn < permutations && races.iter().any(|race| race.reached.is_none()) {
        for lane in 0..LANES {
            draw(&mut order, theirs, &mut random, lane, &mut labels);
        }
        let statistics = both(&labels);
        let lanes = LANES.min((permutations - drawn) as usize);
        for (race, statistic) in races.iter_mut().zip(statistics) {
            let first = statistic[..lanes].iter().position(|&x| x >= race.seen);
            race.reached = race.reached.or(first.map(|lane| drawn + lane as u32 + 1));
        }
        drawn += lanes as u32;
    }
    let [sparse, diffuse] = races.map(|race| race.p_value(drawn));
    Some(JointResult {
        sparse,
        diffuse,
        permutations: drawn,
        rows,
    })
}

/// Labels `count` of the rows in one lane: as many steps of a shuffle as the smaller part has rows.
fn draw(order: &mut [u32], count: usize, random: &mut Random, lane: usize, labels: &mut [[f32; LANES]]) {
    let rows = order.len();
    let fewer = count.min(rows - count);
    let [chosen, other] = if fewer == count { [1.0, 0.0] } else { [0.0, 1.0] };
    for place in 0..fewer {
        let swapped = place + random.below((rows - place) as u64) as usize;
        order.swap(place, swapped);
        labels[order[place] as usize][lane] = chosen;
    }
    for &row in &order[fewer..] {
        labels[row as usize][lane] = other;
    }
}

//! All features at once: two permutation tests over whole rows, exact at every level.
//!
//! Rows of the window and training rows are exchangeable when nothing has drifted, so that every choice
//! of which rows are the window's is equally likely, however features depend on each other (E. J. G.
//! Pitman, 1937; P. H. Westfall, S. S. Young, "Resampling-based multiple testing", 1993). Each feature's
//! statistic is of the family of T. W. Anderson and D. A. Darling (Annals of Mathematical Statistics 23, 1952),
//! `∫(F − G)²·w(H) dH` over the pooled distribution H with ties, weight `1/√(u(1 − u))`: between Cramér–von Mises'
//! (1) and Anderson–Darling's (its square). `sparse` takes the largest one, or Kolmogorov–Smirnov's where that
//! lies further out in its own tail (as with heavy tails), for a single feature that moved; `diffuse` takes their
//! sum, for many that moved a little.

use crate::random::Random;
use serde::{Deserialize, Serialize};

/// Permutations that are computed side by side.
const LANES: usize = 8;
/// Statistics are compared in single precision; what is equal to so many digits counts as equal.
const SAME: f32 = 1.0 - 1e-5;
/// So many permutations as extreme as what was seen end a test: more draws for more power.
pub const HITS: u32 = 2;

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
    /// One over the statistic's mean.
    per_mean: f32,
    /// What makes the statistic's tail, and that of the squared largest gap, `exp(−x)`.
    per_tail: f32,
    per_gap: f32,
}

/// One feature's statistics in each lane: the integral, and the largest gap squared.
type Statistics = [[f32; LANES]; 2];

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
        // counts by its size over √(u(1 − u)). All rows together, u = 1, differ never.
        let spread = current as f64 * (count - current) as f64 / (count as f64 - 1.0);
        let (mut shares, mut weights, mut before) = (Vec::new(), Vec::new(), 0);
        for &end in &ends {
            let share = f64::from(end) / count as f64;
            let weight = f64::from(end - before) / (share * (1.0 - share)).sqrt();
            shares.push(share);
            weights.push(if end as usize == count { 0.0 } else { weight });
            before = end;
        }
        let mean: f64 = shares.iter().zip(&weights).map(|(u, w)| w * u * (1.0 - u)).sum();
        let scale = tail_scale(&shares, &weights);
        Some(Self {
            order: keyed.into_iter().map(|(_, row)| row).collect(),
            groups: ends
                .iter()
                .zip(&weights)
                .map(|(&end, &weight)| (end, weight as f32))
                .collect(),
            per_mean: (1.0 / (spread * mean)) as f32,
            per_tail: (0.5 / (spread * scale)) as f32,
            per_gap: (2.0 / spread) as f32,
        })
    }

    /// `labels` holds 1 for a row of the window, else 0.
    fn statistics(&self, labels: &[[f32; LANES]], share: f32) -> Statistics {
        let mut sums = [0.0_f32; LANES];
        let [mut total, mut largest] = [[0.0_f32; LANES]; 2];
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
                let square = gap * gap;
                total[lane] += weight * square;
                largest[lane] = if square > largest[lane] {
                    square
                } else {
                    largest[lane]
                };
            }
            start = end;
        }
        [total, largest]
    }
}

/// Largest eigenvalue of the limit's covariance, by power iteration: it rules the tail `exp(−x/2λ)`, so
/// that features with few and with many values can be compared by their statistics over λ.
fn tail_scale(shares: &[f64], weights: &[f64]) -> f64 {
    // Exact for Anderson–Darling's weight without ties, and near for all others.
    let mut vector: Vec<f64> = shares.iter().map(|u| u * (1.0 - u)).collect();
    let mut eigenvalue = 0.0;
    for _ in 0..6 {
        // The kernel min(u, v) − u·v applied to the weighted vector in one sweep.
        let weighted: Vec<f64> = vector.iter().zip(weights).map(|(x, w)| x * w).collect();
        let right: f64 = weighted.iter().zip(shares).map(|(x, u)| x * u).sum();
        let (mut above, mut below) = (weighted.iter().sum::<f64>(), 0.0);
        let next: Vec<f64> = shares
            .iter()
            .zip(&weighted)
            .map(|(u, x)| {
                above -= x;
                below += x * u;
                below + u * above - u * right
            })
            .collect();
        let product = |other: &[f64]| weighted.iter().zip(other).map(|(x, y)| x * y).sum::<f64>();
        eigenvalue = product(&next) / product(&vector);
        let largest = next.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        vector = next.into_iter().map(|x| x / largest).collect();
    }
    eigenvalue
}

/// One test: permutations are drawn until so many have reached what was seen.
struct Race {
    /// Draws after which, with fewer hits, it is significant.
    budget: u32,
    seen: f32,
    hits: u32,
    /// Draws until the last hit that counts.
    ended: Option<u32>,
}

impl Race {
    fn p_value(&self, permutations: u32) -> f64 {
        match self.ended {
            Some(draws) => f64::from(HITS) / f64::from(draws),
            None => f64::from(self.hits + 1) / f64::from(permutations + 1),
        }
    }
}

/// Compares two tables (row after row, NaN for missing); `levels` of the sparse and the diffuse test.
///
/// Draws permutations until both tests have met [`HITS`] that are as extreme as what was seen, or one has not
/// within `HITS / level` draws and is significant. A test that meets the last of them at draw l has the p-value
/// `HITS / l`, one that has met g < HITS after all l draws `(g + 1) / (l + 1)`: valid at every level and, where nothing
/// has drifted, found after a few draws (J. Besag, P. Clifford, "Sequential Monte Carlo p-values",
/// Biometrika 78, 1991). Where one test ends it, the other's p-value is only what was known by then. `None`
/// if a side has no rows or no feature varies.
pub fn joint_test(
    reference: &[f64],
    current: &[f64],
    features: usize,
    levels: [f64; 2],
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
            let [integral, gap] = column.statistics(labels, share);
            for lane in 0..LANES {
                let farthest = (integral[lane] * column.per_tail).max(gap[lane] * column.per_gap);
                most[lane] = most[lane].max(farthest);
                sum[lane] += integral[lane] * column.per_mean;
            }
        }
        [most, sum]
    };
    // What was seen goes through the same arithmetic as the permutations.
    let mut labels = vec![[0.0_f32; LANES]; rows];
    labels[ours..].fill([1.0; LANES]);
    let seen = both(&labels);
    let race = |side: usize| Race {
        budget: (f64::from(HITS) / levels[side]).ceil() as u32,
        seen: seen[side][0] * SAME,
        hits: 0,
        ended: None,
    };
    let mut races = [race(0), race(1)];
    let mut random = Random::new(seed);
    let mut order: Vec<u32> = (0..rows as u32).collect();
    let mut drawn = 0;
    loop {
        let open = || races.iter().filter(|race| race.ended.is_none());
        // The next one that could win; none if one has, or both have ended.
        let Some(left) = open()
            .map(|race| race.budget - drawn)
            .min()
            .filter(|&left| left > 0)
        else {
            break;
        };
        for lane in 0..LANES {
            draw(&mut order, theirs, &mut random, lane, &mut labels);
        }
        let statistics = both(&labels);
        let lanes = LANES.min(left as usize);
        for (race, statistic) in races.iter_mut().zip(statistics) {
            for (lane, &x) in (1..).zip(&statistic[..lanes]) {
                if x >= race.seen && race.ended.is_none() {
                    race.hits += 1;
                    race.ended = (race.hits == HITS).then_some(drawn + lane);
                }
            }
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

//! Exact two-sided p-values by counting lattice paths.
//!
//! Under the null hypothesis every order of the pooled sample is equally likely, so that the
//! p-value is the share of lattice paths from (0, 0) to (m, n) that somewhere reach
//! `|i·n − j·m| ≥ d`: J. L. Hodges, "The significance probability of the Smirnov two-sample test",
//! Arkiv för Matematik 3 (1958) 469–486.

/// More cells than this (some seconds) and the asymptotic law, by then good to many digits, is used.
const MAX_CELLS: u64 = 4_000_000_000;

/// Stands for 1 in the recurrence. Shares lie between the p-value and 1, so that all of the range
/// of a double above 1 would be wasted; from here down, shares of 1e-590 are still normal numbers.
/// The factor (at most m + n < 2^32) must not overflow it: 2^960 · 2^32 < 2^1024.
const ONE: f64 = f64::from_bits((1023 + 960) << 52);

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The statistic as the double nearest to `numerator / (size_a · size_b)` in lowest terms of the sizes.
pub fn fraction(numerator: u64, size_a: u64, size_b: u64) -> f64 {
    let divisor = greatest_common_divisor(size_a, size_b);
    (numerator / divisor) as f64 / (size_a / divisor * size_b) as f64
}

/// Whether the exact p-value is to be had when asked for: SciPy's limit (the least common multiple
/// of the sizes fits 32 bits), and a bound on the work. Always true up to 10,000 values a side.
pub fn affordable(numerator: u64, size_a: u64, size_b: u64) -> bool {
    let divisor = greatest_common_divisor(size_a, size_b);
    let product = (size_a / divisor) as f64 * (size_b / divisor) as f64;
    let cells = numerator.saturating_mul(2).min(size_a.saturating_mul(size_b));
    product < f64::from(i32::MAX) && (size_a == size_b || cells <= MAX_CELLS)
}

/// `P(D ≥ d)` for the statistic's exact numerator `d = D·m·n`.
pub fn p_value(numerator: u64, size_a: u64, size_b: u64) -> f64 {
    if numerator == 0 {
        1.0
    } else if size_a == size_b {
        // i·n − j·n is a multiple of n: what lies between two multiples is reached with the next one.
        equal_sizes(size_a, numerator.div_ceil(size_a))
    } else {
        unequal_sizes(numerator, size_a.max(size_b), size_a.min(size_b))
    }
}

/// Paths in a square by reflection: `2·Σ (−1)^{k−1} C(2n, n−kh) / C(2n, n)`.
///
/// B. V. Gnedenko, V. S. Korolyuk (1951). The terms are nested, `2·A₀(1 − A₁(1 − A₂(…)))`, each
/// factor a ratio of two binomials below 1, so that nothing cancels and nothing overflows: O(n).
fn equal_sizes(size: u64, height: u64) -> f64 {
    let size = size as f64;
    let step = height as f64;
    let mut nested = 0.0;
    let mut turns = (size / step).floor();
    while turns >= 0.0 {
        let mut ratio = 1.0;
        for index in 0..height {
            let index = index as f64;
            ratio = (size - turns * step - index) * ratio / (size + turns * step + index + 1.0);
        }
        nested = ratio * (1.0 - nested);
        turns -= 1.0;
    }
    (2.0 * nested).min(1.0)
}

/// Share of paths to (m, n), m > n, that have touched a line `|i·n − j·m| ≥ d`.
///
/// `f(i, j)`, the share among paths to (i, j), is 1 on and beyond the lines, and inside the mean of
/// its two predecessors weighted by how many paths come from each:
/// `f(i, j) = (i·f(i−1, j) + j·f(i, j−1)) / (i + j)`. Only positive terms are added, so the relative
/// error stays below (m + n)·2^−52 however small the p-value is. What underflows is lost absolutely,
/// not relatively, but then weighs at most (m + n) times the smallest number in a mean that large.
///
/// Cells of one anti-diagonal i + j = s depend only on the one before: the loop over them has no
/// chain and becomes vector code. Only cells between the lines are visited: about 2d of them.
fn unequal_sizes(numerator: u64, long: u64, short: u64) -> f64 {
    let total = long + short;
    let width = usize::try_from(short).expect("a sample fits in memory") + 1;
    // Entry j + 1 belongs to j; entry 0 stands left of j = 0, where its weight is 0.
    let mut before = vec![ONE; width + 2];
    let mut after = vec![ONE; width + 2];
    before[1] = 0.0;
    let steps: Vec<f64> = (0..width + 1).map(|j| j as f64).collect();
    for s in 1..=total {
        // Inside: −d < s·n − j·(m + n) < d, and i = s − j within 0..=m, j within 0..=n.
        let centre = s * short;
        let first = if centre < numerator {
            0
        } else {
            (centre - numerator) / total + 1
        };
        let first = first.max(s.saturating_sub(long));
        let last = ((centre + numerator - 1) / total).min(s).min(short);
        if first > last {
            // No lattice point lies between the lines here: every path touches one.
            return 1.0;
        }
        let (first, last) = (first as usize, last as usize);
        let sum = s as f64;
        let share = 1.0 / sum;
        let cells = last - first + 1;
        let came_in_i = &before[first + 1..][..cells];
        let came_in_j = &before[first..][..cells];
        let weights = &steps[first..][..cells];
        for (((cell, &from_i), &from_j), &j) in after[first + 1..][..cells]
            .iter_mut()
            .zip(came_in_i)
            .zip(came_in_j)
            .zip(weights)
        {
            *cell = ((sum - j) * from_i + j * from_j) * share;
        }
        // The neighbours are outside: the next anti-diagonal may look at them.
        after[first] = ONE;
        after[last + 2] = ONE;
        std::mem::swap(&mut before, &mut after);
    }
    (before[width] / ONE).min(1.0)
}

/// `P(D⁺ ≥ d)` for the one-sided statistic's exact numerator.
pub fn one_sided_p_value(numerator: u64, size_a: u64, size_b: u64) -> f64 {
    if numerator == 0 {
        1.0
    } else if size_a == size_b {
        // C(2n, n − h) / C(2n, n), by reflection.
        let (size, height) = (size_a as f64, numerator.div_ceil(size_a));
        (0..height)
            .map(|j| (size - j as f64) / (size + j as f64 + 1.0))
            .product()
    } else {
        one_line(numerator, size_a.max(size_b), size_a.min(size_b))
    }
}

/// Share of paths to (m, n), m > n, that have touched the line `i·n − j·m ≥ d`: the recurrence of
/// [`unequal_sizes`] with one line. Which of the two lines it is does not matter (turn the path round).
fn one_line(numerator: u64, long: u64, short: u64) -> f64 {
    let total = long + short;
    let width = usize::try_from(short).expect("a sample fits in memory") + 1;
    // Entry j + 1 belongs to j; what lies beyond a row's end is read with weight 0 and must be finite.
    let mut before = vec![0.0; width + 2];
    let mut after = vec![0.0; width + 2];
    for s in 1..=total {
        let centre = s * short;
        let first = if centre < numerator {
            0
        } else {
            (centre - numerator) / total + 1
        };
        let first = first.max(s.saturating_sub(long)) as usize;
        let last = s.min(short) as usize;
        if first > last {
            return 1.0;
        }
        let sum = s as f64;
        for j in first..=last {
            let weight = j as f64;
            after[j + 1] = ((sum - weight) * before[j + 1] + weight * before[j]) / sum;
        }
        after[first] = ONE;
        std::mem::swap(&mut before, &mut after);
    }
    (before[width] / ONE).min(1.0)
}

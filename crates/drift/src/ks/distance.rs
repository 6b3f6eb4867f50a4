//! The statistic: how far apart two empirical distribution functions get, and where.

use crate::ecdf::Ecdf;

/// Largest distance between two empirical distribution functions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// `max |a(x)·n_b − b(x)·n_a|` over the counts up to x: the statistic times `n_a·n_b`, exact.
    pub numerator: u64,
    /// The statistic in floating point, rounded as SciPy's asymptotic method rounds it.
    pub statistic: f64,
    /// Where it is reached.
    pub location: f64,
    /// +1 if the first function is the upper one there, else -1.
    pub sign: i8,
}

/// The first place where a running extreme was reached.
#[derive(Clone, Copy)]
pub struct Peak {
    /// How far the one function lies above the other, as SciPy rounds it.
    pub height: f64,
    /// Where.
    pub location: f64,
}

/// Both one-sided distances.
#[derive(Clone, Copy)]
pub struct Sides {
    /// `max (a(x)·n_b − b(x)·n_a)`, exact; 0 or more, since both functions end at 1.
    pub above_numerator: u64,
    /// `max (b(x)·n_a − a(x)·n_b)`, exact.
    pub below_numerator: u64,
    /// Where the first function is highest above the second.
    pub above: Peak,
    /// Where it is lowest below it.
    pub below: Peak,
}

impl Peak {
    fn lowest() -> Self {
        Self {
            height: f64::NEG_INFINITY,
            location: f64::NAN,
        }
    }

    fn raise(&mut self, height: f64, location: f64) {
        if height > self.height {
            *self = Self { height, location };
        }
    }

    /// SciPy searches the first sample's values before the second's.
    fn or(self, later: Self) -> Self {
        if later.height > self.height { later } else { self }
    }
}

/// How many of the ascending `values` lie below `x`, given that the first `from` do: steps of
/// doubling length, so that a few values among many cost little.
fn count_below(values: &[f64], from: usize, x: f64) -> usize {
    let mut step = 1;
    let mut low = from;
    while low + step <= values.len() && values[low + step - 1] < x {
        low += step;
        step *= 2;
    }
    let high = (low + step).min(values.len());
    low + values[low..high].partition_point(|&value| value < x)
}

impl Sides {
    /// Walks over the distinct values of `b`; between two of them only the last value of `a` counts,
    /// since the first function rises there and the second does not.
    ///
    /// The numerator is integer arithmetic. Location and sign follow the differences of the two
    /// quotients in doubles, since SciPy takes the first extreme of those: where two places tie
    /// as fractions, rounding decides between them there, and so it must here.
    pub fn between(a: &Ecdf, b: &Ecdf) -> Self {
        let (size_a, size_b) = (a.count(), b.count());
        let (mut highest, mut lowest) = (0_i64, 0_i64);
        let mut above = Peak::lowest();
        let [mut below_at_a, mut below_at_b] = [Peak::lowest(); 2];
        let mut gap = |count_a: u64, count_b: u64| {
            let step = (count_a * size_b) as i64 - (count_b * size_a) as i64;
            highest = highest.max(step);
            lowest = lowest.min(step);
            count_a as f64 / size_a as f64 - count_b as f64 / size_b as f64
        };
        let upto = |place: usize| if place == 0 { 0 } else { a.cumulative()[place - 1] };
        let (mut place, mut before) = (0, 0);
        for (&x, &count_b) in b.values().iter().zip(b.cumulative()) {
            let next = count_below(a.values(), place, x);
            if next > place {
                above.raise(gap(upto(next), before), a.values()[next - 1]);
            }
            let shared = a.values().get(next) == Some(&x);
            place = next + usize::from(shared);
            let height = gap(upto(place), count_b);
            if shared {
                above.raise(height, x);
                below_at_a.raise(-height, x);
            }
            below_at_b.raise(-height, x);
            before = count_b;
        }
        if let Some(&last) = a.values()[place..].last() {
            above.raise(gap(size_a, size_b), last);
        }
        Self {
            above_numerator: highest.unsigned_abs(),
            below_numerator: lowest.unsigned_abs(),
            above,
            below: below_at_a.or(below_at_b),
        }
    }
}

impl Distance {
    /// The larger of both sides; the first where they tie, as SciPy has it.
    pub fn between(a: &Ecdf, b: &Ecdf) -> Self {
        let sides = Sides::between(a, b);
        let numerator = sides.above_numerator.max(sides.below_numerator);
        let below_height = sides.below.height.clamp(0.0, 1.0);
        if below_height > sides.above.height {
            Self {
                numerator,
                statistic: below_height,
                location: sides.below.location,
                sign: -1,
            }
        } else {
            Self {
                numerator,
                statistic: sides.above.height,
                location: sides.above.location,
                sign: 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(a: &[f64], b: &[f64]) -> Distance {
        Distance::between(&Ecdf::new(a).unwrap(), &Ecdf::new(b).unwrap())
    }

    #[test]
    fn known_distances() {
        for (a, b, numerator, statistic, location, sign) in [
            (&[1.0, 2.0][..], &[1.0, 2.0][..], 0, 0.0, 1.0, 1),
            (&[1.0, 2.0], &[3.0, 4.0, 5.0], 6, 1.0, 2.0, 1),
            (&[3.0, 4.0], &[1.0, 2.0, 2.5], 6, 1.0, 2.5, -1),
            (
                &[1.0, 1.0, 2.0],
                &[1.0, 2.0, 2.0],
                3,
                2.0 / 3.0 - 1.0 / 3.0,
                1.0,
                1,
            ),
            (&[7.0], &[7.0], 0, 0.0, 7.0, 1),
        ] {
            let expected = Distance {
                numerator,
                statistic,
                location,
                sign,
            };
            assert_eq!(distance(a, b), expected, "{a:?} {b:?}");
        }
    }
}

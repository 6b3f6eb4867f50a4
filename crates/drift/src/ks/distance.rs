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
struct Peak {
    height: f64,
    location: f64,
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

impl Distance {
    /// Walks over the distinct values of both samples once.
    ///
    /// The numerator is integer arithmetic. Location and sign follow the differences of the two
    /// quotients in doubles, since SciPy takes the first extreme of those: where two places tie
    /// as fractions, rounding decides between them there, and so it must here.
    pub fn between(a: &Ecdf, b: &Ecdf) -> Self {
        let (size_a, size_b) = (a.count(), b.count());
        let (mut next_a, mut next_b) = (0, 0);
        let (mut count_a, mut count_b) = (0_u64, 0_u64);
        let mut numerator = 0;
        let [mut above_at_a, mut above_at_b, mut below_at_a, mut below_at_b] = [Peak::lowest(); 4];
        loop {
            let x = match (a.values().get(next_a), b.values().get(next_b)) {
                (Some(&x), Some(&y)) => x.min(y),
                (Some(&x), None) | (None, Some(&x)) => x,
                (None, None) => break,
            };
            let at_a = a.values().get(next_a) == Some(&x);
            let at_b = b.values().get(next_b) == Some(&x);
            if at_a {
                count_a = a.cumulative()[next_a];
                next_a += 1;
            }
            if at_b {
                count_b = b.cumulative()[next_b];
                next_b += 1;
            }
            numerator = numerator.max((count_a * size_b).abs_diff(count_b * size_a));
            let gap = count_a as f64 / size_a as f64 - count_b as f64 / size_b as f64;
            if at_a {
                above_at_a.raise(gap, x);
                below_at_a.raise(-gap, x);
            }
            if at_b {
                above_at_b.raise(gap, x);
                below_at_b.raise(-gap, x);
            }
        }
        let above = above_at_a.or(above_at_b);
        let below = below_at_a.or(below_at_b);
        let below_height = below.height.clamp(0.0, 1.0);
        if below_height > above.height {
            Self {
                numerator,
                statistic: below_height,
                location: below.location,
                sign: -1,
            }
        } else {
            Self {
                numerator,
                statistic: above.height,
                location: above.location,
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

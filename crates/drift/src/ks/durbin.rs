//! Exact distribution function of the one-sample statistic by powers of Durbin's matrix.
//!
//! G. Marsaglia, W. W. Tsang, J. Wang, "Evaluating Kolmogorov's distribution", Journal of
//! Statistical Software 8 (18), 2003.

/// Scale steps: 2^128 keeps powers of the matrix within range.
const BIG_EXPONENT: i32 = 128;
const BIG: f64 = f64::from_bits((1023 + 128) << 52);

/// A square matrix by rows, times 2^exponent.
#[derive(Clone)]
struct Scaled {
    side: usize,
    cells: Vec<f64>,
    exponent: i32,
}

impl Scaled {
    fn identity(side: usize) -> Self {
        let mut cells = vec![0.0; side * side];
        cells.iter_mut().step_by(side + 1).for_each(|x| *x = 1.0);
        Self {
            side,
            cells,
            exponent: 0,
        }
    }

    fn times(&self, other: &Self) -> Self {
        let side = self.side;
        let mut cells = vec![0.0; side * side];
        for (row, out) in self.cells.chunks_exact(side).zip(cells.chunks_exact_mut(side)) {
            for (&factor, line) in row.iter().zip(other.cells.chunks_exact(side)) {
                out.iter_mut().zip(line).for_each(|(sum, &x)| *sum += factor * x);
            }
        }
        let mut product = Self {
            side,
            cells,
            exponent: self.exponent + other.exponent,
        };
        let middle = side / 2;
        if product.cells[middle * side + middle] > BIG {
            product.cells.iter_mut().for_each(|x| *x /= BIG);
            product.exponent += BIG_EXPONENT;
        }
        product
    }
}

/// `P(D_n < x)` for `1/n < x < 1`: O((n·x)³·log n), for small `n·x` only.
pub fn cdf(n: u64, x: f64) -> f64 {
    let scaled = n as f64 * x;
    let k = scaled.ceil();
    let h = k - scaled;
    let side = 2 * k as usize - 1;

    // First column, and last row from the right: (1 − h^i)/i!, its last entry corrected.
    let mut reciprocal_factorial = vec![1.0; side + 1];
    for i in 1..=side {
        reciprocal_factorial[i] = reciprocal_factorial[i - 1] / i as f64;
    }
    let mut edge: Vec<f64> = (1..=side)
        .map(|i| (1.0 - h.powi(i as i32)) * reciprocal_factorial[i])
        .collect();
    let power = side as i32;
    edge[side - 1] =
        (1.0 - 2.0 * h.powi(power) + (2.0 * h - 1.0).max(0.0).powi(power)) * reciprocal_factorial[side];

    let mut base = Scaled::identity(side);
    for row in 0..side {
        for column in 0..side {
            base.cells[row * side + column] = if column == 0 {
                edge[row]
            } else if row == side - 1 {
                edge[side - 1 - column]
            } else if column <= row + 1 {
                reciprocal_factorial[row + 1 - column]
            } else {
                0.0
            };
        }
    }

    let mut power = Scaled::identity(side);
    let mut left = n;
    while left > 0 {
        if left % 2 == 1 {
            power = power.times(&base);
        }
        left /= 2;
        if left > 0 {
            base = base.times(&base);
        }
    }

    // Times n!/n^n, one factor after the other, so that it neither over- nor underflows.
    let middle = side / 2;
    let mut probability = power.cells[middle * side + middle];
    let mut exponent = power.exponent;
    for i in 1..=n {
        probability *= i as f64 / n as f64;
        if probability < 1.0 / BIG {
            probability *= BIG;
            exponent -= BIG_EXPONENT;
        }
    }
    (probability * f64::from(exponent).exp2()).clamp(0.0, 1.0)
}

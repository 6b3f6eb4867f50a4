//! Empirical distribution functions.

/// Why a list of numbers is not a sample.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SampleError {
    /// There is nothing to compare.
    #[error("the sample is empty, at least one value is needed")]
    Empty,
    /// NaN has no place in an order; an infinity is a broken measurement, not a large one.
    #[error("value {index} of the sample is {value}, a finite number is needed")]
    NotFinite {
        /// Position, from 0.
        index: usize,
        /// NaN or an infinity.
        value: f64,
    },
}

/// A sample as its distinct values in ascending order, each with the number of values up to it.
///
/// Ties are thereby solved once, here: everything downstream looks only at distinct values.
#[derive(Clone, Debug, PartialEq)]
pub struct Ecdf {
    values: Vec<f64>,
    cumulative: Vec<u64>,
}

/// Bits of a double as an integer of the same order, and back: integers sort twice as fast.
fn ordered_bits(bits: i64) -> i64 {
    // Negative doubles count downwards: turn all bits but the sign.
    bits ^ (bits >> 63) & i64::MAX
}

impl Ecdf {
    /// Sorts a copy of `sample` (any order, at least one value, all finite; -0 counts as 0).
    pub fn new(sample: &[f64]) -> Result<Self, SampleError> {
        if sample.is_empty() {
            return Err(SampleError::Empty);
        }
        if let Some(index) = sample.iter().position(|x| !x.is_finite()) {
            let value = sample[index];
            return Err(SampleError::NotFinite { index, value });
        }
        // Adding zero turns -0.0 into 0.0, so that equal values have equal bits.
        let mut keys: Vec<i64> = sample
            .iter()
            .map(|x| ordered_bits((x + 0.0).to_bits() as i64))
            .collect();
        keys.sort_unstable();
        let mut values: Vec<f64> = Vec::with_capacity(keys.len());
        let mut cumulative = Vec::with_capacity(keys.len());
        for (index, &key) in keys.iter().enumerate() {
            if index + 1 == keys.len() || keys[index + 1] != key {
                values.push(f64::from_bits(ordered_bits(key) as u64));
                cumulative.push(index as u64 + 1);
            }
        }
        Ok(Self { values, cumulative })
    }

    /// Distinct values, ascending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// For each of [`Ecdf::values`], how many values of the sample are not above it.
    pub fn cumulative(&self) -> &[u64] {
        &self.cumulative
    }

    /// Size of the sample, ties counted.
    pub fn count(&self) -> u64 {
        *self.cumulative.last().expect("a sample has a value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_and_signed_zeros_fall_together() {
        let ecdf = Ecdf::new(&[2.0, -0.0, 2.0, 0.0, -1.0]).unwrap();
        assert_eq!(ecdf.values(), [-1.0, 0.0, 2.0]);
        assert_eq!(ecdf.cumulative(), [1, 3, 5]);
        assert_eq!(ecdf.count(), 5);
    }

    #[test]
    fn refuses_what_is_not_a_sample() {
        assert_eq!(Ecdf::new(&[]), Err(SampleError::Empty));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let message = Ecdf::new(&[1.0, value]).unwrap_err().to_string();
            assert!(message.starts_with("value 1 of the sample is "), "{message}");
        }
    }
}

//! The training table as the trees see it: for each column the rank of each row's float32 value.
//!
//! Ranks make a split's threshold exact: it is chosen between two values that stand in the table, and
//! rows are parted by comparing whole numbers.

use crate::Error;
use ndarray::{ArrayBase, Data, Ix2};
use rayon::prelude::*;

/// Most rows: sums of squared class weights stay whole numbers below 2^63.
const MAX_ROWS: usize = i32::MAX as usize;
/// Most columns: what the ONNX reader accepts.
const MAX_COLUMNS: usize = 65_536;

pub(crate) struct Columns {
    pub(crate) rows: usize,
    pub(crate) columns: Vec<Column>,
}

pub(crate) struct Column {
    /// For each row the position of its value in `distinct`.
    pub(crate) ranks: Vec<u32>,
    /// The values that occur, ascending.
    pub(crate) distinct: Vec<f32>,
}

impl Columns {
    pub(crate) fn new<D: Data<Elem = f64>>(records: &ArrayBase<D, Ix2>) -> Result<Self, Error> {
        let (rows, columns) = records.dim();
        for (what, value, most) in [("rows", rows, MAX_ROWS), ("columns", columns, MAX_COLUMNS)] {
            if !(1..=most).contains(&value) {
                return Err(Error::Shape {
                    what,
                    value,
                    expected: format!("1 to {most}"),
                });
            }
        }
        let columns = (0..columns)
            .map(|column| {
                let values: Result<Vec<f32>, Error> = records
                    .column(column)
                    .iter()
                    .enumerate()
                    .map(|(row, &value)| float32(value).ok_or(Error::Feature { row, column, value }))
                    .collect();
                values
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Columns {
            rows,
            columns: columns.par_iter().map(|values| Column::new(values)).collect(),
        })
    }
}

impl Column {
    fn new(values: &[f32]) -> Self {
        let mut order: Vec<u64> = (0u64..)
            .zip(values)
            .map(|(row, value)| u64::from(ascending_bits(*value)) << 32 | row)
            .collect();
        order.sort_unstable();
        let mut ranks = vec![0; values.len()];
        let mut distinct: Vec<f32> = Vec::new();
        for row in order.into_iter().map(|key| key as u32 as usize) {
            if distinct.last() != Some(&values[row]) {
                distinct.push(values[row]);
            }
            ranks[row] = distinct.len() as u32 - 1;
        }
        Column { ranks, distinct }
    }

    /// A threshold between two neighbouring values of a node: `distinct[low] <= t < distinct[high]`.
    pub(crate) fn threshold(&self, low: u32, high: u32) -> f32 {
        let (low, high) = (self.distinct[low as usize], self.distinct[high as usize]);
        let middle = low / 2.0 + high / 2.0;
        // The middle of two neighbouring floats rounds to one of them, perhaps the upper.
        if (low..high).contains(&middle) {
            middle
        } else {
            low
        }
    }
}

/// The value as the model sees it, -0 as 0; `None` when it is not finite in float32.
pub(crate) fn float32(value: f64) -> Option<f32> {
    let narrow = value as f32 + 0.0;
    narrow.is_finite().then_some(narrow)
}

/// Bits that compare as the numbers do (finite, no -0).
fn ascending_bits(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn minus_zero_is_zero() {
        assert_eq!(float32(-0.0).map(f32::to_bits), Some(0));
        let column = Column::new(&[0.0, float32(-0.0).unwrap(), -1.0]);
        assert_eq!((column.ranks, column.distinct), (vec![1, 1, 0], vec![-1.0, 0.0]));
    }

    proptest! {
        #[test]
        fn thresholds_separate(values in proptest::collection::vec(any::<f32>(), 2..40)) {
            let values: Vec<f32> = values.into_iter().filter_map(|v| float32(v.into())).collect();
            let column = Column::new(&values);
            for (row, &rank) in column.ranks.iter().enumerate() {
                prop_assert_eq!(column.distinct[rank as usize], values[row]);
            }
            for high in 1..column.distinct.len() {
                let threshold = column.threshold(high as u32 - 1, high as u32);
                prop_assert!(column.distinct[high - 1] <= threshold && threshold < column.distinct[high]);
            }
        }

        #[test]
        fn neighbouring_floats_separate(bits in 0u32..0x7f7f_ffff) {
            let column = Column::new(&[f32::from_bits(bits), f32::from_bits(bits + 1)]);
            let threshold = column.threshold(0, 1);
            prop_assert!(column.distinct[0] <= threshold && threshold < column.distinct[1]);
        }
    }
}

//! The sample that traffic is compared with.

use crate::ecdf::{Ecdf, SampleError};
use crate::npy::Matrix;

/// The training data's columns, sorted once and shared by every window.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    names: Vec<String>,
    columns: Vec<Ecdf>,
}

/// Why columns are no reference.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReferenceError {
    /// No columns.
    #[error("the drift reference has no columns")]
    NoColumns,
    /// A column cannot be a sample.
    #[error("column {name:?} of the drift reference")]
    Column {
        /// Name of the column.
        name: String,
        /// What is wrong with it.
        #[source]
        source: SampleError,
    },
    /// Columns of one table have one length.
    #[error("column {name:?} of the drift reference has {found} values, the first column has {expected}")]
    Ragged {
        /// Name of the column.
        name: String,
        /// Its values.
        found: usize,
        /// Values of the first column.
        expected: usize,
    },
    /// Names and columns must pair up.
    #[error("{names} names for the {columns} columns of the drift reference")]
    Names {
        /// How many names.
        names: usize,
        /// How many columns.
        columns: usize,
    },
}

impl Reference {
    /// Takes columns of equal length (at least one finite value), named `feature_0`, `feature_1`, …
    pub fn new(columns: Vec<Vec<f64>>) -> Result<Self, ReferenceError> {
        let names = (0..columns.len()).map(|i| format!("feature_{i}")).collect();
        Self::with_names(names, columns)
    }

    /// The same with names, shown by the status and used by errors.
    pub fn with_names(names: Vec<String>, columns: Vec<Vec<f64>>) -> Result<Self, ReferenceError> {
        if names.len() != columns.len() {
            return Err(ReferenceError::Names {
                names: names.len(),
                columns: columns.len(),
            });
        }
        let expected = columns.first().ok_or(ReferenceError::NoColumns)?.len();
        let mut sorted = Vec::with_capacity(columns.len());
        for (name, column) in names.iter().zip(&columns) {
            let name = name.clone();
            if column.len() != expected {
                return Err(ReferenceError::Ragged {
                    name,
                    found: column.len(),
                    expected,
                });
            }
            sorted.push(Ecdf::new(column).map_err(|source| ReferenceError::Column { name, source })?);
        }
        Ok(Self {
            names,
            columns: sorted,
        })
    }

    /// From the matrix of `reference_data.npy` (a row for each sample, a column for each feature).
    pub fn from_matrix(names: Vec<String>, matrix: &Matrix) -> Result<Self, ReferenceError> {
        Self::with_names(names, matrix.to_columns())
    }

    /// Names of the columns, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Ecdf] {
        &self.columns
    }

    /// How many columns.
    pub fn features(&self) -> usize {
        self.columns.len()
    }

    /// How many rows.
    pub fn rows(&self) -> u64 {
        self.columns[0].count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_a_table() {
        let names = |n: usize| (0..n).map(|i| format!("c{i}")).collect::<Vec<_>>();
        let errors = [
            Reference::new(vec![]),
            Reference::new(vec![vec![]]),
            Reference::new(vec![vec![1.0, 2.0], vec![1.0]]),
            Reference::with_names(names(1), vec![vec![1.0], vec![2.0]]),
            Reference::with_names(names(2), vec![vec![1.0], vec![f64::NAN]]),
        ]
        .map(|result| {
            let error = result.unwrap_err();
            let cause = std::error::Error::source(&error)
                .map(|e| format!(": {e}"))
                .unwrap_or_default();
            format!("{error}{cause}")
        });
        insta::assert_snapshot!(errors.join("\n"), @r#"
        the drift reference has no columns
        column "feature_0" of the drift reference: the sample is empty, at least one value is needed
        column "feature_1" of the drift reference has 1 values, the first column has 2
        1 names for the 2 columns of the drift reference
        column "c1" of the drift reference: value 0 of the sample is NaN, a finite number is needed
        "#);
    }
}

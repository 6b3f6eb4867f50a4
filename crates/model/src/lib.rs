//! CART random forests over linfa's datasets, their metrics, and their export to ONNX.
//!
//! Pure: arrays in, models out. The same data, parameters and seed give the same trees and the same
//! ONNX bytes on any number of threads (decision record 0002 says why the forest is ours).
//!
//! Everything is computed in float32, as the exported model is: columns are rounded to float32 before
//! training, so that a threshold separates in every runtime what it separated here. Linfa's splitting,
//! cross-validation and confusion matrix work on these models through its traits.
//!
//! ```
//! use linfa::prelude::*;
//! use ndarray::{Array1, Array2};
//!
//! let rows = Array2::from_shape_fn((40, 2), |(row, column)| (row * (column + 1)) as f64);
//! let data = Dataset::new(rows, Array1::from_shape_fn(40, |row| usize::from(row >= 20)));
//! let forest = model::Forest::params().trees(10).seed(7).fit(&data)?;
//! assert_eq!(forest.predict(&data), data.targets);
//! assert!(onnx::Model::read(&forest.to_onnx()).is_ok());
//! # Ok::<(), model::Error>(())
//! ```

pub mod baseline;
mod columns;
mod error;
mod fit;
mod forest;
mod grow;
mod leaves;
pub mod metrics;
mod params;
mod random;

pub use error::Error;
pub use forest::{Forest, RegressionForest};
pub use params::{Classes, ForestParams, MaxFeatures, Numbers, ValidForestParams};

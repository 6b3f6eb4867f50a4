//! Two-sample statistics and the drift window.
//!
//! Pure: values in, values out. No IO, no clock, no threads. What the API answers under
//! `/drift/status` and what `trainer drift` prints is computed here and nowhere else.

pub mod compare;
pub mod ecdf;
mod extremes;
pub mod ks;
pub mod npy;
pub mod reference;
pub mod snapshot;
pub mod status;
pub mod window;

pub use compare::{Column, Comparison, FeatureComparison, compare};
pub use ecdf::{Ecdf, SampleError};
pub use ks::{KsError, KsResult, Method, two_sample};
pub use reference::{Reference, ReferenceError};
pub use snapshot::Snapshot;
pub use status::{DriftStatus, FeatureDrift};
pub use window::{PushError, Window, WindowError};

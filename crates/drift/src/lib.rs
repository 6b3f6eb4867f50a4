//! Two-sample statistics and the drift window.
//!
//! Pure: values in, values out. No IO, no clock, no threads. What the API answers under
//! `/drift/status` and what `trainer drift` prints is computed here and nowhere else.

pub mod baseline;
pub mod categories;
pub mod compare;
pub mod correct;
pub mod counts;
pub mod cvm;
pub mod distances;
pub mod ecdf;
pub mod energy;
pub mod episode;
pub mod episodes;
pub mod explain;
mod extremes;
pub mod inbox;
pub mod interval;
pub mod joint;
pub mod ks;
pub mod ledger;
pub mod looks;
pub mod npy;
pub mod performance;
pub mod picture;
pub mod pooled;
pub mod random;
pub mod rates;
pub mod reference;
pub mod rule;
pub mod special;
mod walk;
pub mod window;
pub mod wire;

pub use compare::{Cells, Column, Comparison, Sides};
pub use ecdf::{Ecdf, SampleError};
pub use ks::{KsError, KsResult, Method, two_sample};
pub use reference::{Reference, ReferenceError};
pub use window::{PushError, Window, WindowError};

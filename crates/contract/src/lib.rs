//! The words that the trainer, the inference API, the engines and xtask share.
//!
//! Pure: values in, values out. No IO, no async, no clock.

pub mod digest;
pub mod info;
pub mod manifest;
pub mod names;
pub mod predict;
pub mod tag;
pub mod time;

pub use digest::sha256_hex;
pub use info::ModelInfo;
pub use manifest::Manifest;
pub use predict::{ErrorBody, PredictRequest, Prediction, Predictions};
pub use tag::Tag;

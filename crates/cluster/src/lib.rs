//! A Kubernetes cluster with Argo CD as an engine.
//!
//! Three users, three faces: programs inside the cluster have [`in_cluster`]; the bootstrap has the
//! commands of `driftless-cluster`; everything that is written against `engine::Engine` has the
//! bridge (`driftless-cluster serve`), which speaks the local engine's protocol on loopback.

pub mod connect;
mod error;
pub mod in_cluster;
pub mod jobs;

#[cfg(feature = "bridge")]
pub mod cli;

pub use error::{Error, Kind, Result};

//! A Kubernetes cluster with Argo CD as an engine.
//!
//! Three users, three faces: programs inside the cluster have [`in_cluster`]; the bootstrap has the
//! commands of `driftless-cluster`; everything that is written against `engine::Engine` has the
//! bridge (`driftless-cluster serve`), which speaks the local engine's protocol on loopback.

pub mod connect;
mod error;
pub mod in_cluster;
pub mod jobs;
pub mod records;

#[cfg(feature = "bridge")]
pub mod argo;
#[cfg(feature = "bridge")]
pub mod bridge;
#[cfg(feature = "bridge")]
pub mod certificate;
#[cfg(feature = "bridge")]
pub mod cli;
#[cfg(feature = "bridge")]
pub mod commands;
#[cfg(feature = "bridge")]
pub mod data;
#[cfg(feature = "bridge")]
pub mod live;
#[cfg(feature = "bridge")]
pub mod nudge;
#[cfg(feature = "bridge")]
pub mod output;
#[cfg(feature = "bridge")]
pub mod ownership;
#[cfg(feature = "bridge")]
pub mod quantity;
#[cfg(feature = "bridge")]
pub mod schedule;
#[cfg(feature = "bridge")]
pub mod snapshot;
#[cfg(feature = "bridge")]
pub mod trouble;
#[cfg(feature = "bridge")]
pub mod view;
#[cfg(feature = "bridge")]
pub mod workload;

pub use error::{Error, Kind, Result};

//! Commands of the bootstrap against a scripted API server: what they make, keep, and never say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod data;
mod secrets;
mod server;

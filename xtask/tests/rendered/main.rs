//! What the overlays and Argo CD's own objects render to, and what must hold for them.
//!
//! Rendered once, from a copy in which the machine-written files hold a fixed release.

mod access;
mod cluster;
mod network;
mod overlays;
mod pipelines;
mod requests;
mod tree;

//! Everything a person or CI does in this repository, as a library that its tests drive.
//!
//! Commands are lists of idempotent steps over one executor; only `exec` touches the outside.

pub mod cargo;
pub mod cluster;
pub mod cmd;
pub mod ctx;
pub mod exec;
pub mod failure;
pub mod flags;
pub mod git;
pub mod known;
pub mod kubectl;
pub mod pins;
pub mod profile;
pub mod report;
pub mod step;
pub mod tidy;
pub mod tools;
pub mod upstream;
pub mod venv;
pub mod wait;
pub mod world;

//! Shared by the tests of the whole program.

#[path = "../../../../crates/gitops/tests/it/server.rs"]
pub mod git_server;
#[path = "../../../../crates/mlflow-client/tests/support/server.rs"]
pub mod mlflow;
mod played;
pub mod program;
pub mod redact;
pub mod registry;
pub mod tables;
pub mod world;

//! Shared by the tests of the whole program.

#[path = "../../../../crates/mlflow-client/tests/support/server.rs"]
pub mod mlflow;
pub mod program;
pub mod redact;
pub mod registry;
pub mod world;

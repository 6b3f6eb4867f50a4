//! Kubeflow Pipelines v2 without Python: a pipeline is a value, written as intermediate representation
//! (IR, schema 2.1.0) and read back.
//!
//! - [`build`] makes a [`Pipeline`] from typed handles, so that most mistakes do not compile;
//! - [`check`] finds what is left, with a path, also what the server is blind to;
//! - [`emit`](Pipeline::emit) writes the same bytes for the same pipeline;
//! - [`read`](Pipeline::read) takes IR of ours and of the Python SDK, and names what it cannot hold.
//!
//! Source of the format: Kubeflow Pipelines' `api/v2alpha1/pipeline_spec.proto` and
//! `kubernetes_platform/proto/kubernetes_executor_config.proto` at 2.17; what the server makes of it was
//! measured. Nothing here touches a disk, a clock or a network.

pub mod argument;
pub mod build;
pub mod check;
pub mod condition;
pub mod container;
mod emit;
pub mod kind;
pub mod kubernetes;
pub mod model;
pub mod names;
mod problem;
mod read;
pub mod run;
mod value;

pub use emit::Document;
pub use model::Pipeline;
pub use problem::{Problem, Problems};
pub use read::ReadError;

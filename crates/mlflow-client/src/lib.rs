//! Thin typed client of MLflow's REST API: experiments, runs, logged models, registry, artifacts.
//!
//! Only the calls that the trainer makes. Every call has a deadline. A call that may be repeated
//! without a second effect is retried with back-off; any other only where the request provably
//! never reached the server (no connection) or was turned away unread (429).

mod artifacts;
mod client;
mod error;
mod experiments;
mod logged_models;
mod registry;
mod runs;
mod types;

pub use artifacts::ArtifactFile;
pub use client::{Client, ClientBuilder};
pub use error::{Error, code};
pub use logged_models::{LoggedModel, NewLoggedModel};
pub use registry::{ModelVersion, NewModelVersion, RegisteredAlias, RegisteredModel};
pub use runs::{Batch, DatasetInput, NewRun, Run, RunData, RunInfo, RunInputs, RunOutputs, RunStatus};
pub use types::{Metric, Param, Tag, now_ms};

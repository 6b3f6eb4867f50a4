//! Typed client of the REST API of Kubeflow Pipelines (v2beta1), measured against 2.17.0.
//!
//! Everything that can be found out beforehand is checked before anything is sent: the document
//! ([`PipelineDocument`]), the parameters ([`check_parameters`]), schedules ([`Cron`]), names.
//!
//! Every call has a deadline. A call that may be repeated without a second effect is retried with
//! back-off; any other only where the request provably never reached the server. An upload or a
//! start whose answer was lost is looked for, and a start is never sent twice.

mod answer;
mod client;
mod cron;
mod document;
mod error;
mod experiments;
mod failure;
mod logs;
mod names;
mod nodes;
mod pages;
mod params;
mod pipelines;
mod recurring;
mod runs;
mod state;
mod wait;

pub use client::{Client, ClientBuilder};
pub use cron::{Cron, CronError};
pub use document::{DocumentError, PipelineDocument};
pub use error::Error;
pub use experiments::Experiment;
pub use failure::RunFailure;
pub use params::{Parameter, ParameterError, ParameterType, RunParameters, check_parameters};
pub use pipelines::{Health, Pipeline, PipelineVersion};
pub use recurring::{NewRecurringRun, RecurringRun};
pub use runs::NewRun;
pub use state::{ChildTask, Run, RunDetails, RunState, Task, VersionReference};
pub use wait::{Progress, Wait};

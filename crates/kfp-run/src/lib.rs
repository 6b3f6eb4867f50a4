//! Runs a pipeline of Kubeflow Pipelines as processes on this machine, as its launcher would in pods.
//!
//! [`kfp::run`] decides what can start; this crate starts it. [`Runner`] takes a pipeline, its parameters and a
//! folder, and leaves a [`Record`] there. A run that was cut off, by `kill -9` too, is taken up again by
//! [`Runner::resume`]: steps that have finished are not run again as long as what they left is still there.
//!
//! ```text
//! <folder>/lock                         held while a runner, or a step of one that was killed, lives
//! <folder>/run.json                     the record, always whole
//! <folder>/pipeline.yaml                what is run
//! <folder>/steps/<step>/<attempt>/      one attempt: inputs, outputs, artifacts, work (its working folder),
//!                                       tmp, log.txt, executor_output.json, end.json
//! ```
//!
//! # What a step finds
//! Its placeholders filled in, its inputs as copies of its own, the folders of its outputs, an empty working folder.
//! Of the environment it inherits `PATH`, `LANG`, `LC_ALL`, `TZ` and what [`Given::inherit`] names, nothing else;
//! then come `HOME` (its working folder), `TMPDIR`, `KFP_RETRY_INDEX` where the task has retries, the image's
//! variables, those of the pipeline, and keys of Secrets and ConfigMaps as [`Given::objects`] has them.
//! Mounts have no counterpart for a process: where a word of the command line or a variable begins with the
//! path of one (`/tmp/run` below an empty folder at `/tmp`), it is given the folder that stands for it.
//! Resources, users, pod fields and scheduling are left out.
//!
//! # What is different from the server
//! An unwritten artifact is no failure there and here; a link or a device inside an artifact is one here. A key
//! of the cache has the environment in it. A cancelled run stops at once, its exit tasks too: resume it.

mod attempt;
mod cache;
mod collect;
mod environment;
mod error;
mod files;
mod images;
mod keep;
mod layout;
mod parameters;
mod places;
mod process;
mod record;
mod resume;
mod runner;
mod schedule;
mod settle;

pub use cache::Cache;
pub use environment::Given;
pub use error::{Error, Fault, FaultId};
pub use images::{Commands, Image, Resolve};
pub use keep::keep;
pub use layout::Layout;
pub use parameters::parameters;
pub use process::{Cancel, Keeper};
pub use record::{Attempt, AttemptState, Failure, Outputs, Record, RunState, Saved, StepRecord, StepState};
pub use runner::{Event, Limits, Runner};

//! The local engine: makes true, as processes of this machine, what the overlays at `main` describe.
//!
//! Decisions are functions of values (`planning`, `environment`, `services`, `rollout`,
//! `schedule`, `honoured`); one task (`supervisor`) takes in events and carries decisions out;
//! whatever blocks or waits runs beside it and comes back as an event.

mod app;
mod attempt;
mod compare;
pub mod config;
mod context;
mod deployment;
mod door;
mod drift_watch;
mod environment;
mod git;
mod home;
mod honoured;
mod image;
mod launch;
mod logs;
mod objects;
mod plan;
mod planning;
mod probe;
mod process;
mod procfs;
mod records;
mod render;
mod replica;
mod rollout;
mod run;
mod runs;
mod schedule;
mod server;
mod services;
mod sockets;
mod state;
mod status;
mod supervisor;

pub use config::Config;
pub use home::HomeError;
pub use run::{end, run};

//! The crate from outside: pipelines as real processes.

mod begin;
mod contract;
mod hostile;
mod killed;
mod overhead;
mod pipelines;
mod record;
mod resumed;
mod support;

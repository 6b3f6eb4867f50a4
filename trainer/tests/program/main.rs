//! The trainer as a program, from outside.

mod bad_data;
mod drift;
mod drift_browser;
mod drift_oracle;
mod drift_page;
mod drift_refusals;
mod edges;
mod help;
mod kills;
mod kubeflow;
mod labelled;
mod pipelines;
mod races;
mod support;
mod the_loop;
mod triggers;
mod triggers_killed;

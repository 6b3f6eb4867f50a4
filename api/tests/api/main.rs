//! The API over loopback: the real router behind the real sockets.

mod client;
mod connections;
mod documents;
mod drain;
mod drift_status;
mod errors;
mod fixture;
mod loading;
mod metrics;
mod mlflow;
mod mlflow_oracle;
mod oracle;
mod predict;
mod process;
mod score;
mod server;

//! The API over loopback: the real router behind the real sockets.

mod client;
mod clients;
mod connections;
mod documents;
mod drain;
mod drift_status;
mod errors;
mod fixture;
mod grpc;
mod guard;
mod guard_admin;
mod guard_clients;
mod guard_load;
mod guard_tls;
mod loading;
mod metrics;
mod mlflow;
mod mlflow_oracle;
mod openapi;
mod oracle;
mod plain;
mod predict;
mod process;
mod score;
mod server;
mod v2;

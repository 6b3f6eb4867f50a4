//! The inference API: one model, one process, drift noticed in the request path.
//!
//! [`server::serve`] is the whole life of a process; [`App::answer`] is the whole life of a
//! request. Nothing here writes anywhere: what it knows it was given at start, what it learns
//! it tells when asked.

mod app;
pub mod config;
pub mod error;
mod exchange;
pub mod grpc;
pub mod guard;
mod infer;
pub mod load;
pub mod logs;
mod media;
mod metrics;
mod mlflow;
mod monitor;
pub mod openapi;
mod outcome;
mod predict;
pub mod process;
pub mod protocol;
mod request_id;
mod routes;
pub mod score;
mod served;
pub mod server;
mod state;
pub mod table;
pub mod tensor;
mod v2;

pub use app::App;
pub use config::Config;
pub use exchange::{Exchange, Surface};
pub use guard::{Guard, keys::KeyName};
pub use served::{Engine, Served, Signature};
pub use server::{Sockets, serve};
pub use state::State;

//! Tests of the load generator against a small server with bad manners.

mod failures;
mod pace;
mod server;

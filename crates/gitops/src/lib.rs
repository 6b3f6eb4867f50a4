//! The release file and the one commit that promotes it.
//!
//! Nothing in this crate can write any other path than `contract::names::release_file`.

mod error;
mod release;
mod repo;

pub use error::{Error, ReleaseError};
pub use release::Release;
pub use repo::{Details, LogEntry, Promoted, Repo};

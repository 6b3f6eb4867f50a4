//! The release file and the one commit that promotes it.
//!
//! No call of this crate can write another path than `contract::names::release_file`.

mod commit;
mod error;
mod patience;
mod promote;
mod push;
mod release;
mod remote;
mod repo;
mod withdraw;
mod yaml;

pub use error::{Error, ReleaseError};
pub use release::Release;
pub use repo::{Credentials, Details, LogEntry, Promoted, Repo, Withdrawn};

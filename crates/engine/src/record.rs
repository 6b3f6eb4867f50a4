//! A text that an engine keeps for what it runs, written by compare-and-swap.

use serde::{Deserialize, Serialize};

/// The ledger of retrains; its form is the trainer's matter.
pub const DRIFT_LEDGER: &str = "drift-ledger";

/// What is kept under a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Changes with each writing; empty where nothing was ever written.
    pub version: String,
    /// Absent where nothing was ever written.
    #[serde(default)]
    pub text: Option<String>,
}

/// The answer to a writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Whether it is written; if not, it had another version.
    pub written: bool,
}

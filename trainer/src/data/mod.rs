//! Tables to learn from: found, copied, read, checked and split.

mod cells;
mod fetch;
mod place;
mod read;
mod refusal;
mod s3;
mod split;
mod table;
mod target;
mod text;

pub use cells::{Cell, is_nothing, number};
pub use fetch::{Collected, collect};
pub use place::{find, shown};
pub use read::read;
pub use refusal::{Refusal, shorten};
pub use split::{Part, Split, generator, split};
pub use table::{Missing, Options, Table};
pub use target::Target;
pub use text::{broken, open};

use clap::Args;

/// Bounds on what is read, so that a wrong address cannot fill memory or disk.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limits {
    /// Refuse more data than this, all files together, in bytes.
    #[arg(long, env = "DATA_BYTES_MAX", default_value_t = 512 << 20, value_name = "BYTES")]
    pub data_bytes_max: u64,
    /// Refuse more values than this, all files together (rows times columns); 8 bytes of memory each.
    #[arg(long, env = "DATA_CELLS_MAX", default_value_t = 64 << 20, value_name = "VALUES")]
    pub data_cells_max: u64,
}

/// Most files in one place.
pub const FILES_MAX: usize = 10_000;
/// Most columns of a table.
pub const COLUMNS_MAX: usize = 10_000;
/// Fewest rows that are worth a model.
pub const ROWS_MIN: usize = 20;
/// Most classes of a target.
pub const CLASSES_MAX: usize = 1_000;

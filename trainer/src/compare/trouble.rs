//! Failures of `trainer drift`: each has an id, and a heading in `docs/troubleshooting.md`.

use crate::failure::Failure;
use contract::names::exit;
use std::fmt::Display;

/// A file cannot be read, or not as a table.
pub const DATA_REFUSED: &str = "drift-data-refused";
/// Both files do not have the same columns of the same kinds.
pub const COLUMNS_DIFFER: &str = "drift-columns-differ";
/// The flags make no sense.
pub const BAD_FLAGS: &str = "drift-bad-flags";
/// The report cannot be written.
pub const REPORT_UNWRITABLE: &str = "drift-report-unwritable";
/// Not a failure: what `--fail-on-drift` ends with.
pub const FOUND: &str = "drift-found";
/// Not a failure: there are fewer rows than are judged.
pub const NOT_JUDGED: &str = "drift-not-judged";

fn failure(exit: u8, id: &str, text: &dyn Display) -> Failure {
    Failure::new(exit, text).with("id", id.into())
}

/// See [`DATA_REFUSED`].
pub fn refused(why: &dyn Display) -> Failure {
    failure(exit::BAD_DATA, DATA_REFUSED, why)
}

/// See [`COLUMNS_DIFFER`].
pub fn columns(why: String) -> Failure {
    failure(exit::BAD_DATA, COLUMNS_DIFFER, &why)
}

/// See [`BAD_FLAGS`].
pub fn flags(why: &dyn Display) -> Failure {
    failure(2, BAD_FLAGS, why)
}

/// See [`REPORT_UNWRITABLE`].
pub fn unwritable(why: &dyn Display) -> Failure {
    failure(1, REPORT_UNWRITABLE, why)
}

/// The first few names.
pub fn list(names: &[String]) -> String {
    const MOST: usize = 20;
    let more = match names.len() {
        count if count > MOST => format!(", … ({count} in all)"),
        _ => String::new(),
    };
    names[..names.len().min(MOST)].join(", ") + &more
}

//! Why data is refused: file, row, column and value, so that a person finds the place.

/// A refusal. Rows count from 1 and leave the head out; lines count from 1 with it.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("data place {place:?}: {reason}")]
    Place { place: String, reason: String },
    #[error("cannot read {file}: {source}")]
    Read {
        file: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot fetch {address}: {reason}")]
    Fetch { address: String, reason: String },
    #[error("{file} has the digest {found}, expected {expected}: these are not the bytes that were meant")]
    Digest {
        file: String,
        expected: String,
        found: String,
    },
    #[error("{what} has {found} {unit}, more than the limit of {limit} (raise it with {flag})")]
    TooLarge {
        what: String,
        found: u64,
        unit: &'static str,
        limit: u64,
        flag: &'static str,
    },
    #[error("{file}: {reason}")]
    File { file: String, reason: String },
    #[error("{file}: column {column} of the head: {reason}")]
    Head {
        file: String,
        column: usize,
        reason: String,
    },
    #[error("{file}: row {row} (line {line}) has {found} fields, expected {expected}")]
    Ragged {
        file: String,
        row: u64,
        line: u64,
        found: usize,
        expected: usize,
    },
    #[error("{file}: row {row} (line {line}), column {column:?}: {value:?} is {reason}")]
    Cell {
        file: String,
        row: u64,
        line: u64,
        column: String,
        value: String,
        reason: String,
    },
    #[error("{file} has the columns {found}, but {first} has {expected}: all files need one schema")]
    Schema {
        file: String,
        first: String,
        found: String,
        expected: String,
    },
    #[error("target {target:?}: {reason}")]
    Target { target: String, reason: String },
    #[error("{found} usable rows in all, expected at least {expected}")]
    Rows { found: usize, expected: usize },
}

/// A value as it may be shown: not longer than a line.
pub fn shorten(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

//! A pooled window as bytes: for other replicas, and for the file that outlives a restart.
//!
//! Little-endian words: magic, rows, features, length and bytes of the model's name, replicas heard
//! (number, count), then rows (time, replica, number, class, values). NaN keeps its place, which JSON
//! would not give it.

use crate::pooled::{PooledWindow, Row, RowKey};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"DRIFTWN1";
/// No model's digest is longer, and no deployment has more replicas in a model's life.
const MODEL_MAX: usize = 1_024;
const REPLICAS_MAX: usize = 65_536;
/// Stands for "no class".
const NO_CLASS: u64 = u64::MAX;

/// Why bytes are no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Something else, or another version.
    #[error("the bytes do not begin as a drift window does")]
    Magic,
    /// Fewer bytes than announced.
    #[error("the drift window ends in the middle of {0}")]
    Cut(&'static str),
    /// More bytes than announced.
    #[error("{0} bytes follow the drift window")]
    Rest(usize),
    /// A number outside of what is allowed; nothing that large is ever allocated.
    #[error("{what} of the drift window is {found}, at most {most} is allowed")]
    Bound {
        /// What.
        what: &'static str,
        /// As announced.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// The name is no text.
    #[error("the model's name in the drift window is not UTF-8")]
    Model,
}

/// Writes a window.
pub fn write(window: &PooledWindow) -> Vec<u8> {
    let row_bytes = 8 * (4 + window.features());
    let mut bytes = Vec::with_capacity(64 + window.model().len() + window.rows().len() * row_bytes);
    let word = |bytes: &mut Vec<u8>, word: u64| bytes.extend(word.to_le_bytes());
    bytes.extend(MAGIC);
    for number in [window.size(), window.features(), window.model().len()] {
        word(&mut bytes, number as u64);
    }
    bytes.extend(window.model().as_bytes());
    word(&mut bytes, window.heard().len() as u64);
    for (&replica, &seq) in window.heard() {
        word(&mut bytes, replica);
        word(&mut bytes, seq);
    }
    word(&mut bytes, window.rows().len() as u64);
    for row in window.rows() {
        let class = row.class.map_or(NO_CLASS, u64::from);
        for number in [row.key.time, row.key.replica, row.key.seq, class] {
            word(&mut bytes, number);
        }
        row.values
            .iter()
            .for_each(|value| word(&mut bytes, value.to_bits()));
    }
    bytes
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn word(&mut self, what: &'static str) -> Result<u64, WireError> {
        let (word, rest) = self.0.split_first_chunk::<8>().ok_or(WireError::Cut(what))?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*word))
    }

    fn count(&mut self, what: &'static str, most: usize) -> Result<usize, WireError> {
        let found = self.word(what)?;
        let most = most as u64;
        if found > most {
            return Err(WireError::Bound { what, found, most });
        }
        Ok(found as usize)
    }
}

/// Reads a window of at most `rows_max` rows of at most `features_max` values.
pub fn read(bytes: &[u8], rows_max: usize, features_max: usize) -> Result<PooledWindow, WireError> {
    let mut reader = Reader(bytes.strip_prefix(MAGIC).ok_or(WireError::Magic)?);
    let size = reader.count("the size", rows_max)?;
    let features = reader.count("the number of features", features_max)?;
    let length = reader.count("the length of the model's name", MODEL_MAX)?;
    let (model, rest) = reader
        .0
        .split_at_checked(length)
        .ok_or(WireError::Cut("the model's name"))?;
    let model = std::str::from_utf8(model).map_err(|_| WireError::Model)?;
    reader.0 = rest;
    let mut window = PooledWindow::new(model, size, features);
    for _ in 0..reader.count("the number of replicas", REPLICAS_MAX)? {
        let replica = reader.word("a replica")?;
        window.hear(replica, reader.word("a replica")?);
    }
    for _ in 0..reader.count("the number of rows", size)? {
        let mut number = || reader.word("a row");
        let key = RowKey {
            time: number()?,
            replica: number()?,
            seq: number()?,
        };
        let class = number()?;
        let values: Result<Arc<[f64]>, WireError> =
            (0..features).map(|_| number().map(f64::from_bits)).collect();
        let row = Row {
            key,
            class: u16::try_from(class).ok(),
            values: values?,
        };
        // Neither order nor doubles matter, and the length is right by construction.
        let _ = window.offer(row);
    }
    match reader.0.len() {
        0 => Ok(window),
        rest => Err(WireError::Rest(rest)),
    }
}

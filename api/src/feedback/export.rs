//! Labelled rows as a batch of the dataset.

use super::core::BEFORE_INPUTS;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use drift::pooled::Row;
use sha2::{Digest as _, Sha256};

/// Largest table that is given out, in bytes; the newest rows that fit.
const BYTES_MOST: usize = 64 << 20;

/// A CSV table: features in order and the target, as the dataset has them.
#[derive(Clone, Debug)]
pub struct Export {
    /// The text.
    pub csv: Vec<u8>,
    /// Rows in it.
    pub rows: usize,
    /// Older rows that did not fit.
    pub left_out: usize,
    sha256: [u8; 32],
}

impl Export {
    /// Of captured rows, oldest first. Values that were missing, or are of a column that is never kept, are empty.
    pub(super) fn of<'n>(
        names: impl Iterator<Item = &'n String>,
        rows: &[Row],
        label: impl Fn(f64) -> String,
    ) -> Self {
        let head = line(names.cloned());
        let (mut lines, mut bytes) = (Vec::new(), head.len());
        for row in rows.iter().rev() {
            let (before, inputs) = row.values.split_at(BEFORE_INPUTS);
            let narrow = before[1] != 0.0;
            let cells = inputs.iter().map(|value| cell(*value, narrow));
            let line = line(cells.chain([label(before[2])]));
            bytes += line.len();
            if bytes > BYTES_MOST {
                break;
            }
            lines.push(line);
        }
        let count = lines.len();
        let mut csv = head;
        csv.extend(lines.into_iter().rev().flatten());
        Export {
            sha256: Sha256::digest(&csv).into(),
            csv,
            rows: count,
            left_out: rows.len() - count,
        }
    }

    /// `Content-Digest` (RFC 9530).
    pub fn content_digest(&self) -> String {
        format!("sha-256=:{}:", STANDARD.encode(self.sha256))
    }

    /// `ETag`: the same bytes have the same.
    pub fn etag(&self) -> String {
        let hex: String = self.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("\"{hex}\"")
    }
}

/// Text that reads back as the same number: of the type that it came as, so that 5.1 stays 5.1.
fn cell(value: f64, narrow: bool) -> String {
    match (value.is_nan(), narrow) {
        (true, _) => String::new(),
        (false, true) => format!("{:?}", value as f32),
        (false, false) => format!("{value:?}"),
    }
}

fn line(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    // Into memory nothing fails.
    let _ = writer.write_record(cells.map(String::into_bytes));
    writer.into_inner().unwrap_or_default()
}

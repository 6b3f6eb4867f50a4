//! Rows to send and batches to learn from, made from the batches already in the data place.

use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};

/// A labelled table as text cells; the label is the last column.
#[derive(Clone)]
pub struct Table {
    header: String,
    pub rows: Vec<(Vec<f64>, String)>,
}

impl Table {
    /// Reads a batch whose last column is the label (as the shipped iris table has it).
    pub fn read(path: &Path) -> Result<Table> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut lines = text.lines();
        let header = lines.next().context("no header")?.to_owned();
        let rows = lines
            .map(|line| {
                let (features, label) = line.rsplit_once(',').context("no label")?;
                let features = features
                    .split(',')
                    .map(|cell| cell.parse().context(line.to_owned()))
                    .collect::<Result<_>>()?;
                Ok((features, label.to_owned()))
            })
            .collect::<Result<Vec<_>>>()?;
        ensure!(
            rows.len() >= 100,
            "{} has only {} rows",
            path.display(),
            rows.len()
        );
        Ok(Table { header, rows })
    }

    /// The same flowers measured `copies` times by an instrument that reads each column higher by
    /// `by`, with up to 0.05 of noise drawn from `salt`: another salt gives another batch.
    pub fn shifted(&self, by: [f64; 4], copies: usize, salt: u64) -> Table {
        let mut state = salt;
        let mut noise = || {
            // SplitMix64 (Steele, Lea and Flood 2014), top 53 bits as a fraction.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5) / 10.0
        };
        let all = self.rows.iter().cycle().take(self.rows.len() * copies);
        let rows = all
            .map(|(features, label)| {
                let moved = features
                    .iter()
                    .zip(by.iter().cycle())
                    .map(|(value, step)| value + step + noise());
                (
                    moved.map(|value| (value * 1e4).round() / 1e4).collect(),
                    label.clone(),
                )
            })
            .collect();
        Table {
            header: self.header.clone(),
            rows,
        }
    }

    /// Writes the batch beside, then renames: a reader sees all of it or nothing.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = format!("{}\n", self.header);
        for (features, label) in &self.rows {
            for value in features {
                text.push_str(&format!("{value},"));
            }
            text.push_str(label);
            text.push('\n');
        }
        let aside = path.with_extension("partial");
        fs::write(&aside, text)?;
        fs::rename(&aside, path).with_context(|| path.display().to_string())
    }

    /// `/predict` bodies, one a row, in an order that mixes the classes (a fixed stride that is
    /// coprime to the number of rows), so that any window of traffic looks like the whole.
    pub fn bodies(&self) -> Vec<String> {
        let n = self.rows.len();
        let stride = (n / 2 + 1..).find(|s| gcd(*s, n) == 1).unwrap_or(1);
        (0..n)
            .map(|i| serde_json::json!({"features": self.rows[i * stride % n].0}).to_string())
            .collect()
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

//! A batch of labelled rows, and the same flowers as a world that has moved measures them.

use contract::ModelInfo;
use serde_json::json;

/// What is added to each feature in the shifted world: a ruler that was put on wrong. The smallest
/// range of iris (petal width, 0.1 to 2.5) moves by more than itself, so both worlds can be told apart.
pub const SHIFT: f64 = 2.6;

/// A table with its label column.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    header: Vec<String>,
    target: usize,
    /// Feature values in the file's order, and the label.
    pub rows: Vec<(Vec<f64>, String)>,
}

impl Batch {
    /// Reads a CSV text as this project's batches are written (no quoted commas).
    ///
    /// # Errors
    /// Row and value of what cannot be read.
    pub fn parse(text: &str, target: &str) -> Result<Batch, String> {
        let mut lines = text
            .lines()
            .map(|line| line.split(',').map(|cell| cell.trim().trim_matches('"')));
        let header: Vec<String> = lines.next().ok_or("it is empty")?.map(str::to_owned).collect();
        let place = header
            .iter()
            .position(|name| name == target)
            .ok_or(format!("it has no column {target:?}"))?;
        let mut rows = Vec::new();
        for (number, cells) in (2..).zip(lines) {
            let mut cells: Vec<&str> = cells.collect();
            if cells.len() != header.len() {
                return Err(format!(
                    "line {number} has {} cells, the header {}",
                    cells.len(),
                    header.len()
                ));
            }
            let label = cells.remove(place).to_owned();
            let read = |cell: &&str| {
                cell.parse()
                    .map_err(|_| format!("line {number}: {cell:?} is no number"))
            };
            rows.push((cells.iter().map(read).collect::<Result<_, _>>()?, label));
        }
        Ok(Batch {
            header,
            target: place,
            rows,
        })
    }

    /// The same flowers measured anew in the shifted world, `copies` times each; another seed gives
    /// other noise.
    pub fn shifted(&self, copies: usize, seed: u64) -> Batch {
        self.moved(SHIFT, copies, seed)
    }

    /// The same flowers measured anew by a ruler that reads `by` too much, `copies` times each.
    pub fn moved(&self, by: f64, copies: usize, seed: u64) -> Batch {
        let mut noise = Noise(seed);
        let rows = self
            .rows
            .iter()
            .cycle()
            .take(self.rows.len() * copies)
            .cloned()
            .collect();
        let mut again = Batch { rows, ..self.clone() };
        for value in again.rows.iter_mut().flat_map(|(features, _)| features) {
            // Three decimals, as a file holds them.
            *value = ((*value + by + noise.next()) * 1e3).round() / 1e3;
        }
        again
    }

    /// The rows in an order in which any window of them looks like the whole: sorted by label and
    /// size, then visited by steps of the golden ratio, which spread evenly over any stretch
    /// (Weyl's equidistribution; a shuffled order would have one window in six look like drift).
    pub fn mixed(&self) -> Batch {
        let mut rows = self.rows.clone();
        let size = |row: &(Vec<f64>, String)| row.0.iter().sum::<f64>();
        rows.sort_by(|a, b| a.1.cmp(&b.1).then(size(a).total_cmp(&size(b))));
        let count = rows.len();
        let golden = (count as f64 * 0.618_033_988_749_895) as usize;
        let stride = (golden.max(1)..)
            .find(|stride| greatest_common_divisor(*stride, count) == 1)
            .unwrap_or(1);
        let rows = (0..count).map(|i| rows[i * stride % count].clone()).collect();
        Batch { rows, ..self.clone() }
    }

    /// As CSV.
    pub fn csv(&self) -> String {
        let mut text = format!("{}\n", self.header.join(","));
        for (features, label) in &self.rows {
            let mut cells: Vec<String> = features.iter().map(ToString::to_string).collect();
            cells.insert(self.target, label.clone());
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }

    /// Bodies for `/predict`, with the features in the model's order.
    ///
    /// # Errors
    /// The feature that the batch does not have.
    pub fn bodies(&self, model: &ModelInfo) -> Result<Vec<String>, String> {
        let columns: Vec<&String> = self
            .header
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != self.target)
            .map(|(_, n)| n)
            .collect();
        let place = |feature: &contract::manifest::Feature| {
            columns
                .iter()
                .position(|name| **name == feature.name)
                .ok_or(format!("it has no column {:?}", feature.name))
        };
        let order: Vec<usize> = model.features.iter().map(place).collect::<Result<_, _>>()?;
        let body = |(features, _): &(Vec<f64>, String)| {
            let features: Vec<f64> = order.iter().map(|index| features[*index]).collect();
            json!({ "features": features }).to_string()
        };
        Ok(self.rows.iter().map(body).collect())
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Noise(u64);

impl Noise {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in ±0.05, the precision of a ruler.
    fn next(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 / (1u64 << 53) as f64 - 0.5) / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a,species,b\n1,x,2\n3.5,y,4\n";

    #[test]
    fn round_trip_with_the_label_anywhere() {
        let batch = Batch::parse(TEXT, "species").unwrap();
        assert_eq!(batch.rows[1], (vec![3.5, 4.0], "y".to_owned()));
        assert_eq!(batch.csv(), TEXT);
    }

    #[test]
    fn refusals_name_the_place() {
        assert_eq!(Batch::parse(TEXT, "z").unwrap_err(), "it has no column \"z\"");
        assert_eq!(
            Batch::parse("a,s\n1,x\nq,x\n", "s").unwrap_err(),
            "line 3: \"q\" is no number"
        );
        assert_eq!(
            Batch::parse("a,s\n1\n", "s").unwrap_err(),
            "line 2 has 1 cells, the header 2"
        );
        assert_eq!(Batch::parse("", "s").unwrap_err(), "it is empty");
    }

    #[test]
    fn the_shift_moves_everything_and_keeps_labels() {
        let batch = Batch::parse(TEXT, "species").unwrap();
        let (one, other) = (batch.shifted(2, 1), batch.shifted(2, 2));
        assert_ne!(one, other);
        assert_eq!(one, batch.shifted(2, 1));
        assert_eq!(one.rows.len(), 4);
        for (moved, from) in one.rows.iter().zip(batch.rows.iter().cycle()) {
            assert_eq!(moved.1, from.1);
            assert!(
                moved
                    .0
                    .iter()
                    .zip(&from.0)
                    .all(|(m, f)| (m - f - SHIFT).abs() <= 0.051)
            );
        }
    }

    #[test]
    fn mixing_loses_no_row() {
        let text: String = (0..50).map(|i| format!("{i},x\n")).collect();
        let batch = Batch::parse(&format!("a,s\n{text}"), "s").unwrap();
        let mut mixed = batch.mixed().rows;
        assert_ne!(mixed, batch.rows);
        mixed.sort_by(|a, b| a.0[0].total_cmp(&b.0[0]));
        assert_eq!(mixed, batch.rows);
    }
}

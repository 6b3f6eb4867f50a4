//! Reads CSV files of one schema, row by row, and refuses at the first wrong field.

use super::cells::{Cell, is_nothing, judge};
use super::refusal::shorten;
use super::target::Gathered;
use super::text::{broken, open, refuse};
use super::{Collected, Missing, Options, ROWS_MIN, Refusal, Table};
use contract::manifest::DatasetFile;
use csv::ByteRecord;

/// Reads all files into one table.
///
/// # Errors
/// A [`Refusal`] that names the file and, where there is one, row, column and value.
pub fn read(files: &[Collected], options: &Options) -> Result<Table, Refusal> {
    let mut reading = Reading::default();
    for file in files {
        reading.file(file, options)?;
    }
    let rows = reading.target.len();
    if rows < ROWS_MIN {
        return Err(Refusal::Rows {
            found: rows,
            expected: ROWS_MIN,
        });
    }
    let target_name = reading.columns[reading.target_index].clone();
    let mut features = reading.columns;
    features.remove(reading.target_index);
    for (index, feature) in features.iter().enumerate() {
        let mut column = reading.values.iter().skip(index).step_by(features.len());
        if column.all(|value| value.is_nan()) {
            return Err(Refusal::File {
                file: files[0].name.clone(),
                reason: format!("column {feature:?} has no value in any row: nothing to fill it in from"),
            });
        }
    }
    Ok(Table {
        target: reading.target.finish(&target_name, options.task)?,
        features,
        target_name,
        values: reading.values,
        files: reading.files,
        missing: options.missing,
    })
}

#[derive(Default)]
struct Reading {
    columns: Vec<String>,
    target_index: usize,
    target: Gathered,
    values: Vec<f64>,
    files: Vec<DatasetFile>,
    cells: u64,
}

impl Reading {
    fn file(&mut self, file: &Collected, options: &Options) -> Result<(), Refusal> {
        let name = file.name.as_str();
        let (mut csv, columns) = open(name, &file.path, options.delimiter, 2)?;
        self.schema(name, columns, options)?;
        let before = self.target.len();
        let mut record = ByteRecord::new();
        let mut row = 0;
        while csv.read_byte_record(&mut record).map_err(|e| broken(name, &e))? {
            row += 1;
            let line = record.position().map_or(row + 1, csv::Position::line);
            self.row(&record, (name, row, line), options)?;
        }
        if row == 0 {
            return Err(refuse(name, "only a head, no rows"));
        }
        self.files.push(DatasetFile {
            name: file.name.clone(),
            digest: file.digest.clone(),
            rows: (self.target.len() - before) as u64,
        });
        Ok(())
    }

    fn schema(&mut self, name: &str, columns: Vec<String>, options: &Options) -> Result<(), Refusal> {
        if let Some(first) = self.files.first() {
            if columns != self.columns {
                return Err(Refusal::Schema {
                    file: name.to_owned(),
                    first: first.name.clone(),
                    found: columns.join(", "),
                    expected: self.columns.join(", "),
                });
            }
            return Ok(());
        }
        self.target_index = match &options.target {
            None => columns.len() - 1,
            Some(target) => columns
                .iter()
                .position(|column| column == target)
                .ok_or_else(|| Refusal::Target {
                    target: target.clone(),
                    reason: format!("no such column in {name}, which has {}", columns.join(", ")),
                })?,
        };
        self.columns = columns;
        Ok(())
    }

    fn row(&mut self, record: &ByteRecord, at: (&str, u64, u64), options: &Options) -> Result<(), Refusal> {
        let (file, row, line) = at;
        if record.len() != self.columns.len() {
            return Err(Refusal::Ragged {
                file: file.to_owned(),
                row,
                line,
                found: record.len(),
                expected: self.columns.len(),
            });
        }
        self.cells += record.len() as u64;
        if self.cells > options.cells_max {
            return Err(Refusal::TooLarge {
                what: format!("the data up to {file} row {row}"),
                found: self.cells,
                unit: "values",
                limit: options.cells_max,
                flag: "--data-cells-max",
            });
        }
        let kept = self.values.len();
        let mut target = None;
        for (index, (field, column)) in record.iter().zip(&self.columns).enumerate() {
            let wrong = |reason: &str| Refusal::Cell {
                file: file.to_owned(),
                row,
                line,
                column: column.clone(),
                value: shorten(field),
                reason: reason.to_owned(),
            };
            let text = std::str::from_utf8(field).map_err(|_| wrong("not UTF-8"))?.trim();
            match judge(text) {
                // `-` and `none` may be labels; only an empty field or NaN is no label at all.
                Cell::Missing(_) if index == self.target_index && !is_nothing(text) => target = Some(text),
                Cell::Missing(_) | Cell::Unbounded(_) if options.missing == Missing::Drop => {
                    self.values.truncate(kept);
                    return Ok(());
                }
                Cell::Missing(reason) | Cell::Unbounded(reason) if index == self.target_index => {
                    return Err(wrong(&format!(
                        "{reason}: every row needs a target (--missing drop leaves it out)"
                    )));
                }
                _ if index == self.target_index => target = Some(text),
                Cell::Number(value) => self.values.push(value),
                Cell::Missing(reason) | Cell::Unbounded(reason) if options.missing == Missing::Refuse => {
                    return Err(wrong(&format!(
                        "{reason} (--missing drop, mean or median says how to treat it)"
                    )));
                }
                Cell::Missing(_) | Cell::Unbounded(_) => self.values.push(f64::NAN),
                Cell::Text => return Err(wrong("not a number")),
            }
        }
        self.target.push(target.unwrap_or_default(), at);
        Ok(())
    }
}

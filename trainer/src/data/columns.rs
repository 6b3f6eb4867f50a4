//! The numeric columns of one CSV file, for a comparison without any model.

use super::cells::{Cell, judge};
use super::refusal::shorten;
use super::text::{broken, open};
use super::{Limits, Missing, Refusal};
use csv::ByteRecord;
use drift::Column;
use std::path::Path;

/// Numeric columns in order, and the names of columns that hold no number at all.
///
/// # Errors
/// A [`Refusal`]; a column with both numbers and text is refused with row and value.
pub fn numeric_columns(
    path: &Path,
    delimiter: u8,
    missing: Missing,
    limits: Limits,
) -> Result<(Vec<Column>, Vec<String>), Refusal> {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    let failed = |source| Refusal::Read {
        file: path.display().to_string(),
        source,
    };
    let bytes = path.metadata().map_err(failed)?.len();
    let too_large = |found, unit, limit, flag| Refusal::TooLarge {
        what: name.clone(),
        found,
        unit,
        limit,
        flag,
    };
    if bytes > limits.data_bytes_max {
        return Err(too_large(
            bytes,
            "bytes",
            limits.data_bytes_max,
            "--data-bytes-max",
        ));
    }
    let (mut csv, heads) = open(&name, path, delimiter)?;
    let mut columns: Vec<Gathered> = heads.iter().map(|_| Gathered::default()).collect();
    let mut record = ByteRecord::new();
    let (mut row, mut cells) = (0, 0);
    while csv.read_byte_record(&mut record).map_err(|e| broken(&name, &e))? {
        row += 1;
        cells += record.len() as u64;
        let line = record.position().map_or(row + 1, csv::Position::line);
        if record.len() != heads.len() {
            let (found, expected) = (record.len(), heads.len());
            return Err(Refusal::Ragged {
                file: name,
                row,
                line,
                found,
                expected,
            });
        }
        if cells > limits.data_cells_max {
            return Err(too_large(
                cells,
                "values",
                limits.data_cells_max,
                "--data-cells-max",
            ));
        }
        for ((field, head), column) in record.iter().zip(&heads).zip(&mut columns) {
            let wrong = |reason: &str| Refusal::Cell {
                file: name.clone(),
                row,
                line,
                column: head.clone(),
                value: shorten(field),
                reason: reason.to_owned(),
            };
            let text = std::str::from_utf8(field).map_err(|_| wrong("not UTF-8"))?.trim();
            match judge(text) {
                Cell::Number(value) => column.values.push(value),
                Cell::Missing(_) | Cell::Unbounded(_) if missing != Missing::Refuse => {}
                Cell::Missing(reason) | Cell::Unbounded(reason) => {
                    column
                        .wrong
                        .get_or_insert_with(|| wrong(&format!("{reason} (--missing drop leaves it out)")));
                }
                Cell::Text => {
                    column.wrong.get_or_insert_with(|| wrong("not a number"));
                }
            }
        }
    }
    let (mut numeric, mut ignored) = (Vec::new(), Vec::new());
    for (head, column) in heads.into_iter().zip(columns) {
        match column.wrong {
            _ if column.values.is_empty() => ignored.push(head),
            None => numeric.push(Column {
                name: head,
                values: column.values,
            }),
            Some(wrong) => return Err(wrong),
        }
    }
    if numeric.is_empty() {
        return Err(super::text::refuse(&name, "no column with numbers"));
    }
    Ok((numeric, ignored))
}

#[derive(Default)]
struct Gathered {
    values: Vec<f64>,
    wrong: Option<Refusal>,
}

//! Opens a CSV file: what kind of bytes it holds, and its head.

use super::cells::{Cell, judge};
use super::refusal::shorten;
use super::{COLUMNS_MAX, Refusal};
use csv::ByteRecord;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Opens the file called `name` at `path` and reads its head: a reader of the rows, and the columns, of which there
/// must be `least`.
///
/// # Errors
/// `Read`, `File` or `Head`.
pub fn open(
    name: &str,
    path: &Path,
    delimiter: u8,
    least: usize,
) -> Result<(csv::Reader<BufReader<File>>, Vec<String>), Refusal> {
    let failed = |source| Refusal::Read {
        file: name.to_owned(),
        source,
    };
    let mut source = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    let start = source.fill_buf().map_err(failed)?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return Err(refuse(name, "the text is UTF-16, expected UTF-8"));
    }
    if start.starts_with(&[0x1f, 0x8b]) || start.starts_with(b"PK\x03") || start.starts_with(b"PAR1") {
        return Err(refuse(name, "compressed or binary, expected CSV text"));
    }
    let has_mark = start.starts_with(&[0xef, 0xbb, 0xbf]);
    source.consume(if has_mark { 3 } else { 0 });

    // Ragged rows are found by the callers, with words of ours: the reader's error names no column.
    let mut csv = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(source);
    let mut record = ByteRecord::new();
    if !csv.read_byte_record(&mut record).map_err(|e| broken(name, &e))? {
        return Err(refuse(name, "the file is empty"));
    }
    let columns = head(name, &record, delimiter, least)?;
    Ok((csv, columns))
}

fn head(file: &str, record: &ByteRecord, delimiter: u8, least: usize) -> Result<Vec<String>, Refusal> {
    let bad = |column: usize, reason: String| Refusal::Head {
        file: file.to_owned(),
        column,
        reason,
    };
    let mut columns: Vec<String> = Vec::with_capacity(record.len());
    for (index, field) in record.iter().enumerate() {
        let text = std::str::from_utf8(field)
            .map_err(|_| bad(index + 1, format!("{:?} is not UTF-8", shorten(field))))?;
        columns.push(text.trim().to_owned());
    }
    if let [only] = columns.as_slice() {
        let other = [',', ';', '\t', '|']
            .into_iter()
            .find(|other| only.contains(*other));
        if let Some(other) = other {
            return Err(refuse(
                file,
                &format!(
                    "the columns are separated by {other:?}, expected {:?} (--delimiter {other:?} reads it)",
                    char::from(delimiter)
                ),
            ));
        }
        if least > 1 {
            return Err(refuse(
                file,
                &format!("only one column, {only:?}: a table needs features and a target"),
            ));
        }
    }
    if columns.len() > COLUMNS_MAX {
        return Err(refuse(
            file,
            &format!("{} columns, expected at most {COLUMNS_MAX}", columns.len()),
        ));
    }
    if columns
        .iter()
        .all(|column| matches!(judge(column), Cell::Number(_)))
    {
        return Err(refuse(
            file,
            &format!(
                "the first line holds numbers ({}), not column names",
                columns.join(", ")
            ),
        ));
    }
    let mut seen = std::collections::HashMap::new();
    for (index, column) in columns.iter().enumerate() {
        if column.is_empty() {
            return Err(bad(index + 1, "it has no name".to_owned()));
        }
        if let Some(earlier) = seen.insert(column.as_str(), index + 1) {
            return Err(bad(
                index + 1,
                format!("the name {column:?} is that of column {earlier} too"),
            ));
        }
    }
    Ok(columns)
}

/// The refusal of a file that the CSV reader gave up on.
pub fn broken(file: &str, error: &csv::Error) -> Refusal {
    refuse(file, &format!("cannot be read: {error}"))
}

/// The refusal of a whole file.
pub fn refuse(file: &str, reason: &str) -> Refusal {
    Refusal::File {
        file: file.to_owned(),
        reason: reason.to_owned(),
    }
}

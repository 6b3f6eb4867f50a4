//! `text/csv` with a header row, as `DataFrame.to_csv()` writes it (with its index column or without).

use crate::{
    error::{ApiError, Code},
    table::{Place, Table, Value, csv_problem},
};
use csv::{ByteRecord, ReaderBuilder};

/// Reads a body into `table`.
pub(super) fn read(body: &[u8], table: &mut Table<'_>) -> Result<(), ApiError> {
    let failed = |problem: String| {
        // MLflow's words, but for the name of the method that made the text.
        let message = format!("Failed to parse input as a Pandas DataFrame. Error: {problem}");
        ApiError::new(Code::InvalidTable, message)
    };
    let text =
        std::str::from_utf8(body).map_err(|error| failed(format!("the body is not UTF-8: {error}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut record = ByteRecord::new();
    let mut next = |record: &mut ByteRecord| {
        reader
            .read_byte_record(record)
            .map_err(|error| failed(csv_problem(&error)))
    };
    if !next(&mut record)? {
        return Err(failed("No columns to parse from file".to_owned()));
    }
    let header = table
        .columns()
        .header(record.iter().map(cell).collect::<Vec<_>>().into_iter())?;
    while next(&mut record)? {
        table.place = Place::Line(record.position().map_or(0, csv::Position::line));
        let row = table.grow()?;
        for (place, bytes) in header.iter().zip(&record) {
            if let Some(place) = place {
                table.put(row, *place, 0, Value::Cell(cell(bytes)))?;
            }
        }
    }
    Ok(())
}

/// Parts of valid UTF-8 between ASCII characters are valid UTF-8.
fn cell(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

//! Parquet: flat columns of numbers, truth values and strings, one after the other.

use super::gather::{Gathered, Place};
use super::table::{Table, Wanted};
use super::trouble;
use crate::failure::{Failure, Result};
use parquet::basic::{Compression, ConvertedType, LogicalType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::collections::HashSet;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Rows that are taken out of a column at once.
const BATCH_ROWS: usize = 8192;

/// The reader of a damaged file may panic: that is the file's fault and is said so.
pub fn read(path: &Path, wanted: &Wanted<'_>) -> Result<Table> {
    let refused = |why: String| trouble::refused(&format!("{}: {why}", wanted.file));
    let table = catch_unwind(AssertUnwindSafe(|| columns(path, wanted)));
    table.unwrap_or_else(|_| Err(refused("the file is damaged".to_owned())))
}

fn columns(path: &Path, wanted: &Wanted<'_>) -> Result<Table> {
    let refused = |why: String| trouble::refused(&format!("{}: {why}", wanted.file));
    let file = File::open(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let reader =
        SerializedFileReader::new(file).map_err(|error| refused(format!("is no Parquet file: {error}")))?;
    let metadata = reader.metadata().file_metadata();
    let rows = u64::try_from(metadata.num_rows()).unwrap_or_default();
    let schema = metadata.schema_descr_ptr();
    let names: Vec<String> = schema
        .columns()
        .iter()
        .map(|column| column.path().string())
        .collect();
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        return Err(refused(format!("two columns are named {twice:?}")));
    }
    wanted.check(&names)?;
    wanted.bound(rows.saturating_mul(names.len() as u64))?;
    let mut table = Table {
        file: String::new(),
        columns: Vec::new(),
        names: names.clone(),
        rows,
        notes: Vec::new(),
    };
    for (index, name) in names.into_iter().enumerate() {
        if !wanted.is_wanted(&name) {
            continue;
        }
        let texts = match holds(&schema.column(index)) {
            Ok(texts) => texts,
            Err(why) if wanted.flags.columns.is_empty() => {
                table.names.retain(|other| *other != name);
                table.notes.push(format!(
                    "{}: column {name:?} {why}: it is not compared",
                    wanted.file
                ));
                continue;
            }
            Err(why) => return Err(refused(format!("column {name:?} {why}"))),
        };
        // What is stored as strings is meant as such.
        let mut column = Gathered::new(name.clone(), texts, texts || wanted.is_forced(&name));
        let mut row = 0;
        for number in 0..reader.num_row_groups() {
            let damaged = |why: String| refused(format!("row group {number}, column {name:?}: {why}"));
            let group = reader
                .get_row_group(number)
                .map_err(|error| damaged(error.to_string()))?;
            let left = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
            let compression = group.metadata().column(index).compression();
            if !is_readable(compression) {
                let by = word(&compression);
                return Err(damaged(format!(
                    "it is compressed by {by}, expected Snappy, zstd or nothing"
                )));
            }
            let mut values = group
                .get_column_reader(index)
                .map_err(|error| damaged(error.to_string()))?;
            take(&mut values, left, &mut row, &mut column).map_err(|fault| match fault {
                Fault::File(why) => damaged(why),
                Fault::Value(row) => utf8(wanted.file, row, &name),
            })?;
        }
        table.columns.push(column);
    }
    Ok(table)
}

fn is_readable(compression: Compression) -> bool {
    use Compression::{SNAPPY, UNCOMPRESSED, ZSTD};
    matches!(compression, SNAPPY | UNCOMPRESSED | ZSTD(_))
}

fn utf8(file: &str, row: u64, name: &str) -> Failure {
    let place = Place::new(row, None, "");
    trouble::refused(&format!(
        "{file}: {}, column {name:?} is not UTF-8",
        place.words()
    ))
}

/// Whether a column holds texts (else numbers); the error says what it holds instead of either.
fn holds(column: &ColumnDescriptor) -> std::result::Result<bool, String> {
    if column.max_rep_level() > 0 || column.max_def_level() > 1 || column.path().parts().len() > 1 {
        return Err("is nested".to_owned());
    }
    let plain = match (column.logical_type_ref(), column.converted_type()) {
        (
            Some(
                LogicalType::String
                | LogicalType::Enum
                | LogicalType::Json
                | LogicalType::Integer { .. }
                | LogicalType::Unknown,
            ),
            _,
        ) => true,
        (Some(_), _) => false,
        (
            None,
            ConvertedType::DECIMAL
            | ConvertedType::DATE
            | ConvertedType::TIME_MILLIS
            | ConvertedType::TIME_MICROS
            | ConvertedType::TIMESTAMP_MILLIS
            | ConvertedType::TIMESTAMP_MICROS
            | ConvertedType::INTERVAL
            | ConvertedType::BSON,
        ) => false,
        (None, _) => true,
    };
    match column.physical_type() {
        Physical::BOOLEAN | Physical::BYTE_ARRAY if plain => Ok(true),
        Physical::INT32 | Physical::INT64 | Physical::FLOAT | Physical::DOUBLE if plain => Ok(false),
        other => Err(format!(
            "is of the type {}, expected numbers, truth values or strings",
            match column.logical_type_ref() {
                Some(logical) => word(logical),
                None => other.to_string(),
            }
        )),
    }
}

/// The first word of what has parameters.
fn word(named: &impl std::fmt::Debug) -> String {
    let text = format!("{named:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_lowercase()
}

enum Fault {
    File(String),
    /// The row of a text that is none.
    Value(u64),
}

/// One row group's values of a column.
fn take(
    reader: &mut ColumnReader,
    rows: usize,
    row: &mut u64,
    column: &mut Gathered,
) -> std::result::Result<(), Fault> {
    match reader {
        ColumnReader::BoolColumnReader(reader) => each(reader, rows, |value| {
            *row += 1;
            let text = value.map_or("", |value| if *value { "True" } else { "False" });
            column.field(text, *row, None);
            Ok(())
        }),
        ColumnReader::ByteArrayColumnReader(reader) => each(reader, rows, |value| {
            *row += 1;
            let bytes = value.map_or(&[][..], |value| value.data());
            let text = std::str::from_utf8(bytes).map_err(|_| Fault::Value(*row))?;
            column.field(text.trim(), *row, None);
            Ok(())
        }),
        ColumnReader::Int32ColumnReader(reader) => {
            numbers(reader, rows, row, column, |value| f64::from(*value))
        }
        // Beyond 2^53 neighbours fall together, as in every program that computes with doubles.
        ColumnReader::Int64ColumnReader(reader) => numbers(reader, rows, row, column, |value| *value as f64),
        ColumnReader::FloatColumnReader(reader) => {
            numbers(reader, rows, row, column, |value| f64::from(*value))
        }
        ColumnReader::DoubleColumnReader(reader) => numbers(reader, rows, row, column, |value| *value),
        _ => Err(Fault::File("the file is damaged".to_owned())),
    }
}

fn numbers<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    row: &mut u64,
    column: &mut Gathered,
    convert: impl Fn(&T::T) -> f64,
) -> std::result::Result<(), Fault> {
    each(reader, rows, |value| {
        *row += 1;
        column.number(value.map_or(f64::NAN, &convert), *row, None);
        Ok(())
    })
}

/// Each row's value, `None` where it is null.
fn each<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    mut visit: impl FnMut(Option<&T::T>) -> std::result::Result<(), Fault>,
) -> std::result::Result<(), Fault> {
    let damaged = || Fault::File("the file is damaged".to_owned());
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let mut done = 0;
    while done < rows {
        values.clear();
        levels.clear();
        let wanted = BATCH_ROWS.min(rows - done);
        let (read, present, _) = reader
            .read_records(wanted, Some(&mut levels), None, &mut values)
            .map_err(|error| Fault::File(error.to_string()))?;
        if read == 0 {
            return Err(Fault::File(format!(
                "it ends early, {} values are missing",
                rows - done
            )));
        }
        done += read;
        if present == read {
            values.iter().try_for_each(|value| visit(Some(value)))?;
            continue;
        }
        let mut values = values.iter();
        for level in levels.iter().take(read) {
            match level {
                0 => visit(None)?,
                _ => visit(Some(values.next().ok_or_else(damaged)?))?,
            }
        }
        if levels.len() != read {
            return Err(damaged());
        }
    }
    Ok(())
}

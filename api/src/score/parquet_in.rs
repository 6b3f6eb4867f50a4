//! Parquet in: flat columns of numbers, truth values and strings.

use super::source::{BLOCK_ROWS, Block, Layout, Named, Places, Read, Values};
use crate::{
    table::{Columns, Place, Table, Value},
    tensor::{Data, Datatype},
};
use onnx::plan::Strings;
use parquet::{
    basic::{ConvertedType, LogicalType, Type as Physical},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::DataType,
    file::reader::{FileReader, SerializedFileReader},
    schema::types::ColumnDescriptor,
};
use std::{
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

pub(super) struct ParquetIn {
    reader: SerializedFileReader<File>,
    layout: Layout,
    /// Columns of the file that are read, copied or not.
    read: Vec<usize>,
    names: Vec<String>,
    group: usize,
    /// Of the row group: what is left, and the readers of the columns in `read`.
    left: usize,
    readers: Vec<ColumnReader>,
    done: Arc<AtomicU64>,
}

impl ParquetIn {
    /// The file, its copied columns, a note, its rows.
    #[allow(clippy::type_complexity, reason = "four parts of one thing that is made here")]
    pub(super) fn open(
        path: &Path,
        columns: &Columns,
        layout: impl Fn(&[String]) -> Result<Layout, String>,
        done: Arc<AtomicU64>,
    ) -> Result<(Self, Vec<Named>, Option<String>, u64), String> {
        let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
        let reader = std::panic::catch_unwind(|| SerializedFileReader::new(file))
            .map_err(|_| "the file is damaged".to_owned())?
            .map_err(|error| format!("is not a Parquet file: {error}"))?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let names: Vec<String> = schema
            .columns()
            .iter()
            .map(|column| column.path().string())
            .collect();
        let layout = layout(&names)?;
        let mut read = Vec::new();
        let mut kept = Vec::new();
        for column in &layout.kept {
            let datatype = datatype(&schema.column(*column))
                .map_err(|problem| format!("column {:?} {problem}", names[*column]))?;
            kept.push(Named {
                name: names[*column].clone(),
                datatype,
            });
        }
        for (column, place) in layout.places.iter().enumerate() {
            if let Some(place) = place {
                datatype(&schema.column(column))
                    .map_err(|problem| format!("column {:?} {problem}", names[column]))?;
                let width = columns.get(*place).width;
                if width != 1 {
                    return Err(format!(
                        "column {:?} is a list of {width} values to the model, a file has one in each",
                        names[column]
                    ));
                }
            }
            if place.is_some() || layout.kept.contains(&column) {
                read.push(column);
            }
        }
        let rows = u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or_default();
        let note = layout.note.clone();
        let reader = ParquetIn {
            reader,
            layout,
            read,
            names,
            group: 0,
            left: 0,
            readers: Vec::new(),
            done,
        };
        Ok((reader, kept, note, rows))
    }

    /// Opens the next row group that has rows; false at the end.
    fn next_group(&mut self) -> Result<bool, String> {
        while self.left == 0 {
            if self.group == self.reader.num_row_groups() {
                return Ok(false);
            }
            let damaged = |error: parquet::errors::ParquetError| format!("row group {}: {error}", self.group);
            let group = self.reader.get_row_group(self.group).map_err(damaged)?;
            self.left = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
            let readers = self.read.iter().map(|column| group.get_column_reader(*column));
            self.readers = readers.collect::<Result<_, _>>().map_err(damaged)?;
            self.group += 1;
        }
        Ok(true)
    }
}

impl Read for ParquetIn {
    fn block(&mut self, table: &mut Table<'_>, rows: usize) -> Result<Option<Block>, String> {
        if !self.next_group()? {
            return Ok(None);
        }
        let rows = rows.min(self.left).min(BLOCK_ROWS);
        let first = self.done.load(Relaxed) + 1;
        for _ in 0..rows {
            table.grow().map_err(|error| error.to_string())?;
        }
        let mut kept = vec![None; self.layout.kept.len()];
        for (column, reader) in self.read.iter().zip(&mut self.readers) {
            let values = column_values(reader, rows).map_err(|problem| {
                let last = first + rows as u64 - 1;
                format!(
                    "rows {first} to {last}, column {:?}: {problem}",
                    self.names[*column]
                )
            })?;
            if let Some(place) = self.layout.places[*column] {
                for row in 0..rows {
                    table.place = Place::Record(first + row as u64);
                    table
                        .put(row, place, 0, value(&values, row))
                        .map_err(|error| error.to_string())?;
                }
            }
            if let Some(place) = self.layout.kept.iter().position(|kept| kept == column) {
                kept[place] = Some(values);
            }
        }
        self.left -= rows;
        self.done.fetch_add(rows as u64, Relaxed);
        Ok(Some(Block {
            rows,
            kept: kept.into_iter().flatten().collect(),
            places: Places::From(first),
        }))
    }
}

/// What a column holds, in our words; the error says what it is instead.
fn datatype(column: &ColumnDescriptor) -> Result<Datatype, String> {
    if column.max_rep_level() > 0 || column.max_def_level() > 1 || column.path().parts().len() > 1 {
        return Err("is nested, expected one value in each row".to_owned());
    }
    let plain = match (column.logical_type_ref(), column.converted_type()) {
        (
            Some(LogicalType::String | LogicalType::Enum | LogicalType::Json | LogicalType::Integer { .. }),
            _,
        ) => true,
        (Some(LogicalType::Unknown), _) => true,
        (Some(_), _) => false,
        (None, ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON) => true,
        (
            None,
            ConvertedType::INT_8 | ConvertedType::INT_16 | ConvertedType::INT_32 | ConvertedType::INT_64,
        ) => true,
        (
            None,
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64,
        ) => true,
        (None, _) => false,
    };
    match column.physical_type() {
        _ if !plain => Err(format!(
            "is of the type {:?} {:?}, expected numbers, truth values or strings",
            column.physical_type(),
            column.logical_type_ref()
        )),
        Physical::BOOLEAN => Ok(Datatype::Bool),
        Physical::INT32 | Physical::INT64 => Ok(Datatype::Int64),
        Physical::FLOAT => Ok(Datatype::Fp32),
        Physical::DOUBLE => Ok(Datatype::Fp64),
        Physical::BYTE_ARRAY => Ok(Datatype::Bytes),
        other => Err(format!(
            "is of the type {other}, expected numbers, truth values or strings"
        )),
    }
}

/// One value of what was read.
fn value(values: &Values, row: usize) -> Value<'_> {
    if values.is_missing(row) {
        return Value::Missing;
    }
    match &values.data {
        Data::Bool(values) => Value::Bool(values[row]),
        Data::I64(values) => Value::Int(values[row]),
        Data::F32(values) => Value::Float(f64::from(values[row])),
        Data::F64(values) => Value::Float(values[row]),
        Data::Bytes(values) => Value::Text(values.get(row)),
    }
}

/// The next `rows` values of a column.
fn column_values(reader: &mut ColumnReader, rows: usize) -> Result<Values, String> {
    match reader {
        ColumnReader::BoolColumnReader(reader) => plain(reader, rows, false, |value| *value, Data::Bool),
        ColumnReader::Int32ColumnReader(reader) => {
            plain(reader, rows, 0, |value| i64::from(*value), Data::I64)
        }
        ColumnReader::Int64ColumnReader(reader) => plain(reader, rows, 0, |value| *value, Data::I64),
        ColumnReader::FloatColumnReader(reader) => plain(reader, rows, f32::NAN, |value| *value, Data::F32),
        ColumnReader::DoubleColumnReader(reader) => plain(reader, rows, f64::NAN, |value| *value, Data::F64),
        ColumnReader::ByteArrayColumnReader(reader) => {
            let (read, present) = next(reader, rows)?;
            let mut read = read.iter();
            let mut texts = Strings::new();
            for row in 0..rows {
                let bytes = match present.get(row) {
                    Some(false) => &[][..],
                    _ => read.next().ok_or("the file is damaged")?.data(),
                };
                texts.push(std::str::from_utf8(bytes).map_err(|_| "a value is not UTF-8")?);
            }
            Ok(Values {
                data: Data::Bytes(texts),
                present,
            })
        }
        _ => Err("the file is damaged".to_owned()),
    }
}

fn plain<T: DataType, V: Clone>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    missing: V,
    convert: impl Fn(&T::T) -> V,
    data: impl Fn(Vec<V>) -> Data,
) -> Result<Values, String> {
    let (read, present) = next(reader, rows)?;
    if present.is_empty() {
        return Ok(Values::new(data(read.iter().map(convert).collect())));
    }
    let mut read = read.iter();
    let fill = |there: &bool| match there {
        false => Ok(missing.clone()),
        true => read.next().map(&convert).ok_or("the file is damaged"),
    };
    let values = present.iter().map(fill).collect::<Result<_, _>>()?;
    Ok(Values {
        data: data(values),
        present,
    })
}

/// The values that are there, and which those are; empty where all are.
fn next<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
) -> Result<(Vec<T::T>, Vec<bool>), String> {
    let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::new());
    let mut records = 0;
    // A call ends with its page.
    while records < rows {
        let (read, _, _) = reader
            .read_records(rows - records, Some(&mut levels), None, &mut values)
            .map_err(|error| error.to_string())?;
        if read == 0 {
            return Err(format!(
                "the file ends early, expected {} more values",
                rows - records
            ));
        }
        records += read;
    }
    if values.len() == rows {
        return Ok((values, Vec::new()));
    }
    let present: Vec<bool> = levels.iter().map(|level| *level > 0).collect();
    match present.len() == rows && present.iter().filter(|there| **there).count() == values.len() {
        true => Ok((values, present)),
        false => Err("the file is damaged".to_owned()),
    }
}

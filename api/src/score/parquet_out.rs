//! Parquet out: snappy, a row group for every 65,536 rows or so.

use super::{
    sink::Write,
    source::{Named, Values},
};
use crate::tensor::{Data, Datatype};
use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::Type,
};
use std::{fs::File, io, sync::Arc};

/// Rows of a row group, and values: a wide answer has smaller ones.
const GROUP_ROWS: usize = 1 << 16;
const GROUP_CELLS: usize = 1 << 20;

pub(super) struct ParquetOut {
    writer: SerializedFileWriter<File>,
    datatypes: Vec<Datatype>,
    /// Blocks of the row group to come.
    blocks: Vec<Vec<Values>>,
    rows: usize,
    group_rows: usize,
}

impl ParquetOut {
    pub(super) fn new(file: File, columns: &[Named]) -> io::Result<Self> {
        let field = |column: &Named| {
            let (physical, logical) = match column.datatype {
                Datatype::Bool => (Physical::BOOLEAN, None),
                Datatype::Int32 => (Physical::INT32, None),
                Datatype::Int64 => (Physical::INT64, None),
                Datatype::Fp32 => (Physical::FLOAT, None),
                Datatype::Fp64 => (Physical::DOUBLE, None),
                Datatype::Bytes => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            };
            let field = Type::primitive_type_builder(&column.name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical);
            field.build().map(Arc::new)
        };
        let fields = columns
            .iter()
            .map(field)
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let schema = Type::group_type_builder("schema")
            .with_fields(fields)
            .build()
            .map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties));
        Ok(ParquetOut {
            writer: writer.map_err(failed)?,
            datatypes: columns.iter().map(|column| column.datatype).collect(),
            blocks: Vec::new(),
            rows: 0,
            group_rows: (GROUP_CELLS / columns.len().max(1)).clamp(1, GROUP_ROWS),
        })
    }

    fn group(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let blocks = std::mem::take(&mut self.blocks);
        let mut group = self.writer.next_row_group()?;
        let mut column = 0;
        while let Some(mut writer) = group.next_column()? {
            for block in &blocks {
                write(&mut writer, &block[column], self.datatypes[column])?;
            }
            writer.close()?;
            column += 1;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Write for ParquetOut {
    fn block(&mut self, rows: usize, columns: Vec<Values>) -> io::Result<()> {
        self.blocks.push(columns);
        self.rows += rows;
        match self.rows >= self.group_rows {
            true => self.group().map_err(failed),
            false => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<File> {
        self.group().map_err(failed)?;
        self.writer.into_inner().map_err(failed)
    }
}

fn write(
    writer: &mut SerializedColumnWriter<'_>,
    values: &Values,
    datatype: Datatype,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = (0..values.data.len())
        .map(|row| i16::from(!values.is_missing(row)))
        .collect();
    let levels = Some(&levels[..]);
    match &values.data {
        Data::Bool(data) => writer
            .typed::<BoolType>()
            .write_batch(&there(data, values), levels, None),
        Data::F32(data) => writer
            .typed::<FloatType>()
            .write_batch(&there(data, values), levels, None),
        Data::F64(data) => writer
            .typed::<DoubleType>()
            .write_batch(&there(data, values), levels, None),
        Data::I64(data) if datatype == Datatype::Int32 => {
            let narrow: Vec<i32> = there(data, values)
                .into_iter()
                .map(|value| value as i32)
                .collect();
            writer.typed::<Int32Type>().write_batch(&narrow, levels, None)
        }
        Data::I64(data) => writer
            .typed::<Int64Type>()
            .write_batch(&there(data, values), levels, None),
        Data::Bytes(data) => {
            let rows = (0..data.len()).filter(|row| !values.is_missing(*row));
            let texts: Vec<ByteArray> = rows.map(|row| ByteArray::from(data.get(row))).collect();
            writer.typed::<ByteArrayType>().write_batch(&texts, levels, None)
        }
    }
    .map(|_| ())
}

/// The values that are not missing.
fn there<T: Copy>(data: &[T], values: &Values) -> Vec<T> {
    let rows = data
        .iter()
        .enumerate()
        .filter(|(row, _)| !values.is_missing(*row));
    rows.map(|(_, value)| *value).collect()
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        // The disk's own words where there are some.
        ParquetError::External(cause) => io::Error::other(cause.to_string()),
        error => io::Error::other(error.to_string()),
    }
}

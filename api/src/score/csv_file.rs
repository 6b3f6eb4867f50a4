//! CSV in and out.

use super::{
    sink::Write,
    source::{Block, Layout, Named, Places, Read, Values},
};
use crate::{
    table::{Place, Table, Value, csv_problem},
    tensor::{Data, Datatype},
};
use csv::{ByteRecord, Reader, Writer};
use std::{
    fs::File,
    io::{self, BufWriter},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Most bytes of one row: a quote that is never closed would otherwise be the rest of the file.
const ROW_BYTES: u64 = 16 << 20;

/// A file whose bytes are counted.
struct Counted {
    file: File,
    done: Arc<AtomicU64>,
    /// Up to here it may be read before a row has to end.
    most: Arc<AtomicU64>,
}

impl io::Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.done.load(Relaxed) > self.most.load(Relaxed) {
            let message = format!("a row is longer than {ROW_BYTES} bytes; is a quote never closed?");
            return Err(io::Error::other(message));
        }
        let read = io::Read::read(&mut self.file, buffer)?;
        self.done.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

pub(super) struct CsvIn {
    reader: Reader<Counted>,
    record: ByteRecord,
    layout: Layout,
    most: Arc<AtomicU64>,
}

impl CsvIn {
    /// The file, its copied columns, a note, its size in bytes.
    #[allow(clippy::type_complexity, reason = "four parts of one thing that is made here")]
    pub(super) fn open(
        path: &Path,
        layout: impl Fn(&[String]) -> Result<Layout, String>,
        done: Arc<AtomicU64>,
    ) -> Result<(Self, Vec<Named>, Option<String>, u64), String> {
        let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
        let total = file.metadata().map_or(0, |metadata| metadata.len());
        let most = Arc::new(AtomicU64::new(ROW_BYTES));
        let counted = Counted {
            file,
            done,
            most: Arc::clone(&most),
        };
        let mut reader = csv::ReaderBuilder::new()
            .buffer_capacity(1 << 16)
            .from_reader(counted);
        let header = reader.headers().map_err(|error| error.to_string())?;
        let names: Vec<String> = header.iter().map(str::to_owned).collect();
        if names.is_empty() {
            return Err("is empty, expected a line with the names of columns".to_owned());
        }
        let layout = layout(&names)?;
        let named = |place: &usize| Named {
            name: names[*place].clone(),
            datatype: Datatype::Bytes,
        };
        let kept = layout.kept.iter().map(named).collect();
        let note = layout.note.clone();
        let record = ByteRecord::new();
        Ok((
            CsvIn {
                reader,
                record,
                layout,
                most,
            },
            kept,
            note,
            total,
        ))
    }
}

impl Read for CsvIn {
    fn block(&mut self, table: &mut Table<'_>, rows: usize) -> Result<Option<Block>, String> {
        let mut kept = vec![onnx::plan::Strings::new(); self.layout.kept.len()];
        let mut lines = Vec::with_capacity(rows);
        while lines.len() < rows {
            let last = self.record.position().map_or(1, csv::Position::line);
            let more = self.reader.read_byte_record(&mut self.record);
            let problem = |error: csv::Error| match error.is_io_error() {
                true => format!("after line {last}: {error}"),
                false => csv_problem(&error),
            };
            if !more.map_err(problem)? {
                break;
            }
            let read = self.reader.position().byte();
            self.most.store(read.saturating_add(ROW_BYTES), Relaxed);
            let line = self.record.position().map_or(0, csv::Position::line);
            lines.push(line);
            table.place = Place::Line(line);
            let row = table.grow().map_err(|error| error.to_string())?;
            for (column, (place, bytes)) in self.layout.places.iter().zip(&self.record).enumerate() {
                let Some(place) = place else { continue };
                let cell = text(bytes, line, column)?;
                table
                    .put(row, *place, 0, Value::Cell(cell))
                    .map_err(|error| error.to_string())?;
            }
            for (values, column) in kept.iter_mut().zip(&self.layout.kept) {
                values.push(text(self.record.get(*column).unwrap_or_default(), line, *column)?);
            }
        }
        Ok((!lines.is_empty()).then(|| Block {
            rows: lines.len(),
            kept: kept
                .into_iter()
                .map(|values| Values::new(Data::Bytes(values)))
                .collect(),
            places: Places::Lines(lines),
        }))
    }
}

fn text(bytes: &[u8], line: u64, column: usize) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("line {line}, column {} is not UTF-8", column + 1))
}

pub(super) struct CsvOut {
    writer: Writer<BufWriter<File>>,
    cell: Vec<u8>,
}

impl CsvOut {
    pub(super) fn new(file: File, columns: &[Named]) -> io::Result<Self> {
        let mut writer = Writer::from_writer(BufWriter::with_capacity(1 << 16, file));
        writer.write_record(columns.iter().map(|column| &column.name))?;
        Ok(CsvOut {
            writer,
            cell: Vec::new(),
        })
    }
}

impl Write for CsvOut {
    fn block(&mut self, rows: usize, columns: Vec<Values>) -> io::Result<()> {
        for row in 0..rows {
            for values in &columns {
                self.cell.clear();
                write_cell(&mut self.cell, values, row)?;
                self.writer.write_field(&self.cell)?;
            }
            self.writer.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<File> {
        let buffered = self
            .writer
            .into_inner()
            .map_err(|error| io::Error::other(error.to_string()))?;
        buffered.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// A value as text: numbers as short as they read back the same, nothing for what is missing.
fn write_cell(out: &mut Vec<u8>, values: &Values, row: usize) -> io::Result<()> {
    if values.is_missing(row) {
        return Ok(());
    }
    match &values.data {
        Data::Bool(values) => out.extend_from_slice(if values[row] { b"True" } else { b"False" }),
        Data::I64(values) => serde_json::to_writer(out, &values[row])?,
        Data::F32(values) if values[row].is_finite() => serde_json::to_writer(out, &values[row])?,
        Data::F64(values) if values[row].is_finite() => serde_json::to_writer(out, &values[row])?,
        Data::F32(values) => out.extend_from_slice(values[row].to_string().as_bytes()),
        Data::F64(values) => out.extend_from_slice(values[row].to_string().as_bytes()),
        Data::Bytes(values) => out.extend_from_slice(values.get(row).as_bytes()),
    }
    Ok(())
}

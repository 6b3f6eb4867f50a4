//! JSON lines: an object for each row.

use super::{
    sink::Write,
    source::{Named, Values},
};
use crate::tensor::Data;
use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
};

pub(super) struct JsonlOut {
    writer: BufWriter<File>,
    /// What comes before each value: `{"prediction":`, `,"class_name":`.
    heads: Vec<Vec<u8>>,
}

impl JsonlOut {
    pub(super) fn new(file: File, columns: &[Named]) -> io::Result<Self> {
        let head = |(index, column): (usize, &Named)| {
            let mut head = vec![if index == 0 { b'{' } else { b',' }];
            serde_json::to_writer(&mut head, &column.name)?;
            head.push(b':');
            Ok(head)
        };
        Ok(JsonlOut {
            writer: BufWriter::with_capacity(1 << 16, file),
            heads: columns.iter().enumerate().map(head).collect::<io::Result<_>>()?,
        })
    }
}

impl Write for JsonlOut {
    fn block(&mut self, rows: usize, columns: Vec<Values>) -> io::Result<()> {
        let out = &mut self.writer;
        for row in 0..rows {
            for (head, values) in self.heads.iter().zip(&columns) {
                out.write_all(head)?;
                // serde_json writes null for numbers that are not finite.
                match &values.data {
                    _ if values.is_missing(row) => out.write_all(b"null")?,
                    Data::Bool(values) => serde_json::to_writer(&mut *out, &values[row])?,
                    Data::I64(values) => serde_json::to_writer(&mut *out, &values[row])?,
                    Data::F32(values) => serde_json::to_writer(&mut *out, &values[row])?,
                    Data::F64(values) => serde_json::to_writer(&mut *out, &values[row])?,
                    Data::Bytes(values) => serde_json::to_writer(&mut *out, values.get(row))?,
                }
            }
            out.write_all(b"}\n")?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<File> {
        self.writer.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

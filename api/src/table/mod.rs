//! Rows of named columns, read value by value into the buffers that become a model's inputs.
//!
//! What MLflow's protocol (JSON and CSV) and offline scoring (CSV and Parquet) share: how a column
//! finds its input, how a value becomes an element, what a missing one is, and how all that is
//! refused by row and column.

mod cells;
mod columns;

pub use cells::Value;
pub use columns::{Column, Columns, quoted};

use crate::{
    error::{ApiError, Code},
    tensor::Tensor,
};
use cells::{Cells, Problem};
use std::fmt;

/// Words of a CSV reader's refusal.
pub fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line} has {len} values, expected {expected_len} as in the first line")
        }
        _ => error.to_string(),
    }
}

/// Cells that a table may have whatever the size of what they are read from: a record may leave
/// columns out, so a few bytes can stand for a whole row.
const CELLS_FREE: usize = 1 << 20;

/// How values are named in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A row of a JSON array: `instances[3], column "a"`.
    Row(&'static str),
    /// A value of a JSON column: `inputs["a"][3]`.
    Column(&'static str),
    /// A line of a text file, from 1: `line 4, column "a"`.
    Line(u64),
    /// A row of a file without lines, from 1: `row 4, column "a"`.
    Record(u64),
}

/// A table being filled.
#[derive(Debug)]
pub struct Table<'c> {
    columns: &'c Columns,
    cells: Vec<Cells>,
    rows: usize,
    rows_max: usize,
    cells_max: usize,
    /// How rows are named now.
    pub place: Place,
    /// The value being read (row, column): a parser's own refusals need a name too.
    pub at: (usize, usize),
    /// What is wrong; serde's errors carry text alone.
    pub fault: Option<ApiError>,
}

impl<'c> Table<'c> {
    /// An empty one of at most `rows_max` rows. `bytes`: the size of what it is read from.
    pub fn new(columns: &'c Columns, rows_max: usize, bytes: usize) -> Self {
        let inputs = columns.inputs().iter();
        Table {
            columns,
            cells: inputs.map(|(_, datatype, _)| Cells::of(*datatype)).collect(),
            rows: 0,
            rows_max,
            cells_max: bytes.max(CELLS_FREE),
            place: Place::Row("data"),
            at: (0, 0),
            fault: None,
        }
    }

    /// What it must have.
    pub fn columns(&self) -> &'c Columns {
        self.columns
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Empties it, to be read again.
    pub fn clear(&mut self) {
        *self = Table::new(self.columns, self.rows_max, self.cells_max);
    }

    /// Adds a row of missing values.
    ///
    /// # Errors
    /// `too_many_instances`.
    pub fn grow(&mut self) -> Result<usize, ApiError> {
        if self.rows >= self.rows_max {
            let message = format!(
                "there are more than {} rows, the most for one request",
                self.rows_max
            );
            return Err(ApiError::new(Code::TooManyInstances, message));
        }
        let mut count = 0;
        for (cells, (_, _, width)) in self.cells.iter_mut().zip(self.columns.inputs()) {
            cells.grow(*width);
            count += cells.len();
        }
        if count > self.cells_max {
            let message = format!(
                "{} rows of {} columns are more than {} bytes can fill: nearly all values are missing",
                self.rows + 1,
                self.columns.list().len(),
                self.cells_max
            );
            return Err(ApiError::new(Code::TooManyInstances, message));
        }
        self.rows += 1;
        Ok(self.rows - 1)
    }

    /// Sets element `element` of a column that came from [`Columns`], in a row that there is.
    ///
    /// # Errors
    /// `not_a_number`, `number_out_of_range` with the names of row and column.
    #[inline]
    pub fn put(
        &mut self,
        row: usize,
        place: usize,
        element: usize,
        value: Value<'_>,
    ) -> Result<(), ApiError> {
        let column = self.columns.get(place);
        if column.width > 1 && matches!(value, Value::Cell(_)) {
            // It would be the first element alone, and the others would pass for missing.
            let list = Problem::Kind("a list of values, which text cannot hold: give its columns one by one");
            return Err(self.refusal(row, place, value, list));
        }
        let (_, _, width) = self.columns.inputs()[column.input];
        let index = row * width + column.offset + element;
        match self.cells[column.input].put(index, value) {
            Ok(()) => Ok(()),
            Err(problem) => Err(self.refusal(row, place, value, problem)),
        }
    }

    /// The same for a value that is not there.
    ///
    /// # Errors
    /// `not_a_number` where only floating point has a word for that.
    pub fn miss(&mut self, row: usize, place: usize) -> Result<(), ApiError> {
        for element in 0..self.columns.get(place).width {
            self.put(row, place, element, Value::Missing)?;
        }
        Ok(())
    }

    #[cold]
    fn refusal(&self, row: usize, place: usize, value: Value<'_>, problem: Problem) -> ApiError {
        let name = self.name(row, place);
        let (code, message) = match problem {
            Problem::Kind(expected) => (
                Code::NotANumber,
                format!("{name} is {value}, expected {expected}"),
            ),
            Problem::Range(holds) => (
                Code::NumberOutOfRange,
                format!("{name} is {value}, beyond what the model's {holds}"),
            ),
        };
        ApiError::new(code, message)
    }

    /// A value's name in messages.
    pub fn name(&self, row: usize, place: usize) -> String {
        let column = quoted(&self.columns.get(place).name);
        match self.place {
            Place::Row(field) => format!("{field}[{row}], column {column}"),
            Place::Column(field) => format!("{field}[{column}][{row}]"),
            Place::Line(line) => format!("line {line}, column {column}"),
            Place::Record(record) => format!("row {record}, column {column}"),
        }
    }

    /// Notes what is wrong and makes serde stop.
    #[cold]
    pub fn refuse<E: serde::de::Error>(&mut self, error: ApiError) -> E {
        self.fault = Some(error);
        E::custom("see the noted fault")
    }

    /// The inputs for [`crate::Served::infer`]; the table is empty afterwards.
    pub fn take(&mut self, shapes: &[crate::tensor::TensorSpec]) -> Vec<Tensor> {
        let rows = std::mem::take(&mut self.rows);
        let cells = self.cells.iter_mut().zip(shapes);
        cells
            .map(|(cells, spec)| {
                let mut shape: Vec<usize> = spec.shape.iter().map(|size| size.unwrap_or(rows)).collect();
                shape[0] = rows;
                Tensor {
                    name: spec.name.clone(),
                    datatype: spec.datatype,
                    shape,
                    data: cells.take(),
                }
            })
            .collect()
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Missing => f.write_str("missing"),
            Value::Cell("") => f.write_str("empty"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Uint(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Text(text) => write!(f, "the string {}", quoted(text)),
            Value::Cell(text) => f.write_str(&quoted(text)),
        }
    }
}

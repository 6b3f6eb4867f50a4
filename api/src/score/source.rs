//! Files of rows: their columns, found by name or position, and blocks of them.

use super::{ScoreError, csv_file::CsvIn, parquet_in::ParquetIn};
use crate::{
    error::Code,
    table::{Columns, Table},
    tensor::{Data, Datatype},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

/// Most rows of a block.
pub(super) const BLOCK_ROWS: usize = 8192;
/// Most values of a block, 1 MB of float32: rows of a thousand columns come in small blocks.
const BLOCK_CELLS: usize = 1 << 18;

/// A column of an answer, or one that is copied.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) datatype: Datatype,
}

/// Values of a column, one a row.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) data: Data,
    /// Which are there; all of them where it is empty.
    pub(super) present: Vec<bool>,
}

impl Values {
    pub(super) fn new(data: Data) -> Self {
        Values {
            data,
            present: Vec::new(),
        }
    }

    pub(super) fn is_missing(&self, row: usize) -> bool {
        self.present.get(row) == Some(&false)
    }
}

/// Where rows of a block are in their file.
#[derive(Clone, Debug)]
pub(super) enum Places {
    /// The line of each.
    Lines(Vec<u64>),
    /// The number of the first, from 1.
    From(u64),
}

impl Places {
    pub(super) fn name(&self, row: usize) -> String {
        match self {
            Places::Lines(lines) => format!("line {}", lines.get(row).copied().unwrap_or_default()),
            Places::From(first) => format!("row {}", first + row as u64),
        }
    }
}

/// Rows that were read together.
pub(super) struct Block {
    pub(super) rows: usize,
    pub(super) kept: Vec<Values>,
    pub(super) places: Places,
}

/// What reads a kind of file.
pub(super) trait Read: Send {
    /// Reads up to `rows` rows into `table`; none at the end. The error does not name the file.
    fn block(&mut self, table: &mut Table<'_>, rows: usize) -> Result<Option<Block>, String>;
}

/// A file of rows.
pub(super) struct Source {
    pub(super) path: PathBuf,
    reader: Box<dyn Read>,
    block_rows: usize,
    /// Copied columns.
    pub(super) kept: Vec<Named>,
    /// What a person should know about how columns were found.
    pub(super) note: Option<String>,
    /// How much there is, and how much of it was read: bytes or rows.
    pub(super) total: u64,
    pub(super) done: Arc<AtomicU64>,
}

impl Source {
    /// The next rows.
    pub(super) fn block(&mut self, table: &mut Table<'_>) -> Result<Option<Block>, ScoreError> {
        let block = self.reader.block(table, self.block_rows);
        block.map_err(|problem| ScoreError::data(&self.path, problem))
    }
}

/// Which columns of a file go where.
pub(super) struct Layout {
    /// By column of the file: place among the model's columns.
    pub(super) places: Vec<Option<usize>>,
    /// Columns of the file that are copied.
    pub(super) kept: Vec<usize>,
    pub(super) note: Option<String>,
}

/// Opens a file by its extension.
pub(super) fn open(path: &Path, columns: &Columns, keep: &[String]) -> Result<Source, ScoreError> {
    let failed = |problem: String| ScoreError::data(path, problem);
    let done = Arc::new(AtomicU64::new(0));
    let layout = |names: &[String]| layout(columns, names, keep);
    let (reader, kept, note, total): (Box<dyn Read>, _, _, _) = match super::sink::extension(path).as_str() {
        "csv" => {
            let (reader, kept, note, total) = CsvIn::open(path, layout, Arc::clone(&done)).map_err(failed)?;
            (Box::new(reader), kept, note, total)
        }
        "parquet" => {
            let (reader, kept, note, total) =
                ParquetIn::open(path, columns, layout, Arc::clone(&done)).map_err(failed)?;
            (Box::new(reader), kept, note, total)
        }
        other => {
            return Err(ScoreError::Usage(format!(
                "--data {} ends in {other:?}, expected .csv or .parquet",
                path.display()
            )));
        }
    };
    let width: usize = columns.inputs().iter().map(|(_, _, width)| width).sum();
    Ok(Source {
        path: path.to_owned(),
        reader,
        block_rows: (BLOCK_CELLS / width.max(1)).clamp(1, BLOCK_ROWS),
        kept,
        note,
        total,
        done,
    })
}

/// By name; by position where no name is the model's and there are as many columns, those that are
/// copied aside.
fn layout(columns: &Columns, names: &[String], keep: &[String]) -> Result<Layout, String> {
    let mut kept = Vec::new();
    for name in keep {
        let mut found = names.iter().enumerate().filter(|(_, other)| *other == name);
        match (found.next(), found.next()) {
            (Some((place, _)), None) if !kept.contains(&place) => kept.push(place),
            (None, _) => {
                return Err(format!(
                    "there is no column {name:?} to keep, there are {}",
                    list(names)
                ));
            }
            _ => {
                return Err(format!(
                    "column {name:?} is to be kept, and it is there or named twice"
                ));
            }
        }
    }
    let rest: Vec<usize> = (0..names.len()).filter(|place| !kept.contains(place)).collect();
    let known = |name: &String| columns.find(name, 0).is_some();
    if !names.iter().any(known) && rest.len() == columns.list().len() {
        let mut places = vec![None; names.len()];
        rest.iter()
            .enumerate()
            .for_each(|(place, column)| places[*column] = Some(place));
        let model: Vec<String> = columns.list().iter().map(|column| column.name.clone()).collect();
        let taken: Vec<String> = rest.iter().map(|column| names[*column].clone()).collect();
        let note = format!(
            "columns are taken by position, since none has a name of the model's: {} for {}",
            list(&taken),
            list(&model)
        );
        return Ok(Layout {
            places,
            kept,
            note: Some(note),
        });
    }
    let places = columns
        .header(names.iter().map(String::as_str))
        .map_err(|error| match error.code {
            Code::MissingTensor => format!(
                "{error} Expected columns of these names, or {} columns in the model's order.",
                columns.list().len()
            ),
            _ => error.to_string(),
        })?;
    Ok(Layout {
        places,
        kept,
        note: None,
    })
}

/// The first few names.
fn list(names: &[String]) -> String {
    const MOST: usize = 10;
    let more = if names.len() > MOST { ", …" } else { "" };
    let names: Vec<String> = names
        .iter()
        .take(MOST)
        .map(|name| crate::table::quoted(name))
        .collect();
    names.join(", ") + more
}

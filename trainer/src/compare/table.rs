//! A table read for a comparison: CSV or Parquet, whichever its first bytes say.

use super::gather::{Gathered, Place};
use super::trouble;
use super::{csv_table, parquet_table};
use crate::cli::DriftFlags;
use crate::data::{Missing, Refusal};
use crate::failure::Result;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What a file holds.
#[derive(Debug)]
pub struct Table {
    /// As the person named it.
    pub file: String,
    pub columns: Vec<Gathered>,
    /// All its columns, compared or not.
    pub names: Vec<String>,
    pub rows: u64,
    /// What a person should know about columns that are left out.
    pub notes: Vec<String>,
}

/// Which of a file's columns are read, and as what.
#[derive(Debug)]
pub struct Wanted<'a> {
    pub file: &'a str,
    pub flags: &'a DriftFlags,
}

impl Wanted<'_> {
    pub fn is_wanted(&self, name: &str) -> bool {
        self.flags.columns.is_empty() || self.flags.columns.iter().any(|column| column == name)
    }

    pub fn is_forced(&self, name: &str) -> bool {
        self.flags.categorical.iter().any(|column| column == name)
    }

    /// The columns that are asked for must be there.
    pub fn check(&self, names: &[String]) -> Result<()> {
        let asked = [
            ("--columns", &self.flags.columns),
            ("--categorical", &self.flags.categorical),
        ];
        for (flag, columns) in asked {
            if let Some(absent) = columns.iter().find(|column| !names.contains(column)) {
                return Err(trouble::columns(format!(
                    "{}: no column {absent:?}, which {flag} names; it has {}",
                    self.file,
                    trouble::list(names)
                )));
            }
        }
        Ok(())
    }

    /// So many values, of all columns, are too many.
    pub fn bound(&self, cells: u64) -> Result<()> {
        let limit = self.flags.limits.data_cells_max;
        if cells > limit {
            return Err(too_large(self.file, cells, "values", limit, "--data-cells-max"));
        }
        Ok(())
    }
}

fn too_large(
    file: &str,
    found: u64,
    unit: &'static str,
    limit: u64,
    flag: &'static str,
) -> crate::failure::Failure {
    trouble::refused(&Refusal::TooLarge {
        what: file.to_owned(),
        found,
        unit,
        limit,
        flag,
    })
}

/// Reads a file, and checks every column by itself.
pub fn read(path: &Path, flags: &DriftFlags) -> Result<Table> {
    let file = path.display().to_string();
    let failed = |source| {
        trouble::refused(&Refusal::Read {
            file: file.clone(),
            source,
        })
    };
    let mut opened = File::open(path).map_err(failed)?;
    let metadata = opened.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(trouble::refused(&format!(
            "{file} is a folder, expected a CSV or Parquet file"
        )));
    }
    if metadata.len() > flags.limits.data_bytes_max {
        let limit = flags.limits.data_bytes_max;
        return Err(too_large(
            &file,
            metadata.len(),
            "bytes",
            limit,
            "--data-bytes-max",
        ));
    }
    let mut start = [0; 4];
    let read = opened.read(&mut start).map_err(failed)?;
    let wanted = Wanted { file: &file, flags };
    let mut table = match &start[..read] {
        b"PAR1" => parquet_table::read(path, &wanted)?,
        _ => csv_table::read(path, &wanted)?,
    };
    if table.rows == 0 {
        return Err(trouble::refused(&format!("{file}: columns, but no rows")));
    }
    for column in &table.columns {
        check(&file, column, flags.missing)?;
    }
    table.file = file;
    Ok(table)
}

fn check(file: &str, column: &Gathered, missing: Option<Missing>) -> Result<()> {
    let wrong = |place: &Place, reason: &str| {
        trouble::refused(&format!(
            "{file}: {}, column {:?}: {:?} is {reason}",
            place.words(),
            column.name,
            place.value
        ))
    };
    if let (Some((numbers, all)), Some(place)) = (column.mixed(), &column.text) {
        let name = &column.name;
        let reason = format!(
            "not a number, as {numbers} of the column's {all} values are (--categorical {name} compares them all as categories)"
        );
        return Err(wrong(place, &reason));
    }
    if missing != Some(Missing::Refuse) {
        return Ok(());
    }
    if let Some(place) = &column.missing {
        return Err(wrong(place, "missing (--missing drop leaves it out)"));
    }
    match &column.infinite {
        Some(place) if !column.is_texts() => Err(wrong(place, "infinite (--missing drop leaves it out)")),
        _ => Ok(()),
    }
}

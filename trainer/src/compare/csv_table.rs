//! CSV: every value once, and once more in columns that turned out to hold texts.

use super::gather::Gathered;
use super::table::{Table, Wanted};
use super::trouble;
use crate::data::{Refusal, broken, open, shorten};
use crate::failure::Result;
use csv::ByteRecord;
use std::path::Path;

pub fn read(path: &Path, wanted: &Wanted<'_>) -> Result<Table> {
    let mut texts = Vec::new();
    let mut table = pass(path, wanted, &texts)?;
    let again: Vec<usize> = (0..table.columns.len())
        .filter(|&index| table.columns[index].is_again() && table.columns[index].mixed().is_none())
        .collect();
    if again.is_empty() {
        return Ok(table);
    }
    texts.extend(again.iter().map(|&index| table.columns[index].name.clone()));
    let second = pass(path, wanted, &texts)?;
    for (place, column) in second.columns.into_iter().enumerate() {
        if again.contains(&place) {
            table.columns[place] = column;
        }
    }
    Ok(table)
}

/// Columns in `texts` are read as texts, and where there are any no others.
fn pass(path: &Path, wanted: &Wanted<'_>, texts: &[String]) -> Result<Table> {
    let file = wanted.file;
    let refused = |refusal: Refusal| trouble::refused(&refusal);
    let (mut csv, names) = open(file, path, wanted.flags.delimiter, 1).map_err(refused)?;
    wanted.check(&names)?;
    // By field: the place among the columns that are compared, if it is read in this pass.
    let mut columns: Vec<Gathered> = Vec::new();
    let mut places = Vec::with_capacity(names.len());
    for name in &names {
        let is_wanted = wanted.is_wanted(name);
        let is_read = texts.is_empty() || texts.contains(name);
        places.push((is_wanted && is_read).then_some(columns.len()));
        if is_wanted {
            let is_texts = texts.contains(name);
            columns.push(Gathered::new(name.clone(), is_texts, wanted.is_forced(name)));
        }
    }
    let mut record = ByteRecord::new();
    let (mut row, mut cells) = (0, 0);
    while csv
        .read_byte_record(&mut record)
        .map_err(|e| refused(broken(file, &e)))?
    {
        row += 1;
        let line = record.position().map_or(row + 1, csv::Position::line);
        if record.len() != names.len() {
            return Err(refused(Refusal::Ragged {
                file: file.to_owned(),
                row,
                line,
                found: record.len(),
                expected: names.len(),
            }));
        }
        cells += record.len() as u64;
        wanted.bound(cells)?;
        for ((field, place), name) in record.iter().zip(&places).zip(&names) {
            let Some(place) = *place else { continue };
            let text = std::str::from_utf8(field).map_err(|_| {
                refused(Refusal::Cell {
                    file: file.to_owned(),
                    row,
                    line,
                    column: name.clone(),
                    value: shorten(field),
                    reason: "not UTF-8".to_owned(),
                })
            })?;
            columns[place].field(text.trim(), row, Some(line));
        }
    }
    Ok(Table {
        file: String::new(),
        columns,
        names,
        rows: row,
        notes: Vec::new(),
    })
}

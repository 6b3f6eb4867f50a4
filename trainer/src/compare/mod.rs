//! `drift`: two tables, column by column and all at once, without a model or a server.

mod csv_table;
mod gather;
mod html;
mod parquet_table;
mod table;
mod text;
mod trouble;

use crate::cli::{DriftFlags, Format};
use crate::data::Missing;
use crate::failure::{Failure, Result};
use crate::folder;
use contract::names::exit;
use drift::compare::{CompareError, Feature, Sides, decide, feature};
use drift::rule::{Rule, Verdict};
use drift::{Column, Comparison};
use gather::Gathered;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use table::Table;

/// What is printed, whatever the format.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Both files, as they were named.
    pub files: Sides<String>,
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// What is to be printed on stdout (nothing where it went to a file), and the exit code.
///
/// # Errors
/// A refusal of one of the files, or a report that cannot be written.
pub fn compare(flags: &DriftFlags) -> Result<(String, u8)> {
    let rule = flags.rule();
    rule.check().map_err(|error| trouble::flags(&error))?;
    let tables = read(flags)?;
    for note in tables.reference.notes.iter().chain(&tables.current.notes) {
        eprintln!("trainer drift: {note}");
    }
    let files = tables.as_ref().map(|table| table.file.clone());
    let columns = pair(tables, flags.missing)?;
    let features = features(&columns, flags, &rule, &files)?;
    let sides = [
        columns.iter().map(|pair| &pair.reference).collect::<Vec<_>>(),
        columns.iter().map(|pair| &pair.current).collect(),
    ];
    let comparison = decide(features, Sides::new(&sides[0], &sides[1]), rule);
    let report = Report { files, comparison };
    let text = match flags.format {
        Format::Json => serde_json::to_string(&report).map_err(anyhow::Error::new)?,
        Format::Text => text::text(&report),
        Format::Html => html::page(&report),
    };
    let found = report.comparison.drift_detected;
    let exit = if found && flags.fail_on_drift {
        exit::DRIFT
    } else {
        0
    };
    let mut said = text::headline(&report);
    if report.comparison.verdict == Verdict::Collecting {
        said += &format!(" [{}]", trouble::NOT_JUDGED);
    } else if exit != 0 {
        said += &format!(" [{}]", trouble::FOUND);
    }
    let Some(out) = &flags.out else {
        eprintln!("trainer drift: {said}");
        return Ok((text, exit));
    };
    let bytes = format!("{}\n", text.trim_end_matches('\n'));
    folder::write(out, bytes.as_bytes()).map_err(|failure| trouble::unwritable(&failure))?;
    eprintln!("trainer drift: {said}; the report is {}", out.display());
    Ok((String::new(), exit))
}

/// Both files, at once.
fn read(flags: &DriftFlags) -> Result<Sides<Table>> {
    thread::scope(|scope| {
        let current = scope.spawn(|| table::read(&flags.current, flags));
        let reference = table::read(&flags.reference, flags)?;
        let current = current
            .join()
            .map_err(|_| trouble::refused(&format!("{} cannot be read", flags.current.display())))??;
        Ok(Sides::new(reference, current))
    })
}

/// Columns of one name, in the reference's order, each of one kind on both sides.
fn pair(tables: Sides<Table>, missing: Option<Missing>) -> Result<Vec<Sides<Column>>> {
    same_names(&tables)?;
    let drop = !matches!(missing, None | Some(Missing::Refuse));
    let files = tables.as_ref().map(|table| table.file.clone());
    let others = tables.current.columns.into_iter();
    let mut others: HashMap<String, Gathered> = others.map(|column| (column.name.clone(), column)).collect();
    let mut pairs = Vec::with_capacity(others.len());
    for reference in tables.reference.columns {
        let Some(current) = others.remove(&reference.name) else {
            continue;
        };
        let pair = Sides::new(reference, current);
        same_kind(&pair, &files)?;
        let is_text = |column: &Gathered| column.is_texts() && column.has_values();
        // A side without any value has the other's kind.
        let texts = is_text(&pair.reference) || is_text(&pair.current);
        if !texts
            && !drop
            && let Some(place) = &pair.reference.infinite
        {
            return Err(trouble::refused(&format!(
                "{}: {}, column {:?}: {:?} is infinite, which no reference can be (--missing drop leaves it out)",
                files.reference,
                place.words(),
                pair.reference.name,
                place.value
            )));
        }
        pairs.push(pair.map(|column| Column {
            name: column.name.clone(),
            cells: column.cells(texts, drop),
        }));
    }
    Ok(pairs)
}

/// A column that only one side has is an error and not left out in silence: the comparison would
/// look complete.
fn same_names(tables: &Sides<Table>) -> Result<()> {
    let names = tables
        .as_ref()
        .map(|table| -> Vec<String> { table.columns.iter().map(|column| column.name.clone()).collect() });
    let known = names.as_ref().map(|names| names.iter().collect::<HashSet<_>>());
    let shared = names.reference.iter().filter(|name| known.current.contains(name));
    let shared: Vec<&str> = shared.map(String::as_str).collect();
    for (wanted, table, present, side) in [
        (&names.current, &tables.reference, &known.reference, "reference"),
        (&names.reference, &tables.current, &known.current, "current"),
    ] {
        if let Some(absent) = wanted.iter().find(|name| !present.contains(name)) {
            let way_out = match shared.len() {
                0 => String::new(),
                _ => format!(" (--columns {} compares what both have)", shared.join(",")),
            };
            return Err(trouble::columns(format!(
                "{}: column {absent:?} is missing in the {side} table, which has {}{way_out}",
                table.file,
                trouble::list(&table.names)
            )));
        }
    }
    match names.reference.is_empty() {
        true => Err(trouble::columns(format!(
            "{}: no column can be compared",
            tables.reference.file
        ))),
        false => Ok(()),
    }
}

/// Texts beside numbers are an error that names the first text.
fn same_kind(pair: &Sides<Gathered>, files: &Sides<String>) -> Result<()> {
    for (texts, numbers, file, other) in [
        (&pair.reference, &pair.current, &files.reference, &files.current),
        (&pair.current, &pair.reference, &files.current, &files.reference),
    ] {
        if texts.is_texts() && !numbers.is_texts() && texts.has_values() && numbers.has_values() {
            let name = &texts.name;
            let place = match &texts.text {
                Some(place) => format!(
                    "{}, column {name:?}: {:?} is not a number",
                    place.words(),
                    place.value
                ),
                None => format!("column {name:?} holds texts"),
            };
            return Err(trouble::columns(format!(
                "{file}: {place}, and in {other} the column holds numbers (--categorical {name} compares it as categories)"
            )));
        }
    }
    Ok(())
}

/// Every column by itself, as many at once as there are processors.
fn features(
    columns: &[Sides<Column>],
    flags: &DriftFlags,
    rule: &Rule,
    files: &Sides<String>,
) -> Result<Vec<Feature>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Relaxed);
            let Some(pair) = columns.get(index) else {
                return done;
            };
            done.push((index, feature(&pair.reference, &pair.current, flags.method, rule)));
        }
    };
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(columns.len());
    let mut found: Vec<(usize, std::result::Result<Feature, CompareError>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_default())
            .collect()
    });
    if found.len() != columns.len() {
        return Err(Failure::new(
            1,
            "a column was not compared: this is a fault of the program",
        ));
    }
    found.sort_by_key(|(index, _)| *index);
    let found = found.into_iter().map(|(_, feature)| feature);
    let failed = |error: CompareError| {
        let why = crate::failure::chain(&error);
        trouble::columns(format!("{} and {}: {why}", files.reference, files.current))
    };
    found.map(|feature| feature.map_err(failed)).collect()
}

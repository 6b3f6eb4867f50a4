//! `drift`: two CSV files, column by column, without a model or a server.

use crate::cli::{DriftFlags, Format};
use crate::data::{Missing, numeric_columns};
use crate::failure::{Failure, Result};
use contract::names::exit;
use drift::{Column, Comparison};

/// What is to be printed on stdout.
///
/// # Errors
/// A refusal of one of the files.
pub fn compare(flags: &DriftFlags) -> Result<String> {
    let missing = if flags.missing == Missing::Refuse {
        Missing::Refuse
    } else {
        Missing::Drop
    };
    let read = |path| numeric_columns(path, flags.delimiter, missing, flags.limits);
    let (reference, ignored) = read(&flags.reference)?;
    let (current, other_ignored) = read(&flags.current)?;
    for name in ignored.iter().filter(|name| other_ignored.contains(name)) {
        eprintln!("trainer: column {name:?} holds no numbers and is not compared");
    }
    let comparison = drift::compare(&reference, &current, flags.method)
        .map_err(|e| Failure::new(exit::BAD_DATA, crate::failure::chain(&e)))?;
    Ok(match flags.format {
        Format::Json => serde_json::to_string(&comparison).map_err(anyhow::Error::new)?,
        Format::Text => text(&comparison, &reference, &current),
    })
}

fn text(comparison: &Comparison, reference: &[Column], current: &[Column]) -> String {
    let width = comparison
        .features
        .iter()
        .map(|feature| feature.name.chars().count())
        .max()
        .unwrap_or(0)
        .max(7);
    let rows = |columns: &[Column], name: &str| {
        columns
            .iter()
            .find(|column| column.name == name)
            .map_or(0, |column| column.values.len())
    };
    let mut lines = vec![format!(
        "{:width$}  {:>9}  {:>12}  {:>6}  rows",
        "column", "statistic", "p-value", "method"
    )];
    for feature in &comparison.features {
        let (name, ks) = (&feature.name, &feature.ks);
        lines.push(format!(
            "{name:width$}  {:>9.6}  {:>12.4e}  {:>6}  {} and {}",
            ks.statistic,
            ks.p_value,
            ks.method.to_string(),
            rows(reference, name),
            rows(current, name)
        ));
    }
    lines.join("\n")
}

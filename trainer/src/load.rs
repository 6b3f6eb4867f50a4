//! `load`: the place's bytes into the run's folder, every value checked.

use crate::cli::{DataFlags, KeyFlag, LabelledFlags};
use crate::data::{self, Collected, Table};
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::labelled;
use crate::outcome::{Outcome, Status};
use serde_json::{Value, json};

/// Copies and checks, with the labelled rows of an API where one is named; replaces what an earlier load may have left in the folder.
///
/// # Errors
/// A refusal of the data (exit code BAD_DATA).
pub fn load(
    flags: &DataFlags,
    labelled: &LabelledFlags,
    key: &KeyFlag,
    folder: &Folder,
) -> Result<(Outcome, Table)> {
    let place = flags.data.as_deref().filter(|place| !place.is_empty());
    let place = place.ok_or_else(|| Failure::new(2, "--data PLACE (or the variable DATA) is needed"))?;
    let labelled = labelled::add(labelled, key, flags)?;
    let origins = data::find(place)?;
    if let Err(e) = std::fs::remove_dir_all(folder.data())
        && e.kind() != std::io::ErrorKind::NotFound
    {
        return Err(anyhow::Error::new(e)
            .context(format!("cannot clear {}", folder.data().display()))
            .into());
    }
    let files = data::collect(&origins, &folder.data(), flags.limits)?;
    let table = data::read(&files, &flags.options())?;
    let copies: Vec<String> = files
        .iter()
        .map(|f| {
            f.path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let dataset = table.describe(0);
    let summary = format!(
        "{} rows in {} file{}, {} features, target {:?} ({})",
        dataset.rows,
        files.len(),
        if files.len() == 1 { "" } else { "s" },
        table.features.len(),
        table.target_name,
        match &table.target {
            data::Target::Classes { names, .. } => format!("{} classes", names.len()),
            data::Target::Numbers(_) => "numbers".to_owned(),
        }
    );
    let mut detail = json!({
        "place": data::shown(place),
        "dataset": dataset,
        "features": table.features,
        "task": table.task(),
        "missing": flags.missing,
        "delimiter": char::from(flags.delimiter).to_string(),
        "copies": copies,
    });
    let mut summary = summary;
    if let Some(labelled) = labelled {
        let (state, rows) = (labelled["state"].as_str().unwrap_or_default(), &labelled["rows"]);
        summary.push_str(&format!("; labelled rows of the API: {state}, {rows} new"));
        detail["labelled"] = labelled;
    }
    Ok((Outcome::new("load", Status::Done, detail, summary), table))
}

/// Reads the copies again, as a later step needs them.
///
/// # Errors
/// When they are not what `load` left.
pub fn again(folder: &Folder) -> Result<Table> {
    let loaded = folder.require("load")?;
    let damaged = |what: &str| {
        Failure::from(anyhow::anyhow!(
            "{}: {what}; run `load` again",
            folder.path().display()
        ))
    };
    let field = |key: &str| loaded.detail.get(key).cloned().unwrap_or(Value::Null);
    let dataset: contract::manifest::Dataset =
        serde_json::from_value(field("dataset")).map_err(|e| damaged(&format!("load.json: {e}")))?;
    let copies: Vec<String> =
        serde_json::from_value(field("copies")).map_err(|e| damaged(&format!("load.json: {e}")))?;
    let options = data::Options {
        target: Some(dataset.target.clone()),
        task: serde_json::from_value(field("task")).map_err(|e| damaged(&format!("load.json: {e}")))?,
        missing: serde_json::from_value(field("missing")).map_err(|e| damaged(&format!("load.json: {e}")))?,
        delimiter: loaded.text("delimiter").bytes().next().unwrap_or(b','),
        // What was read once fits; only `load` sets bounds.
        cells_max: u64::MAX,
    };
    let files = dataset.files.iter().zip(&copies).map(|(file, copy)| Collected {
        name: file.name.clone(),
        path: folder.data().join(copy),
        digest: file.digest.clone(),
    });
    let files: Vec<Collected> = files.collect();
    for file in &files {
        let bytes =
            std::fs::read(&file.path).map_err(|e| damaged(&format!("{}: {e}", file.path.display())))?;
        if contract::sha256_hex(&bytes) != file.digest {
            return Err(damaged(&format!("{} has changed", file.path.display())));
        }
    }
    let table = data::read(&files, &options)?;
    if table.describe(0).digest != dataset.digest {
        return Err(damaged("the data has another digest"));
    }
    Ok(table)
}

//! Steps whose folders are not the same: pods of a pipeline, each with an empty one.
//!
//! What earlier steps have left is copied into the run folder, and what this one made is copied out again:
//! its record and the files that belong to it.

use crate::cli::PassFlags;
use crate::failure::{Failure, Result};
use crate::folder::{Folder, write, write_json};
use crate::outcome::Outcome;
use anyhow::Context;
use serde_json::{Value, json};
use std::path::Path;

/// Brings what earlier steps have left into the run folder.
///
/// # Errors
/// When something cannot be copied.
pub fn take(flags: &PassFlags, folder: &Folder) -> Result<()> {
    flags.from.iter().try_for_each(|from| copy(from, folder.path()))
}

/// Leaves what this step made, and writes the fields that were asked for.
///
/// # Errors
/// A field that the result has not, or what cannot be written.
pub fn give(flags: &PassFlags, folder: &Folder, outcome: &Outcome) -> Result<()> {
    if let Some(leave) = &flags.leave {
        let record = format!("{}.json", outcome.step);
        copy(&folder.path().join(&record), &leave.join(record))?;
        match outcome.step.as_str() {
            "load" => copy(&folder.data(), &leave.join("data"))?,
            "train" | "register" => copy(&folder.model(), &leave.join("model"))?,
            _ => {}
        }
    }
    for (field, file) in &flags.result {
        let text = match outcome.detail.get(field) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => {
                let what = format!(
                    "--result {field}: the result of `{}` has no such field",
                    outcome.step
                );
                return Err(Failure::new(2, what));
            }
        };
        write(file, text.as_bytes())?;
    }
    let metrics = outcome
        .detail
        .get("metrics")
        .cloned()
        .unwrap_or_else(|| json!({}));
    if let Some(file) = &flags.metrics_out {
        write_json(file, &metrics)?;
    }
    match &flags.executor_input {
        Some(text) => tell(text, &metrics),
        None => Ok(()),
    }
}

/// Kubeflow Pipelines takes the metrics of an artifact from a file that its launcher names.
fn tell(executor_input: &str, metrics: &Value) -> Result<()> {
    let input: Value = serde_json::from_str(executor_input).context("--executor-input is no JSON")?;
    let file = input["outputs"]["outputFile"].as_str();
    let file = file.context("--executor-input has no outputs.outputFile")?;
    let output = json!({"artifacts": {"metrics": {"artifacts": [{"metadata": metrics}]}}});
    write_json(Path::new(file), &output)
}

/// A file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("cannot copy {} to {}", from.display(), to.display());
    if from.is_dir() {
        std::fs::create_dir_all(to).with_context(what)?;
        for entry in std::fs::read_dir(from).with_context(what)? {
            let entry = entry.with_context(what)?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    let bytes = std::fs::read(from).with_context(what)?;
    write(to, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Status;

    #[test]
    fn what_a_step_leaves_the_next_one_takes() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let first = Folder::new(at("first"));
        write(&first.data().join("00001-a.csv"), b"a,b\n1,2\n").unwrap();
        let detail = json!({"passed": false, "place": "x", "metrics": {"accuracy": 0.5}});
        let outcome = Outcome::new("load", Status::Done, detail, "");
        first.keep(&outcome).unwrap();
        let input = json!({"outputs": {"outputFile": at("out.json")}}).to_string();
        let mut flags = PassFlags {
            leave: Some(at("left")),
            result: vec![
                ("passed".to_owned(), at("passed")),
                ("place".to_owned(), at("place")),
            ],
            executor_input: Some(input),
            ..PassFlags::default()
        };
        give(&flags, &first, &outcome).unwrap();
        assert_eq!(std::fs::read_to_string(at("passed")).unwrap(), "false");
        assert_eq!(std::fs::read_to_string(at("place")).unwrap(), "x");
        let told: Value = serde_json::from_slice(&std::fs::read(at("out.json")).unwrap()).unwrap();
        assert_eq!(
            told["artifacts"]["metrics"]["artifacts"][0]["metadata"]["accuracy"],
            0.5
        );

        let second = Folder::new(at("second"));
        let next = PassFlags {
            from: vec![at("left")],
            ..PassFlags::default()
        };
        take(&next, &second).unwrap();
        assert_eq!(second.require("load").unwrap().text("place"), "x");
        assert!(second.data().join("00001-a.csv").is_file());

        flags.result = vec![("nope".to_owned(), at("nope"))];
        let failure = give(&flags, &first, &outcome).unwrap_err();
        assert!(failure.to_string().contains("--result nope"), "{failure}");
    }
}

//! A checked table and the choices by which it was read.

use super::Target;
use clap::ValueEnum;
use contract::manifest::{Dataset, DatasetFile, Task};
use serde::{Deserialize, Serialize};

/// What to do with a value that is missing (empty, NA, NaN, null, ?) or infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Refuse the table and name the place.
    #[default]
    Refuse,
    /// Leave the row out; also a row without a target.
    Drop,
    /// Put the mean of the column's training rows in its place.
    Mean,
    /// Put the median of the column's training rows in its place.
    Median,
}

impl Missing {
    /// As the flag has it.
    pub fn name(self) -> &'static str {
        match self {
            Missing::Refuse => "refuse",
            Missing::Drop => "drop",
            Missing::Mean => "mean",
            Missing::Median => "median",
        }
    }
}

/// How a table is to be read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Target column; the last one where not said.
    pub target: Option<String>,
    /// What to predict; the target decides where not said.
    pub task: Option<Task>,
    /// See [`Missing`].
    pub missing: Missing,
    /// Field separator.
    pub delimiter: u8,
    /// Most values.
    pub cells_max: u64,
}

/// A table whose every value has been checked. Missing values that are to be filled in are NaN.
#[derive(Clone, Debug)]
pub struct Table {
    /// Feature columns in order.
    pub features: Vec<String>,
    /// Name of the target column.
    pub target_name: String,
    /// Targets, one a row.
    pub target: Target,
    /// Row after row, `features.len()` values each.
    pub values: Vec<f64>,
    /// The files, with their rows that are used.
    pub files: Vec<DatasetFile>,
    /// By which missing values were treated.
    pub missing: Missing,
}

impl Table {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.target.len()
    }

    /// What it predicts.
    pub fn task(&self) -> Task {
        match self.target {
            Target::Classes { .. } => Task::Classification,
            Target::Numbers(_) => Task::Regression,
        }
    }

    /// The manifest's words for it; `holdout_rows` are kept from training.
    pub fn describe(&self, holdout_rows: usize) -> Dataset {
        Dataset {
            digest: dataset_digest(&self.target_name, self.task(), self.missing, &self.files),
            target: self.target_name.clone(),
            files: self.files.clone(),
            rows: self.rows() as u64,
            holdout_rows: holdout_rows as u64,
        }
    }
}

/// `sha256:<hex>` over target, task, missing policy and the files' digests in order.
fn dataset_digest(target: &str, task: Task, missing: Missing, files: &[DatasetFile]) -> String {
    /// A struct, not a JSON map: a map's order depends on how serde_json was compiled.
    #[derive(Serialize)]
    struct Identity<'a> {
        target: &'a str,
        task: Task,
        missing: Missing,
        files: Vec<&'a str>,
    }
    let identity = Identity {
        target,
        task,
        missing,
        files: files.iter().map(|file| file.digest.as_str()).collect(),
    };
    let text = serde_json::to_vec(&identity).expect("strings are always JSON");
    contract::sha256_hex(&text)
}

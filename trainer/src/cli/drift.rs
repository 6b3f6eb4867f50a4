//! Flags of `drift`.

use super::learn::delimiter;
use crate::data::{Limits, Missing};
use clap::{Args, ValueEnum};
use drift::correct::Correction;
use drift::rule::Rule;
use std::path::PathBuf;

/// How `drift` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object, numbers in full.
    #[default]
    Json,
    /// A table for people.
    Text,
    /// One page with pictures, which needs nothing else.
    Html,
}

/// How p-values are corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Corrected {
    /// Holm: no false rejection at all, with the level's probability.
    #[default]
    Holm,
    /// Benjamini and Yekutieli: a bounded share of false ones among the rejections.
    BenjaminiYekutieli,
}

/// Flags of `drift`.
#[derive(Clone, Debug, Args)]
pub struct DriftFlags {
    /// CSV or Parquet file to compare with.
    #[arg(long, value_name = "FILE")]
    pub reference: PathBuf,
    /// CSV or Parquet file that is compared.
    #[arg(long, value_name = "FILE")]
    pub current: PathBuf,
    /// Compare these columns alone, in the reference's order [default: all; both files must have the same].
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub columns: Vec<String>,
    /// Columns that are categories although they look like numbers: codes.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub categorical: Vec<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write the report to this file, which is there whole or not at all, instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// End with exit code 15 where there is drift. Tables of fewer rows than are judged are no drift.
    #[arg(long)]
    pub fail_on_drift: bool,
    /// Chance of drift being found where there is none, at most: of this one comparison, all columns and tests
    /// together.
    #[arg(long, default_value_t = Rule::default().level, value_name = "SHARE")]
    pub level: f64,
    /// How p-values are corrected for the number of columns and tests.
    #[arg(long, value_enum, default_value_t)]
    pub correction: Corrected,
    /// A smaller Kolmogorov-Smirnov statistic, change of shares or change of a rate is no drift, however certain.
    #[arg(long, default_value_t = Rule::default().least_effect, value_name = "EFFECT")]
    pub least_effect: f64,
    /// Fewer rows in either table are compared, but not judged.
    #[arg(long, default_value_t = Rule::default().least_rows, value_name = "ROWS")]
    pub least_rows: u64,
    /// How p-values of Kolmogorov-Smirnov are found: exact, asymp or auto (exact up to 10000 values a side).
    #[arg(long, default_value = "auto")]
    pub method: drift::Method,
    /// What to do with missing and infinite values [default: count them: missing ones as a rate of their own, infinite
    /// ones as out of range, and refuse infinite ones in the reference]. `refuse` names the first; `drop`, `mean` and
    /// `median` count infinite ones as missing.
    #[arg(long, env = "MISSING", value_enum, hide_possible_values = true)]
    pub missing: Option<Missing>,
    /// Field separator: one character, or `tab`.
    #[arg(long, env = "DELIMITER", default_value = ",", value_parser = delimiter, value_name = "CHARACTER")]
    pub delimiter: u8,
    /// Bounds.
    #[command(flatten)]
    pub limits: Limits,
}

impl DriftFlags {
    /// The rule of one look.
    pub fn rule(&self) -> Rule {
        Rule {
            level: self.level,
            looks: 1,
            correction: match self.correction {
                Corrected::Holm => Correction::Holm,
                Corrected::BenjaminiYekutieli => Correction::BenjaminiYekutieli,
            },
            least_effect: self.least_effect,
            least_rows: self.least_rows,
            ..Rule::default()
        }
    }
}

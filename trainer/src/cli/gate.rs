//! What a candidate must reach.

use clap::Args;
use serde::{Deserialize, Serialize};

/// Bars of the gate.
#[derive(Clone, Debug, PartialEq, Args, Serialize, Deserialize)]
pub struct GateFlags {
    /// Least share of held-out rows that are classified rightly.
    #[arg(long, env = "MIN_ACCURACY", default_value_t = 0.9, value_name = "SHARE", value_parser = finite)]
    pub min_accuracy: f64,
    /// Least R² on held-out rows, for regression; 0 is no better than the mean.
    #[arg(
        long,
        env = "MIN_R2",
        default_value_t = 0.0,
        value_parser = finite,
        value_name = "NUMBER",
        allow_negative_numbers = true
    )]
    pub min_r2: f64,
    /// Largest root mean squared error on held-out rows, for regression [default: any].
    #[arg(long, env = "MAX_RMSE", value_name = "NUMBER", value_parser = finite)]
    pub max_rmse: Option<f64>,
    /// How much worse than the live model a candidate may be on the same rows: accuracy points (two
    /// rows at least), or share of the RMSE.
    #[arg(long, env = "TOLERANCE", default_value_t = 0.02, value_name = "NUMBER", value_parser = finite)]
    pub tolerance: f64,
    /// Lets features or classes differ from the live model's, whose clients then break.
    #[arg(long, env = "ALLOW_SCHEMA_CHANGE", value_parser = clap::builder::BoolishValueParser::new(),
          num_args = 0..=1, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set)]
    pub allow_schema_change: bool,
}

fn finite(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err("expected a finite number".to_owned()),
    }
}

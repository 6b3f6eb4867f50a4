//! `champion`: the alias follows a release that a person brought back, with no run of ours to confirm it.

use crate::cli::MlflowFlags;
use crate::failure::Result;
use crate::mlflow::Tracking;
use crate::outcome::{Outcome, Status};
use clap::Args;
use contract::names::{ALIAS_CHAMPION, MODEL_NAME};
use serde_json::json;

/// Flags of `champion`.
#[derive(Clone, Debug, Args)]
pub struct ChampionFlags {
    #[command(flatten)]
    pub mlflow: MlflowFlags,
    /// Registered model.
    #[arg(long, env = "MODEL_NAME", default_value = MODEL_NAME, value_name = "NAME")]
    pub model_name: String,
    /// Version that is live.
    #[arg(long, value_name = "N")]
    pub model_version: u64,
}

/// Moves the alias, if it is elsewhere.
///
/// # Errors
/// Exit code MLFLOW.
pub fn champion(flags: &ChampionFlags) -> Result<Outcome> {
    let ChampionFlags {
        mlflow,
        model_name,
        model_version,
    } = flags;
    let tracking = Tracking::open(mlflow)?;
    let before = tracking.alias(model_name, ALIAS_CHAMPION)?;
    let status = match point(&tracking, model_name, *model_version)? {
        true => Status::Done,
        false => Status::Already,
    };
    let detail = json!({"model": model_name, "model_version": model_version, "before": before});
    Ok(Outcome::new(
        "champion",
        status,
        detail,
        format!("{model_name}@{ALIAS_CHAMPION} is version {model_version}"),
    ))
}

/// Makes the alias name a version; whether that changed anything.
///
/// # Errors
/// Exit code MLFLOW.
pub fn point(tracking: &Tracking, model_name: &str, version: u64) -> Result<bool> {
    if tracking.alias(model_name, ALIAS_CHAMPION)? == Some(version) {
        return Ok(false);
    }
    tracking.set_alias(model_name, ALIAS_CHAMPION, version)?;
    Ok(true)
}

//! What is remembered until labels come, and whether inputs are kept with it.

use super::{bounded, drift::token_in};
use clap::{Args, ValueEnum};
use secrecy::SecretString;
use std::{path::PathBuf, time::Duration};

/// Labels that come later.
#[derive(Clone, Debug, Args)]
pub struct FeedbackConfig {
    /// Latest answered rows that labels are matched with; 0 takes no labels
    #[arg(id = "feedback_rows", long = "feedback-rows", env = "FEEDBACK_ROWS", value_name = "ROWS", default_value = "10000", value_parser = bounded(0, 10_000_000))]
    pub rows: usize,
    /// Latest labelled rows that live accuracy is of
    #[arg(id = "feedback_window_size", long = "feedback-window-size", env = "FEEDBACK_WINDOW_SIZE", value_name = "ROWS", default_value = "1000", value_parser = bounded(1, 100_000))]
    pub window_size: usize,
    /// Whether inputs are kept, for labelled rows to become training data
    #[arg(
        id = "capture",
        long = "capture",
        env = "CAPTURE",
        value_name = "on|off",
        default_value = "off"
    )]
    pub capture: Switch,
    /// With `on`: rows whose inputs are kept, at most so many waiting for a label and so many that have one
    #[arg(id = "capture_rows", long = "capture-rows", env = "CAPTURE_ROWS", value_name = "ROWS", default_value = "10000", value_parser = bounded(1, 100_000))]
    pub capture_rows: usize,
    /// With `on`: inputs are forgotten this many hours after they were answered
    #[arg(id = "capture_hours", long = "capture-hours", env = "CAPTURE_HOURS", value_name = "H", default_value = "24", value_parser = hours)]
    pub retention: Duration,
    /// With `on`: features that are never kept
    #[arg(
        id = "capture_except",
        long = "capture-except",
        env = "CAPTURE_EXCEPT",
        value_name = "COLUMNS",
        value_delimiter = ','
    )]
    pub except: Vec<String>,
    /// File with the token that /feedback/labelled is given out for, instead of any API key
    #[arg(
        id = "capture_token_file",
        long = "capture-token-file",
        env = "CAPTURE_TOKEN_FILE",
        value_name = "FILE"
    )]
    pub token_file: Option<PathBuf>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// Why inputs cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Anybody could read them.
    #[error(
        "--capture on (CAPTURE) keeps the inputs of requests, and nothing says who may read them: expected --capture-token-file (CAPTURE_TOKEN_FILE), --api-keys-file (API_KEYS_FILE) or --api-keys (API_KEYS)"
    )]
    Open,
    /// There is nothing to keep them for.
    #[error("--capture on (CAPTURE) with --feedback-rows 0 (FEEDBACK_ROWS): expected at least 1")]
    NoRows,
    /// The file.
    #[error("--capture-token-file (CAPTURE_TOKEN_FILE) {path}: {problem}", path = .path.display())]
    Token {
        /// Which.
        path: PathBuf,
        /// What is wrong; never quotes it.
        problem: String,
    },
}

impl FeedbackConfig {
    /// Whether inputs are kept.
    pub fn captures(&self) -> bool {
        self.capture == Switch::On
    }

    /// Names of [`FeedbackConfig::except`], empty ones left out.
    pub fn except(&self) -> impl Iterator<Item = &str> {
        let names = self.except.iter().map(|name| name.trim());
        names.filter(|name| !name.is_empty())
    }

    /// The token, as it is in the file now.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn token(&self) -> Result<Option<SecretString>, String> {
        self.token_file.as_deref().map(token_in).transpose()
    }

    /// Whether what is kept is kept from strangers. `keys`: whether API keys are asked for.
    ///
    /// # Errors
    /// [`CaptureError`].
    pub fn check(&self, keys: bool) -> Result<(), CaptureError> {
        let token = self.token().map_err(|problem| CaptureError::Token {
            path: self.token_file.clone().unwrap_or_default(),
            problem,
        })?;
        if !self.captures() {
            return Ok(());
        }
        if self.rows == 0 {
            return Err(CaptureError::NoRows);
        }
        if token.is_none() && !keys {
            return Err(CaptureError::Open);
        }
        Ok(())
    }
}

fn hours(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(hours) if hours > 0.0 && hours <= 8_760.0 => Ok(Duration::from_secs_f64(hours * 3_600.0)),
        _ => Err("expected hours above 0, up to 8760".to_owned()),
    }
}

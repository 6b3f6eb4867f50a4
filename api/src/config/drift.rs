//! How drift is watched for, and with whom.

use super::{bounded, probability, seconds};
use crate::guard::small_file;
use clap::{Args, ValueEnum};
use drift::{correct::Correction, rule::Rule};
use secrecy::SecretString;
use serde::Serialize;
use std::{path::PathBuf, time::Duration};

/// Shortest token that is taken: as many characters as 64 random bits have in base64.
const SHORTEST_TOKEN: usize = 11;

/// The window that is compared with the model's reference sample.
#[derive(Clone, Debug, Args)]
pub struct DriftConfig {
    /// What counts as drift: a rule whose false alarms are bounded, or the source documents' (any p-value below DRIFT_THRESHOLD)
    #[arg(
        id = "drift_mode",
        long = "drift-mode",
        env = "DRIFT_MODE",
        value_name = "MODE",
        default_value = "calibrated"
    )]
    pub mode: DriftMode,
    /// With `compat`: a feature drifts when its p-value is below this
    #[arg(id = "drift_threshold", long = "drift-threshold", env = "DRIFT_THRESHOLD", value_name = "P", default_value = "0.05", value_parser = probability)]
    pub threshold: f64,
    /// Latest rows that are compared
    #[arg(id = "drift_window_size", long = "drift-window-size", env = "DRIFT_WINDOW_SIZE", value_name = "ROWS", default_value = "100", value_parser = bounded(1, 10_000))]
    pub window_size: usize,
    /// With `calibrated`: expected false alarms in a window's worth of traffic, at most
    #[arg(id = "drift_level", long = "drift-level", env = "DRIFT_LEVEL", value_name = "P", default_value = "0.001", value_parser = level)]
    pub level: f64,
    /// With `calibrated`: how signals of all features are corrected
    #[arg(
        id = "drift_correction",
        long = "drift-correction",
        env = "DRIFT_CORRECTION",
        value_name = "WHICH",
        default_value = "holm"
    )]
    pub correction: DriftCorrection,
    /// With `calibrated`: a smaller Kolmogorov-Smirnov statistic, or change of a rate, is no drift
    #[arg(id = "drift_least_effect", long = "drift-least-effect", env = "DRIFT_LEAST_EFFECT", value_name = "D", default_value = "0.1", value_parser = share)]
    pub least_effect: f64,
    /// With `calibrated`: fewer rows are not judged, unless the window is smaller
    #[arg(id = "drift_least_rows", long = "drift-least-rows", env = "DRIFT_LEAST_ROWS", value_name = "ROWS", default_value = "50", value_parser = bounded(2, 10_000))]
    pub least_rows: usize,
    /// Record every so manieth row: a window then spans so many times the traffic, such as whole days
    #[arg(id = "drift_every", long = "drift-every", env = "DRIFT_EVERY", value_name = "N", default_value = "1", value_parser = bounded(1, 1_000_000))]
    pub every: usize,
    /// File that keeps the window over a restart
    #[arg(
        id = "drift_state_file",
        long = "drift-state-file",
        env = "DRIFT_STATE_FILE",
        value_name = "FILE"
    )]
    pub state_file: Option<PathBuf>,
    /// Other replicas.
    #[command(flatten)]
    pub exchange: ExchangeConfig,
}

/// Which rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftMode {
    /// ADR 0013: a level for each look, spent on exact tests.
    Calibrated,
    /// The source documents': any p-value below the threshold.
    Compat,
}

/// Over signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DriftCorrection {
    /// The chance of any false one.
    Holm,
    /// The share of false ones, under every dependence.
    BenjaminiYekutieli,
}

/// How replicas pool their windows.
#[derive(Clone, Debug, Args)]
pub struct ExchangeConfig {
    /// Other replicas, HOST:PORT with commas between; a name stands for all of its addresses (a headless Service)
    #[arg(
        id = "drift_peers",
        long = "drift-peers",
        env = "DRIFT_PEERS",
        value_name = "LIST"
    )]
    pub peers: Option<String>,
    /// File that lists other replicas, read again in each period
    #[arg(
        id = "drift_peers_file",
        long = "drift-peers-file",
        env = "DRIFT_PEERS_FILE",
        value_name = "FILE"
    )]
    pub peers_file: Option<PathBuf>,
    /// File with the token that replicas know each other by
    #[arg(
        id = "drift_token_file",
        long = "drift-token-file",
        env = "DRIFT_TOKEN_FILE",
        value_name = "FILE"
    )]
    pub token_file: Option<PathBuf>,
    /// Address to answer other replicas on; by default the one that everybody asks
    #[arg(
        id = "drift_listen",
        long = "drift-listen",
        env = "DRIFT_LISTEN_ADDRESS",
        value_name = "HOST:PORT"
    )]
    pub listen: Option<String>,
    /// Between two exchanges
    #[arg(id = "drift_exchange_seconds", long = "drift-exchange-seconds", env = "DRIFT_EXCHANGE_SECONDS", value_name = "S", default_value = "1", value_parser = seconds)]
    pub period: Duration,
}

/// Why replicas cannot pool their windows.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Anybody could put rows into the window.
    #[error(
        "--drift-peers (DRIFT_PEERS) or --drift-peers-file (DRIFT_PEERS_FILE) is given without --drift-token-file (DRIFT_TOKEN_FILE): expected a file with a token that all replicas have"
    )]
    NoToken,
    /// The file.
    #[error("--drift-token-file (DRIFT_TOKEN_FILE) {path}: {problem}", path = .path.display())]
    Token {
        /// Which.
        path: PathBuf,
        /// What is wrong; never quotes it.
        problem: String,
    },
    /// Replicas ask without TLS.
    #[error(
        "--tls-cert (TLS_CERT) is given and replicas are to exchange rows: give them a port of their own with --drift-listen (DRIFT_LISTEN_ADDRESS)"
    )]
    Tls,
}

impl DriftConfig {
    /// The calibrated rule.
    pub fn rule(&self) -> Rule {
        Rule {
            level: self.level,
            correction: match self.correction {
                DriftCorrection::Holm => Correction::Holm,
                DriftCorrection::BenjaminiYekutieli => Correction::BenjaminiYekutieli,
            },
            least_effect: self.least_effect,
            // A window that is smaller on purpose is judged when it is full.
            least_rows: self.least_rows.min(self.window_size) as u64,
            ..Rule::default()
        }
    }
}

impl ExchangeConfig {
    /// Whether there are other replicas.
    pub fn is_on(&self) -> bool {
        let listed = self.peers.as_ref().is_some_and(|peers| !peers.trim().is_empty());
        listed || self.peers_file.is_some()
    }

    /// How long one exchange may take.
    pub fn patience(&self) -> Duration {
        self.period.clamp(Duration::from_secs(1), Duration::from_secs(5))
    }

    /// The token, as it is in the file now.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn token(&self) -> Result<Option<SecretString>, String> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let bytes = small_file(path).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| "expected text".to_owned())?;
        let token = text.trim();
        if token.len() < SHORTEST_TOKEN || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!(
                "expected at least {SHORTEST_TOKEN} printable ASCII characters, no spaces"
            ));
        }
        Ok(Some(SecretString::from(token)))
    }

    /// Whether all that is needed is there.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn check(&self, tls: bool) -> Result<(), ExchangeError> {
        let token = self.token().map_err(|problem| ExchangeError::Token {
            path: self.token_file.clone().unwrap_or_default(),
            problem,
        })?;
        if self.is_on() && token.is_none() {
            return Err(ExchangeError::NoToken);
        }
        if self.is_on() && tls && self.listen.is_none() {
            return Err(ExchangeError::Tls);
        }
        Ok(())
    }
}

fn level(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if (1e-6..=0.5).contains(&p) => Ok(p),
        _ => Err("expected a number from 0.000001 to 0.5".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

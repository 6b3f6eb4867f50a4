//! Flags and variables of the guard. Nothing that is a secret can be printed from here.

use clap::Args;
use secrecy::SecretString;
use std::{convert::Infallible, path::PathBuf, time::Duration};

/// Who may ask, how often, and from where.
#[derive(Clone, Debug, Args)]
pub struct GuardConfig {
    // Checked when the guard is made and not by clap, whose errors quote the value.
    /// API keys as `name=key,name2=key2`, or keys alone; better given by the variable, flags can be seen by others
    #[arg(long, env = "API_KEYS", value_name = "KEYS", hide_env_values = true, value_parser = secret)]
    pub api_keys: Option<SecretString>,
    /// File with one `name=key` or `name=sha256:HEX` a line; read again when it changes
    #[arg(long, env = "API_KEYS_FILE", value_name = "PATH")]
    pub api_keys_file: Option<PathBuf>,
    /// Requests a second for each API key, or each address where there are no keys; off unless given
    #[arg(long, env = "RATE_LIMIT_PER_S", value_name = "N", value_parser = rate)]
    pub rate_limit_per_s: Option<f64>,
    /// Requests that may come at once; by default those of one second
    #[arg(long, env = "RATE_LIMIT_BURST", value_name = "N", value_parser = burst)]
    pub rate_limit_burst: Option<u32>,
    /// Proxies in front whose X-Forwarded-For is believed
    #[arg(long, env = "TRUSTED_PROXY_HOPS", value_name = "N", default_value_t = 0)]
    pub trusted_proxy_hops: u8,
    /// Origin whose pages may ask, such as `https://app.example.org`, or `*`; repeatable
    #[arg(long, env = "CORS_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_allow_origin: Vec<String>,
    // On by default, at a delay that a process which keeps up never shows for long: below it clients
    // lose nothing, above it most have given up before they are answered.
    /// Some requests are refused while others wait longer than this before they are begun; 0 is never
    #[arg(long, env = "SHED_AFTER_MS", value_name = "MS", default_value = "250", value_parser = milliseconds)]
    pub shed_after_ms: Duration,
}

/// Certificate and key; neither means plain HTTP.
#[derive(Clone, Debug, Default, Args)]
pub struct TlsConfig {
    /// PEM file with the certificate chain, the server's own first; read again when it changes
    #[arg(
        id = "tls_cert",
        long = "tls-cert",
        env = "TLS_CERT",
        value_name = "PATH",
        requires = "tls_key"
    )]
    pub cert: Option<PathBuf>,
    /// PEM file with its private key
    #[arg(
        id = "tls_key",
        long = "tls-key",
        env = "TLS_KEY",
        value_name = "PATH",
        requires = "tls_cert"
    )]
    pub key: Option<PathBuf>,
}

fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(text))
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(n) if (0.001..=1e6).contains(&n) => Ok(n),
        _ => Err("expected a number from 0.001 to 1000000".to_owned()),
    }
}

fn burst(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(n) if (1..=1_000_000).contains(&n) => Ok(n),
        _ => Err("expected a whole number from 1 to 1000000".to_owned()),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(ms) if ms <= 60_000 => Ok(Duration::from_millis(ms)),
        _ => Err("expected whole milliseconds from 0 to 60000".to_owned()),
    }
}

//! Flags and variables, read and checked once at start. One struct per concern.
//!
//! It can be printed: API keys are of a type that cannot.

mod drift;

use crate::guard::config::{GuardConfig, TlsConfig};
use clap::{Args, Parser, ValueEnum};
pub use drift::{DriftConfig, DriftMode, ExchangeConfig, ExchangeError};
use std::{path::PathBuf, time::Duration};

/// Everything the process is told.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "inference-api",
    version,
    args_override_self = true,
    about = "Serves one model over HTTP and watches its traffic for drift",
    after_help = "To score a file of rows instead: inference-api score --help"
)]
pub struct Config {
    /// Model directory (model.onnx, manifest.json, drift/) or one ONNX file
    #[arg(long, env = "MODEL_DIR", value_name = "DIR|FILE", default_value = "model")]
    pub model: PathBuf,
    /// Name in answers; by default the manifest's, or the file's
    #[arg(long, env = "MODEL_NAME", value_name = "NAME")]
    pub name: Option<String>,
    /// Address to listen on, where no socket was handed over (LISTEN_FDS)
    #[arg(
        long,
        env = "LISTEN_ADDRESS",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8000"
    )]
    pub listen: String,
    /// Address to listen on for gRPC as well; by default nothing listens
    #[arg(long, env = "GRPC_LISTEN_ADDRESS", value_name = "HOST:PORT")]
    pub grpc_listen: Option<String>,
    /// Address for probes and metrics alone; metrics are then answered nowhere else
    #[arg(long, env = "ADMIN_LISTEN_ADDRESS", value_name = "HOST:PORT")]
    pub admin_listen: Option<String>,
    /// Threads that serve; by default one for each core
    #[arg(long, env = "WORKER_THREADS", value_name = "N", value_parser = bounded(1, 1024))]
    pub worker_threads: Option<usize>,
    /// Drift window.
    #[command(flatten)]
    pub drift: DriftConfig,
    /// Limits.
    #[command(flatten)]
    pub limits: Limits,
    /// Keys, rates, origins.
    #[command(flatten)]
    pub guard: GuardConfig,
    /// TLS.
    #[command(flatten)]
    pub tls: TlsConfig,
    /// Drain.
    #[command(flatten)]
    pub drain: DrainConfig,
    /// Logs.
    #[command(flatten)]
    pub logs: LogConfig,
    /// Release.
    #[command(flatten)]
    pub release: ReleaseConfig,
}

/// A bound on everything that waits or queues.
#[derive(Clone, Debug, Args)]
pub struct Limits {
    /// Largest request body
    #[arg(long, env = "MAX_BODY_BYTES", value_name = "BYTES", default_value = "1048576", value_parser = bounded(64, 1 << 30))]
    pub max_body_bytes: usize,
    /// Most rows in one request to /predict
    #[arg(long, env = "MAX_INSTANCES", value_name = "ROWS", default_value = "1000", value_parser = bounded(1, 1_000_000))]
    pub max_instances: usize,
    /// Most rows in one request of the protocols that take tensors or tables
    #[arg(long, env = "MAX_BATCH_ROWS", value_name = "ROWS", default_value = "100000", value_parser = bounded(1, 100_000_000))]
    pub max_batch_rows: usize,
    /// Requests in flight before others are refused with 503
    #[arg(long, env = "MAX_CONCURRENT_REQUESTS", value_name = "N", default_value = "256", value_parser = bounded(1, 1_000_000))]
    pub max_concurrent_requests: usize,
    /// Open connections before others are refused with 503
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "N", default_value = "10000", value_parser = bounded(1, 1_000_000))]
    pub max_connections: usize,
    /// Largest request head
    #[arg(long, env = "MAX_HEADER_BYTES", value_name = "BYTES", default_value = "16384", value_parser = bounded(8192, 1 << 20))]
    pub max_header_bytes: usize,
    /// From the first byte of a request to the end of its head
    #[arg(long = "header-timeout-seconds", env = "HEADER_TIMEOUT_SECONDS", value_name = "S", default_value = "10", value_parser = seconds)]
    pub header_timeout: Duration,
    /// From the end of the head to the answer
    #[arg(long = "request-timeout-seconds", env = "REQUEST_TIMEOUT_SECONDS", value_name = "S", default_value = "10", value_parser = seconds)]
    pub request_timeout: Duration,
    /// Between requests of one connection
    #[arg(long = "idle-timeout-seconds", env = "IDLE_TIMEOUT_SECONDS", value_name = "S", default_value = "75", value_parser = seconds)]
    pub idle_timeout: Duration,
}

/// What happens between SIGTERM and exit.
#[derive(Clone, Debug, Args)]
pub struct DrainConfig {
    /// How long clients and endpoints get to notice before idle connections are closed
    #[arg(id = "drain_seconds", long = "drain-seconds", env = "DRAIN_SECONDS", value_name = "S", default_value = "2", value_parser = seconds)]
    pub period: Duration,
    /// How long requests in flight get after that
    #[arg(id = "drain_deadline_seconds", long = "drain-deadline-seconds", env = "DRAIN_DEADLINE_SECONDS", value_name = "S", default_value = "15", value_parser = seconds)]
    pub deadline: Duration,
}

/// What is logged. Errors always are; feature values never.
#[derive(Clone, Debug, Args)]
pub struct LogConfig {
    /// Requests that get a line when they succeed
    #[arg(
        id = "log_requests",
        long = "log-requests",
        env = "LOG_REQUESTS",
        value_name = "WHICH",
        default_value = "sampled"
    )]
    pub requests: LogRequests,
    /// With `sampled`: one of this many
    #[arg(id = "log_sample", long = "log-sample", env = "LOG_SAMPLE", value_name = "N", default_value = "1000", value_parser = bounded(1, 1_000_000_000))]
    pub sample: usize,
    /// Lowest level, or tracing directives such as `info,hyper=debug`
    #[arg(
        id = "log_level",
        long = "log-level",
        env = "LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub level: String,
}

/// Choices of [`LogConfig::requests`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogRequests {
    /// Every request, probes too.
    All,
    /// One of many.
    Sampled,
    /// Errors alone.
    Errors,
}

/// Facts of the release that only the engine knows; empty means unknown.
#[derive(Clone, Debug, Default, Args)]
pub struct ReleaseConfig {
    /// Tag of the image this runs in
    #[arg(id = "image_tag", long = "image-tag", env = "IMAGE_TAG", value_name = "TAG")]
    pub tag: Option<String>,
    /// Digest of the image this runs in
    #[arg(
        id = "image_digest",
        long = "image-digest",
        env = "IMAGE_DIGEST",
        value_name = "DIGEST"
    )]
    pub digest: Option<String>,
}

impl Config {
    /// Flags over variables over defaults. Empty texts count as not given: the downward API
    /// hands over an empty variable where an annotation is missing.
    ///
    /// # Errors
    /// clap's, naming flag, value and what was expected; `--help` and `--version` too.
    pub fn read(
        arguments: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    ) -> Result<Config, clap::Error> {
        let mut config = Config::try_parse_from(arguments)?;
        for text in [
            &mut config.name,
            &mut config.grpc_listen,
            &mut config.admin_listen,
            &mut config.drift.exchange.peers,
            &mut config.drift.exchange.listen,
            &mut config.release.tag,
            &mut config.release.digest,
        ] {
            *text = text.take().filter(|t| !t.is_empty());
        }
        for file in [
            &mut config.drift.state_file,
            &mut config.drift.exchange.peers_file,
            &mut config.drift.exchange.token_file,
        ] {
            *file = file.take().filter(|path| !path.as_os_str().is_empty());
        }
        Ok(config)
    }

    /// Worker threads: as told, or one for each core this process may use.
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.worker_threads.unwrap_or_else(cores)
    }
}

fn bounded(
    least: usize,
    most: usize,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("expected a whole number from {least} to {most}")),
    }
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if p > 0.0 && p < 1.0 => Ok(p),
        _ => Err("expected a number between 0 and 1, both excluded".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(s) if (0.0..=86_400.0).contains(&s) => Ok(Duration::from_secs_f64(s)),
        _ => Err("expected seconds from 0 to 86400".to_owned()),
    }
}

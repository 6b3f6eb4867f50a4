//! JSON lines on stdout. Fields carry units in their names; bodies and feature values never go in.

mod pipe;

use crate::{
    config::{LogConfig, LogRequests},
    error::Code,
};
use anyhow::Context;
use std::time::Duration;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

pub use pipe::{Flush, dropped};

/// Sets up the process's log; the last lines are written when the answer is dropped.
///
/// # Errors
/// When `LOG_LEVEL` is not a level or a list of directives.
pub fn start(config: &LogConfig) -> anyhow::Result<Flush> {
    let filter = config.level.parse::<EnvFilter>();
    let filter = filter.with_context(|| format!("LOG_LEVEL is {:?}", config.level))?;
    let (pipe, flush) = pipe::start(std::io::stdout()).context("cannot start the log's thread")?;
    let lines = fmt::layer()
        .with_writer(pipe)
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_current_span(false)
        .with_span_list(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
    // A panic's own words may quote values; its place is what a reader needs.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|place| place.to_string())
            .unwrap_or_default();
        tracing::error!(event = "panic", place, "a defect: please report it");
    }));
    Ok(flush)
}

/// One answered request.
#[derive(Debug)]
pub struct Answered<'a> {
    /// As in the header.
    pub request_id: &'a str,
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// A known path, or `other`.
    pub endpoint: &'static str,
    /// Whose API key it came with.
    pub key: Option<&'a str>,
    /// Answered.
    pub status: u16,
    /// Where it was an error.
    pub error: Option<Code>,
    /// From the end of the head to the answer.
    pub latency: Duration,
    /// Health probe or scrape.
    pub probe: bool,
}

/// Writes the line of one request where it is wanted; `number` counts requests from 0.
pub fn request(config: &LogConfig, number: u64, answered: &Answered<'_>) {
    let Answered {
        request_id,
        method,
        endpoint,
        key,
        status,
        error,
        latency,
        probe,
    } = *answered;
    let latency_ms = latency.as_secs_f64() * 1e3;
    match error {
        // A probe that is told to wait is no error of anybody's.
        Some(code) if probe => {
            tracing::debug!(
                event = "request",
                request_id,
                method,
                endpoint,
                key,
                status,
                code = code.word(),
                latency_ms,
                "probe refused"
            );
        }
        Some(code) if status >= 500 => {
            tracing::error!(
                event = "request",
                request_id,
                method,
                endpoint,
                key,
                status,
                code = code.word(),
                latency_ms,
                "request failed"
            );
        }
        Some(code) => {
            tracing::warn!(
                event = "request",
                request_id,
                method,
                endpoint,
                key,
                status,
                code = code.word(),
                latency_ms,
                "request refused"
            );
        }
        None if wanted(config, number, probe) => {
            tracing::info!(
                event = "request",
                request_id,
                method,
                endpoint,
                key,
                status,
                latency_ms,
                "request answered"
            );
        }
        None => {}
    }
}

fn wanted(config: &LogConfig, number: u64, probe: bool) -> bool {
    match config.requests {
        LogRequests::All => true,
        LogRequests::Sampled => !probe && number.is_multiple_of(config.sample as u64),
        LogRequests::Errors => false,
    }
}

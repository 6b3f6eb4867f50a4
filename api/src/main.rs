//! Reads the configuration, starts, stops; nothing else.

use inference_api::{Config, Sockets, logs, process, score, serve};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    // A command of its own, so that serving needs none.
    if std::env::args_os().nth(1).is_some_and(|word| word == "score") {
        return score::main(std::env::args_os().skip(1));
    }
    let config = Config::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let _flush = match logs::start(&config.logs) {
        Ok(flush) => flush,
        Err(error) => {
            eprintln!("inference-api: {error:#}");
            return ExitCode::from(2);
        }
    };
    tracing::info!(event = "start", version = env!("CARGO_PKG_VERSION"), config = ?config, "starting");
    open_files(config.limits.max_connections);
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(event = "stop", error = format!("{error:#}"), "cannot serve");
            ExitCode::FAILURE
        }
    }
}

/// Makes room for the connections that are allowed, and says so where there is none.
fn open_files(max_connections: usize) {
    /// Listening sockets, the log, files of keys and certificates, the runtime's own.
    const BESIDE: u64 = 100;
    let wanted = max_connections as u64 + BESIDE;
    match process::raise_open_files(wanted) {
        Ok(limit) if limit >= wanted => {}
        result => tracing::warn!(
            event = "open_files",
            wanted,
            limit = result.ok(),
            "fewer files than --max-connections can need: raise the limit (ulimit -n) or lower the flag"
        ),
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers())
        // Loading and exact drift statistics; nothing else blocks.
        .max_blocking_threads(2)
        .thread_name("serve")
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let sockets = Sockets::open(&config)?;
        let stop = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        serve(config, sockets, stop).await
    });
    // Whatever is left (a model still loading, probes) has no claim on the exit.
    runtime.shutdown_background();
    result
}

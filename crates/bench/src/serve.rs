//! `bench serve`: the API's release binary beside a bare server, alternating, under one client.

use crate::child::{Server, free_address};
use crate::paths;
use crate::report::{Bar, Report, median};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use traffic::{Limit, Load, Target};

/// Of the load in each of this many parts is the API's memory looked at.
const MEMORY_LOOKS: u64 = 10;

#[derive(clap::Args)]
pub struct Options {
    /// Seconds of load on each side, in all rounds together
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Rounds: each loads both sides, the first one in turn
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Requests for the API's memory to be watched over, after the rounds
    #[arg(long, default_value_t = 200_000)]
    requests: u64,
    /// A model directory; without it a forest of 100 trees is trained on the iris data
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Threads of each server [default: one for each core]
    #[arg(long)]
    workers: Option<usize>,
}

/// What one side did in one round.
struct Round {
    ok_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Processor time of the server for each request.
    cpu_us: f64,
}

pub fn run(options: &Options, quick: bool) -> Result<Report> {
    ensure!(
        options.rounds > 0 && options.seconds > 0.0,
        "--rounds and --seconds must be above 0"
    );
    let share = if quick { 0.1 } else { 1.0 };
    let rounds = if quick {
        options.rounds.min(4)
    } else {
        options.rounds
    };
    let each = Duration::from_secs_f64(options.seconds * share / rounds as f64);
    let folder = tempfile::tempdir().context("make a folder for the model")?;
    let model = match &options.model {
        Some(model) => model.clone(),
        None => train(folder.path())?,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = options.workers.unwrap_or(cores);

    let ready: Vec<f64> = (0..if quick { 3 } else { 11 })
        .map(|_| start_api(&model, workers).map(|server| server.ready_after.as_secs_f64() * 1e3))
        .collect::<Result<_>>()?;

    let api = start_api(&model, workers)?;
    let bare = start_bare(workers)?;
    let warm_up = Duration::from_secs_f64(2.0 * share);
    load(&api, options.connections, warm_up)?;
    load(&bare, options.connections, warm_up)?;
    let (mut of_api, mut of_bare) = (Vec::new(), Vec::new());
    for number in 0..rounds {
        // Whatever slows the machine down in the meantime meets each side first equally often.
        if number % 2 == 0 {
            of_api.push(load(&api, options.connections, each)?);
            of_bare.push(load(&bare, options.connections, each)?);
        } else {
            of_bare.push(load(&bare, options.connections, each)?);
            of_api.push(load(&api, options.connections, each)?);
        }
    }
    let memory = memory_under_load(
        &api,
        options.connections,
        (options.requests as f64 * share) as u64,
    )?;

    let mut report = Report::new("Serving one-row requests");
    let ratios: Vec<f64> = of_api
        .iter()
        .zip(&of_bare)
        .map(|(a, b)| a.ok_per_s / b.ok_per_s)
        .collect();
    report.judge(
        "throughput, API / bare server",
        median(&ratios),
        "",
        Bar::AtLeast(0.8),
    );
    for (side, rounds) in [("API", &of_api), ("bare server", &of_bare)] {
        let middle = |pick: fn(&Round) -> f64| median(&rounds.iter().map(pick).collect::<Vec<_>>());
        report.measure(
            format!("{side}, throughput"),
            middle(|round| round.ok_per_s),
            "requests/s",
        );
        report.measure(format!("{side}, p50"), middle(|round| round.p50_ms), "ms");
        report.measure(format!("{side}, p99"), middle(|round| round.p99_ms), "ms");
        report.measure(
            format!("{side}, processor time"),
            middle(|round| round.cpu_us),
            "µs/request",
        );
    }
    report.judge(
        "ready after the process was started, median",
        median(&ready),
        "ms",
        Bar::AtMost(50.0),
    );
    report.measure(
        "the same, slowest",
        ready.iter().copied().fold(0.0, f64::max),
        "ms",
    );
    let (first, last) = (memory[0], memory[memory.len() - 1]);
    report.judge(
        "API, resident memory after the last request",
        last,
        "MiB",
        Bar::AtMost(16.0),
    );
    report.judge(
        "the same, growth over the last nine tenths",
        last - first,
        "MiB",
        Bar::AtMost(1.0),
    );
    report.note(format!(
        "{} connections, {rounds} rounds of {:.1} s on each side in turn, {workers} threads in each server, \
         client and servers on the same {cores} cores; medians over rounds. Memory was watched over {} more requests.",
        options.connections,
        each.as_secs_f64(),
        (options.requests as f64 * share) as u64,
    ));
    Ok(report)
}

fn train(folder: &Path) -> Result<PathBuf> {
    let data = paths::in_repository("trainer/data/iris.csv")
        .context("trainer/data/iris.csv is not here: run this in the repository, or name a --model")?;
    let out = folder.join("model");
    let status = Command::new(paths::sibling("trainer", "BENCH_TRAINER")?)
        .args([
            "train", "--target", "species", "--seed", "42", "--trees", "100", "--data",
        ])
        .arg(data)
        .arg("--out")
        .arg(&out)
        .stdout(std::process::Stdio::null())
        .status()
        .context("start the trainer")?;
    ensure!(status.success(), "the trainer failed: {status}");
    Ok(out)
}

fn start_api(model: &Path, workers: usize) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(paths::sibling("inference-api", "BENCH_INFERENCE_API")?);
    command
        .args([
            "--name",
            "iris-model",
            "--listen",
            &address.to_string(),
            "--model",
        ])
        .arg(model);
    // Nothing of the caller's surroundings may change what is measured.
    command.env_clear().env("WORKER_THREADS", workers.to_string());
    command
        .env("DRIFT_THRESHOLD", "0.05")
        .env("DRIFT_WINDOW_SIZE", "100");
    Server::start(command, address, &Target::get(address, "/readyz"))
}

fn start_bare(workers: usize) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe().context("where this program is")?);
    command
        .args([
            "bare",
            "--listen",
            &address.to_string(),
            "--workers",
            &workers.to_string(),
        ])
        .env_clear();
    Server::start(command, address, &target(address))
}

/// Rows like those of the iris data, in a cycle that keeps the drift window moving.
fn target(address: std::net::SocketAddr) -> Target {
    let row = |i: u32| {
        let part = |step: u32, count: u32| f64::from(i * step % count);
        let (a, b) = (4.3 + part(7, 37) / 10.0, 2.0 + part(11, 25) / 10.0);
        let (c, d) = (1.0 + part(13, 60) / 10.0, 0.1 + part(5, 25) / 10.0);
        format!(r#"{{"features":[{a:.1},{b:.1},{c:.1},{d:.1}]}}"#)
    };
    Target::cycle(address, "/predict", (0..150).map(row).collect())
}

fn load(server: &Server, connections: usize, duration: Duration) -> Result<Round> {
    let before = server.cpu_s()?;
    let load = Load::closed(connections, Limit::Duration(duration)).label(None);
    let report = load.start(&target(server.address))?.wait();
    ensure!(
        report.failed == 0,
        "{} of {} requests failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );
    Ok(Round {
        ok_per_s: report.ok_per_s,
        p50_ms: report.latency.p50_ms,
        p99_ms: report.latency.p99_ms,
        cpu_us: (server.cpu_s()? - before) * 1e6 / report.ok as f64,
    })
}

/// Resident memory in MiB after each tenth of the requests.
fn memory_under_load(server: &Server, connections: usize, requests: u64) -> Result<Vec<f64>> {
    (0..MEMORY_LOOKS)
        .map(|_| {
            let part = Limit::Requests(requests.div_ceil(MEMORY_LOOKS));
            let report = Load::closed(connections, part)
                .label(None)
                .start(&target(server.address))?
                .wait();
            ensure!(
                report.failed == 0,
                "{} requests failed: {:?}",
                report.failed,
                report.failures
            );
            server.resident_mib()
        })
        .collect()
}

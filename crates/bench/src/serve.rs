//! `bench serve`: the API's release binary beside a bare server that parses the same bodies and answers
//! with fixed ones, alternating, under one client. API keys, drift recording and metrics are on.

use crate::child::{Server, free_address};
use crate::paths;
use crate::report::{Bar, Report, median};
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::net::SocketAddr;
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

    let starts = if quick { 3 } else { 11 };
    let ready_ms = |model: &Path| -> Result<Vec<f64>> {
        (0..starts)
            .map(|_| start_api(model, workers).map(|server| server.ready_after.as_secs_f64() * 1e3))
            .collect()
    };
    let ready = ready_ms(&model)?;
    let large = train_large(folder.path())?;
    let large_mb = std::fs::metadata(large.join("model.onnx"))?.len() as f64 / 1e6;
    let large_ready = ready_ms(&large)?;

    let api = start_api(&model, workers)?;
    let bare = start_bare(workers)?;
    let warm_up = Duration::from_secs_f64(2.0 * share);
    let mut rows: Vec<(Protocol, Vec<Round>, Vec<Round>)> = Vec::new();
    for protocol in Protocol::ALL {
        let side = |server: &Server, time| load(server, protocol, options.connections, time);
        side(&api, warm_up)?;
        side(&bare, warm_up)?;
        let (mut of_api, mut of_bare) = (Vec::new(), Vec::new());
        for number in 0..rounds {
            // Whatever slows the machine down in the meantime meets each side first equally often.
            if number % 2 == 0 {
                of_api.push(side(&api, each)?);
                of_bare.push(side(&bare, each)?);
            } else {
                of_bare.push(side(&bare, each)?);
                of_api.push(side(&api, each)?);
            }
        }
        rows.push((protocol, of_api, of_bare));
    }
    let memory = memory_under_load(
        &api,
        options.connections,
        (options.requests as f64 * share) as u64,
    )?;

    let mut report = Report::new("Serving one-row requests");
    for (protocol, of_api, of_bare) in &rows {
        let name = protocol.name();
        let ratio = |pick: fn(&Round) -> f64| {
            let ratios: Vec<f64> = of_api
                .iter()
                .zip(of_bare)
                .map(|(a, b)| pick(a) / pick(b))
                .collect();
            median(&ratios)
        };
        report.judge(
            format!("{name}: throughput, API / bare server"),
            ratio(|round| round.ok_per_s),
            "",
            Bar::AtLeast(protocol.share_of_bare()),
        );
        if *protocol == Protocol::Predict {
            report.judge(
                format!("{name}: p99, API / bare server"),
                ratio(|round| round.p99_ms),
                "",
                Bar::AtMost(1.5),
            );
        }
        for (side, rounds) in [("API", of_api), ("bare server", of_bare)] {
            let middle = |pick: fn(&Round) -> f64| median(&rounds.iter().map(pick).collect::<Vec<_>>());
            report.measure(
                format!("{name}: {side}, throughput"),
                middle(|round| round.ok_per_s),
                "requests/s",
            );
            report.measure(format!("{name}: {side}, p99"), middle(|round| round.p99_ms), "ms");
            report.measure(
                format!("{name}: {side}, processor time"),
                middle(|round| round.cpu_us),
                "µs/request",
            );
        }
    }
    report.judge(
        "ready after the process was started, median",
        median(&ready),
        "ms",
        Bar::AtMost(20.0),
    );
    report.measure(
        "the same, slowest",
        ready.iter().copied().fold(0.0, f64::max),
        "ms",
    );
    report.judge(
        format!("ready with a model of {large_mb:.1} MB, median"),
        median(&large_ready),
        "ms",
        Bar::AtMost(150.0),
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
        "{} connections, {rounds} rounds of {:.1} s for each protocol on each side in turn, {workers} threads in \
         each server; API keys, drift recording and metrics on; client and servers on the same {cores} cores; medians over rounds. Memory was watched over {} more requests.",
        options.connections,
        each.as_secs_f64(),
        (options.requests as f64 * share) as u64,
    ));
    Ok(report)
}

fn train(folder: &Path) -> Result<PathBuf> {
    let data = paths::in_repository("trainer/data/iris.csv")
        .context("trainer/data/iris.csv is not here: run this in the repository, or name a --model")?;
    train_on(&data, "species", folder.join("model"))
}

/// A forest of some 15 MB: full-depth trees on rows whose classes are hard to tell.
fn train_large(folder: &Path) -> Result<PathBuf> {
    const ROWS: usize = 15_400;
    let mut random = 1u64;
    let mut next = || {
        // Knuth's MMIX generator: the same rows everywhere.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 40) as f64 / f64::from(1u32 << 24)
    };
    let names: Vec<String> = (0..20).map(|feature| format!("f{feature}")).collect();
    let mut text = format!("{},class\n", names.join(","));
    for _ in 0..ROWS {
        let row: Vec<f64> = (0..20).map(|_| next()).collect();
        let class = ((row[0] + row[1] + next()) as usize).min(2);
        for value in row {
            write!(text, "{value:.6},")?;
        }
        writeln!(text, "{}", ["a", "b", "c"][class])?;
    }
    let data = folder.join("large.csv");
    std::fs::write(&data, text).context("write the rows of the large model")?;
    train_on(&data, "class", folder.join("large"))
}

fn train_on(data: &Path, target: &str, out: PathBuf) -> Result<PathBuf> {
    let status = Command::new(paths::sibling("trainer", "BENCH_TRAINER")?)
        .args([
            "train", "--target", target, "--seed", "42", "--trees", "100", "--data",
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
    command.env("API_KEYS", format!("bench={KEY},another=of-somebody-else"));
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
    Server::start(command, address, &Protocol::Predict.target(address))
}

/// What a request is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Predict,
    V2,
    Mlflow,
}

impl Protocol {
    const ALL: [Protocol; 3] = [Protocol::Predict, Protocol::V2, Protocol::Mlflow];

    fn name(self) -> &'static str {
        match self {
            Protocol::Predict => "/predict",
            Protocol::V2 => "V2 infer, JSON",
            Protocol::Mlflow => "/invocations",
        }
    }

    /// Of the bare server's throughput, at least.
    fn share_of_bare(self) -> f64 {
        match self {
            Protocol::Predict => 0.85,
            Protocol::V2 | Protocol::Mlflow => 0.75,
        }
    }

    /// Rows like those of the iris data, in a cycle that keeps the drift window moving.
    fn target(self, address: SocketAddr) -> Target {
        let path = match self {
            Protocol::Predict => "/predict",
            Protocol::V2 => "/v2/models/iris-model/infer",
            Protocol::Mlflow => "/invocations",
        };
        let body = |i: u32| {
            let part = |step: u32, count: u32| f64::from(i * step % count);
            let (a, b) = (4.3 + part(7, 37) / 10.0, 2.0 + part(11, 25) / 10.0);
            let (c, d) = (1.0 + part(13, 60) / 10.0, 0.1 + part(5, 25) / 10.0);
            let row = format!("[{a:.1},{b:.1},{c:.1},{d:.1}]");
            match self {
                Protocol::Predict => format!(r#"{{"features":{row}}}"#),
                Protocol::V2 => format!(
                    r#"{{"inputs":[{{"name":"features","shape":[1,4],"datatype":"FP32","data":{row}}}]}}"#
                ),
                Protocol::Mlflow => {
                    format!(r#"{{"dataframe_split":{{"columns":{COLUMNS},"data":[{row}]}}}}"#)
                }
            }
        };
        Target::cycle(address, path, (0..150).map(body).collect()).header("x-api-key", KEY)
    }
}

/// What the load shows at the door.
const KEY: &str = "bench-key-of-some-length";
const COLUMNS: &str = r#"["sepal_length","sepal_width","petal_length","petal_width"]"#;

fn load(server: &Server, protocol: Protocol, connections: usize, duration: Duration) -> Result<Round> {
    let before = server.cpu_s()?;
    let load = Load::closed(connections, Limit::Duration(duration)).label(None);
    let report = load.start(&protocol.target(server.address))?.wait();
    ensure!(
        report.failed == 0,
        "{} of {} requests failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );
    Ok(Round {
        ok_per_s: report.ok_per_s,
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
                .start(&Protocol::Predict.target(server.address))?
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

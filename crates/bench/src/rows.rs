//! `bench rows`: large requests, the API's release binary beside MLServer serving the same forest.

use crate::child::{Server, free_address};
use crate::paths;
use crate::report::{Bar, Report, median};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use traffic::{Connection, Limit, Load, Target};

/// Trains, exports, and writes what MLServer wants to find.
const PREPARE: &str = include_str!("rows.py");
const MODEL: &str = "forest";
const FEATURES: usize = 20;
const PATH: &str = "/v2/models/forest/infer";

#[derive(clap::Args)]
pub struct Options {
    /// Seconds of load on each side, in all rounds together
    #[arg(long, default_value_t = 15.0)]
    seconds: f64,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Rounds: each loads all sides in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Rows in a request
    #[arg(long, default_value_t = 1000)]
    rows: usize,
}

pub fn run(options: &Options, quick: bool) -> Result<Report> {
    ensure!(
        options.rounds > 0 && options.seconds > 0.0 && options.rows > 0,
        "--rounds, --seconds and --rows must be above 0"
    );
    let share = if quick { 0.2 } else { 1.0 };
    let each = Duration::from_secs_f64(options.seconds * share / options.rounds as f64);
    let folder = tempfile::tempdir().context("make a folder for the model")?;
    let python = paths::mlserver_python()?;
    let (ours, theirs) = (free_address()?, free_address()?);
    prepare(&python, folder.path(), theirs)?;

    let mut command = Command::new(paths::sibling("inference-api", "BENCH_INFERENCE_API")?);
    command
        .args(["--name", MODEL, "--listen", &ours.to_string(), "--model"])
        .arg(folder.path().join("model.onnx"))
        .env_clear();
    let api = Server::start(command, ours, &Target::get(ours, "/v2/health/ready"))?;
    let mut command = Command::new(python.with_file_name("mlserver"));
    command.arg("start").arg(folder.path());
    let ready = Target::get(theirs, format!("/v2/models/{MODEL}/ready"));
    let mlserver = Server::start(command, theirs, &ready)?;

    let rows = rows(options.rows);
    let sides = [
        ("API, V2 binary", &api, binary(ours, &rows)),
        ("API, V2 JSON", &api, as_json(ours, &rows, "FP32")),
        ("MLServer, V2 JSON", &mlserver, as_json(theirs, &rows, "FP32")),
    ];
    agree(&sides[1].2, &sides[2].2)?;
    let mut measured = vec![Vec::new(); sides.len()];
    for number in 0..=options.rounds {
        for (place, (name, _, target)) in sides.iter().enumerate() {
            let report = Load::closed(options.connections, Limit::Duration(each))
                .timeout(Duration::from_secs(60))
                .label(None)
                .start(target)?
                .wait();
            ensure!(
                report.failed == 0,
                "{name}: {} of {} requests failed: {:?}",
                report.failed,
                report.sent,
                report.failures
            );
            // The first round warms up.
            if number > 0 {
                measured[place].push(report.ok_per_s * options.rows as f64);
            }
        }
    }

    let title = format!("Requests of {} rows × {FEATURES} features", options.rows);
    let mut report = Report::new(title);
    let ratio = |a: usize, b: usize| {
        let ratios: Vec<f64> = measured[a].iter().zip(&measured[b]).map(|(a, b)| a / b).collect();
        median(&ratios)
    };
    report.judge("API, V2 binary / MLServer", ratio(0, 2), "", Bar::AtLeast(20.0));
    report.measure("API, V2 JSON / MLServer", ratio(1, 2), "");
    for ((name, server, _), rows_per_s) in sides.iter().zip(&measured) {
        report.measure((*name).to_owned(), median(rows_per_s), "rows/s");
        if *name != "API, V2 JSON" {
            report.measure(format!("{name}: resident memory"), server.resident_mib()?, "MiB");
            report.measure(
                format!("{name}: ready after the process was started"),
                server.ready_after.as_secs_f64() * 1e3,
                "ms",
            );
        }
    }
    report.note(format!(
        "{} connections, {} rounds of {:.1} s on each side in turn after one to warm up; medians. A scikit-learn forest of 100 \
         full-depth trees, three classes, exported with skl2onnx. MLServer answers labels, the API labels and probabilities; \
         MLServer computes in its own process (parallel_workers 0) and its memory is of that process.",
        options.connections,
        options.rounds,
        each.as_secs_f64(),
    ));
    Ok(report)
}

fn prepare(python: &Path, folder: &Path, theirs: SocketAddr) -> Result<()> {
    // Ports that MLServer would otherwise take from others.
    let (grpc, metrics) = (free_address()?, free_address()?);
    let status = Command::new(python)
        .args(["-c", PREPARE])
        .arg(folder)
        .args([theirs, grpc, metrics].map(|address| address.port().to_string()))
        .stdout(std::process::Stdio::null())
        .status()
        .context("start the Python environment of MLServer")?;
    ensure!(
        status.success(),
        "the forest was not trained and exported: {status}"
    );
    Ok(())
}

/// Values between -3 and 3 that repeat after a long while.
fn rows(count: usize) -> Vec<f32> {
    (0..count * FEATURES)
        .map(|i| ((i * 7919 + i / 13) % 6007) as f32 / 1000.0 - 3.0)
        .collect()
}

fn as_json(address: SocketAddr, rows: &[f32], datatype: &str) -> Target {
    let data: Vec<f64> = rows.iter().map(|value| f64::from(*value)).collect();
    let body = json!({"inputs": [{
        "name": "features", "shape": [rows.len() / FEATURES, FEATURES], "datatype": datatype, "data": data,
    }]});
    Target::post(address, PATH, body.to_string())
}

fn binary(address: SocketAddr, rows: &[f32]) -> Target {
    let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    let head = json!({
        "inputs": [{
            "name": "features", "shape": [rows.len() / FEATURES, FEATURES], "datatype": "FP32",
            "parameters": {"binary_data_size": bytes.len()},
        }],
        "parameters": {"binary_data_output": true},
    })
    .to_string();
    let mut target = Target::post(address, PATH, head.as_str())
        .header("content-type", "application/octet-stream")
        .header("inference-header-content-length", head.len().to_string());
    target.bodies[0].extend_from_slice(&bytes);
    target
}

/// Both must serve the same forest: as good as all labels are equal (the API's inputs are float32).
fn agree(ours: &Target, theirs: &Target) -> Result<()> {
    let labels = |target: &Target, output: usize| -> Result<Vec<i64>> {
        let mut connection = Connection::open(target.address, Duration::from_secs(60))?;
        let answer = connection.send(&target.requests()[0])?;
        let text = String::from_utf8_lossy(answer.body).into_owned();
        ensure!(answer.status == 200, "{}: {text}", answer.status);
        let answer: Value = serde_json::from_str(&text)?;
        let data = answer["outputs"][output]["data"].as_array();
        let data = data.with_context(|| format!("no output in {text:.200}"))?;
        Ok(data.iter().filter_map(Value::as_i64).collect())
    };
    let (ours, theirs) = (labels(ours, 0)?, labels(theirs, 0)?);
    ensure!(
        ours.len() == theirs.len() && !ours.is_empty(),
        "{} and {} labels",
        ours.len(),
        theirs.len()
    );
    let other = ours.iter().zip(&theirs).filter(|(a, b)| a != b).count();
    ensure!(
        other * 1000 <= ours.len(),
        "{other} of {} labels differ: not the same forest",
        ours.len()
    );
    Ok(())
}

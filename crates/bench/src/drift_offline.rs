//! `bench drift offline`: `trainer drift` beside Evidently, the same two tables.

use crate::paths;
use crate::report::{Bar, Report, median};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

const EVIDENTLY: &str = include_str!("drift_offline.py");
/// Columns of numbers and of categories.
const COLUMNS: [usize; 2] = [14, 6];
/// Of either kind so many moved, far enough for both sides to say so.
const MOVED: usize = 2;

#[derive(clap::Args)]
pub struct Options {
    /// Rounds: each measures both sides once
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Rows of the reference
    #[arg(long, default_value_t = 100_000)]
    reference: usize,
    /// Rows of the table that is compared with it
    #[arg(long, default_value_t = 10_000)]
    current: usize,
}

/// SplitMix64: the same tables everywhere.
struct Unit(u64);

impl Unit {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// Normal numbers with six decimals, and words of 5 to 10 kinds.
fn table(seed: u64, rows: usize, moved: bool) -> String {
    let mut unit = Unit(seed);
    let names: Vec<String> = (0..COLUMNS[0])
        .map(|column| format!("number{column}"))
        .chain((0..COLUMNS[1]).map(|column| format!("word{column}")))
        .collect();
    let mut text = names.join(",") + "\n";
    for _ in 0..rows {
        for column in 0..COLUMNS[0] {
            let shift = if moved && column < MOVED { 0.5 } else { 0.0 };
            write!(text, "{:.6},", unit.normal() + shift).expect("a String");
        }
        for column in 0..COLUMNS[1] {
            let power = if moved && column < MOVED { 2 } else { 1 };
            let kind = (unit.next().powi(power) * (5 + column) as f64) as usize;
            let end = if column + 1 == COLUMNS[1] { '\n' } else { ',' };
            write!(text, "kind {kind}{end}").expect("a String");
        }
    }
    text
}

/// Evidently in a process of its own, tables loaded; ends with its input.
struct Evidently {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Evidently {
    fn start(folder: &Path) -> Result<Self> {
        let mut child = Command::new(paths::evidently_python()?)
            .args(["-c", EVIDENTLY])
            .arg(folder)
            // It would tell its makers that it was used.
            .env("DO_NOT_TRACK", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the Python environment of Evidently")?;
        let input = child.stdin.take().context("its input")?;
        let output = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Self { child, input, output })
    }

    fn ask(&mut self, word: &str) -> Result<Value> {
        writeln!(self.input, "{word}").context("ask Evidently")?;
        let mut line = String::new();
        self.output.read_line(&mut line).context("Evidently's answer")?;
        serde_json::from_str(&line).context("Evidently ended early, see above")
    }
}

impl Drop for Evidently {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn seconds(answer: &Value, key: &str) -> Result<f64> {
    answer[key]
        .as_f64()
        .with_context(|| format!("no {key} in {answer}"))
}

/// The whole process, from its start to the report being written.
fn ours(trainer: &Path, folder: &Path, kind: &str, format: &str) -> Result<f64> {
    let start = Instant::now();
    let status = Command::new(trainer)
        .current_dir(folder)
        .arg("drift")
        .args([
            "--reference",
            &format!("reference.{kind}"),
            "--current",
            &format!("current.{kind}"),
        ])
        .args(["--format", format, "--out", &format!("ours.{format}")])
        .stderr(Stdio::null())
        .status()
        .context("start the trainer")?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(status.success(), "trainer drift ended with {status}");
    Ok(seconds)
}

pub fn run(options: &Options, quick: bool) -> Result<Report> {
    ensure!(
        options.rounds > 0 && options.reference > 0 && options.current > 0,
        "--rounds, --reference and --current must be above 0"
    );
    let rounds = if quick { 2 } else { options.rounds };
    let trainer = paths::sibling("trainer", "BENCH_TRAINER")?;
    let folder = tempfile::tempdir().context("make a folder for the tables")?;
    let folder = folder.path();
    std::fs::write(folder.join("reference.csv"), table(1, options.reference, false))?;
    std::fs::write(folder.join("current.csv"), table(2, options.current, true))?;
    let mut evidently = Evidently::start(folder)?;
    // The first run of either side warms up, and both must have found the same.
    let drifted = evidently.ask("run")?["drifted"].clone();
    ours(&trainer, folder, "csv", "json")?;
    let report: Value = serde_json::from_slice(&std::fs::read(folder.join("ours.json"))?)?;
    let features = report["features"].as_array().context("no features")?;
    let found = features.iter().filter(|feature| feature["drift"] == true).count();
    ensure!(
        drifted == found && found == 2 * MOVED,
        "Evidently finds drift in {drifted} columns, ours in {found}"
    );

    let [mut run, mut html, mut read, mut whole] = [const { Vec::new() }; 4];
    let [mut csv, mut parquet, mut page] = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let answer = evidently.ask("run")?;
        run.push(seconds(&answer, "seconds")?);
        html.push(seconds(&answer, "html")?);
        read.push(seconds(&evidently.ask("read")?, "seconds")?);
        csv.push(ours(&trainer, folder, "csv", "json")?);
        page.push(ours(&trainer, folder, "csv", "html")?);
        parquet.push(ours(&trainer, folder, "parquet", "json")?);
    }
    // From nothing to a page, as a step of CI would run it: fewer times, it takes long.
    for _ in 0..rounds.min(3) {
        let start = Instant::now();
        Evidently::start(folder)?.ask("run")?;
        whole.push(start.elapsed().as_secs_f64());
    }
    let ratio = |ours: &[f64]| {
        median(
            &ours
                .iter()
                .zip(&run)
                .map(|(us, them)| us / them)
                .collect::<Vec<_>>(),
        )
    };
    let mut report = Report::new(format!(
        "Two tables, {} and {} rows of {} columns",
        options.reference,
        options.current,
        COLUMNS[0] + COLUMNS[1]
    ));
    let name = "ours, whole process from CSV to a page / Evidently's run() on loaded frames";
    report.judge(name, ratio(&page), "", Bar::AtMost(0.2));
    let whole_ratio = median(&page) / median(&whole);
    report.measure("ours, the same / Evidently's whole process", whole_ratio, "");
    for (name, times) in [
        ("Evidently: run() on loaded frames", &run),
        ("Evidently: page written, after run()", &html),
        ("Evidently: both CSV files read by pandas", &read),
        (
            "Evidently: whole process with imports, from CSV to a page",
            &whole,
        ),
        ("ours: whole process, from CSV to JSON", &csv),
        ("ours: whole process, from CSV to a page", &page),
        ("ours: whole process, from Parquet to JSON", &parquet),
    ] {
        report.measure(name, median(times) * 1e3, "ms");
    }
    report.note(format!(
        "{} columns of numbers, {} of words; medians of {rounds} rounds, both sides in turn after one round to warm up (Evidently's whole \
         process: {} times, with what the benchmark writes as Parquet). Both may use all cores, and both found drift in the \
         {found} columns that moved.",
        COLUMNS[0],
        COLUMNS[1],
        whole.len()
    ));
    Ok(report)
}

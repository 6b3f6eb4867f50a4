//! `bench drift`: the KS test and the window beside SciPy, alternating in one run.

#[path = "drift_calibration.rs"]
mod calibration;
#[path = "drift_monitor.rs"]
mod monitor;
#[path = "drift_offline.rs"]
mod offline;
#[path = "drift_table.rs"]
mod table;
#[path = "drift_worlds.rs"]
mod worlds;

use crate::paths;
use crate::report::{Bar, Report, median};
use anyhow::{Context, Result, ensure};
use drift::{Ecdf, Method, Reference, Window, ks, two_sample};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Options {
    /// Rounds: each measures both sides once
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(clap::Subcommand)]
enum What {
    /// False alarms and power of the calibrated rule beside the compat rule's, by simulation
    Calibration(calibration::Options),
    /// `trainer drift` beside Evidently
    Offline(offline::Options),
}

/// Reads tables, then for each line `name repeats` answers seconds a sweep and its first p-value.
const SCIPY: &str = r#"
import sys, time
import numpy as np
from scipy.stats import ks_2samp

data = sys.stdin.buffer
word = lambda: int.from_bytes(data.read(8), "little")
tables = {}
for _ in range(word()):
    name = data.read(word()).decode()
    columns = word()
    sides = []
    for _ in range(2):
        rows = word()
        sides.append(np.frombuffer(data.read(8 * rows * columns), "<f8").reshape(columns, rows))
    tables[name] = sides
for line in data:
    name, repeats = line.decode().split()
    a, b = tables[name]
    start = time.perf_counter()
    for _ in range(int(repeats)):
        p = [ks_2samp(x, y).pvalue for x, y in zip(a, b)]
    print((time.perf_counter() - start) / int(repeats), repr(float(p[0])), flush=True)
"#;

/// Columns of a reference and of a window.
struct Table {
    name: &'static str,
    title: &'static str,
    a: Vec<Vec<f64>>,
    b: Vec<Vec<f64>>,
    /// So many sweeps make one measurement.
    scipy_repeats: usize,
    our_repeats: usize,
    /// Our time with the reference sorted beforehand, as a share of SciPy's.
    bar: Option<f64>,
}

/// Tenths, as instruments give them: plenty of ties. SplitMix64 and a sum of uniform numbers, so
/// that every run on every machine compares the same tables.
fn columns(seed: u64, count: usize, rows: usize, shift: f64, decimals: f64) -> Vec<Vec<f64>> {
    let mut state = seed;
    let mut unit = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut value = || ((0..12).map(|_| unit()).sum::<f64>() - 6.0 + shift + 5.0) * decimals;
    (0..count)
        .map(|_| (0..rows).map(|_| value().round() / decimals).collect())
        .collect()
}

fn tables() -> Vec<Table> {
    let table = |name, title, size: [usize; 3], shift, decimals, repeats: [usize; 2], bar| Table {
        name,
        title,
        a: columns(1, size[2], size[0], 0.0, decimals),
        b: columns(2, size[2], size[1], shift, decimals),
        scipy_repeats: repeats[0],
        our_repeats: repeats[1],
        bar,
    };
    vec![
        table(
            "small",
            "120 × 100 × 4 with ties",
            [120, 100, 4],
            0.1,
            10.0,
            [100, 2_000],
            Some(1.0 / 25.0),
        ),
        table(
            "exact",
            "10,000 × 9,999, exact",
            [10_000, 9_999, 1],
            0.02,
            1e6,
            [1, 5],
            None,
        ),
        table(
            "large",
            "100,000 × 10,000 × 20",
            [100_000, 10_000, 20],
            0.01,
            1e6,
            [1, 2],
            Some(1.0 / 20.0),
        ),
    ]
}

struct Scipy {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Scipy {
    fn start(tables: &[Table]) -> Result<Self> {
        let mut child = Command::new(paths::oracle_python()?)
            .args(["-c", SCIPY])
            // One thread, as ours is one thread.
            .env("OMP_NUM_THREADS", "1")
            .env("OPENBLAS_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the oracle's Python")?;
        let input = child.stdin.take().context("its input")?;
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let mut scipy = Self { child, input, output };
        scipy.send(tables).context("send SciPy the tables")?;
        Ok(scipy)
    }

    fn send(&mut self, tables: &[Table]) -> std::io::Result<()> {
        let mut bytes = (tables.len() as u64).to_le_bytes().to_vec();
        for table in tables {
            bytes.extend((table.name.len() as u64).to_le_bytes());
            bytes.extend(table.name.as_bytes());
            bytes.extend((table.a.len() as u64).to_le_bytes());
            for side in [&table.a, &table.b] {
                bytes.extend((side[0].len() as u64).to_le_bytes());
                side.iter().flatten().for_each(|x| bytes.extend(x.to_le_bytes()));
            }
        }
        self.input.write_all(&bytes)?;
        self.input.flush()
    }

    /// Seconds for one sweep, and the first column's p-value.
    fn sweep(&mut self, table: &Table) -> Result<(f64, f64)> {
        writeln!(self.input, "{} {}", table.name, table.scipy_repeats).context("ask SciPy")?;
        let mut line = String::new();
        self.output.read_line(&mut line).context("SciPy's answer")?;
        let (seconds, p) = line
            .trim()
            .split_once(' ')
            .context("SciPy ended early, see above")?;
        Ok((seconds.parse().context("seconds")?, p.parse().context("p-value")?))
    }
}

impl Drop for Scipy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds for one of `repeats` calls.
fn time(repeats: usize, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..repeats).for_each(|_| work());
    start.elapsed().as_secs_f64() / repeats as f64
}

/// Seconds for a row to be recorded and the flag to be asked, as a request does it.
fn record_a_row(table: &Table, rows: usize) -> Result<f64> {
    let reference = Arc::new(Reference::new(table.a.clone())?);
    let mut window = Window::new(reference, table.b[0].len(), 0.05)?;
    // More rows than the window holds, and not a multiple: each row that comes in differs from the
    // one that falls out.
    let traffic = columns(3, table.a.len(), 1_009, 0.1, 10.0);
    let traffic: Vec<Vec<f64>> = (0..traffic[0].len())
        .map(|row| traffic.iter().map(|column| column[row]).collect())
        .collect();
    let mut drifting = 0_usize;
    let seconds = time(rows.div_ceil(traffic.len()), || {
        for row in &traffic {
            // The rows are finite and of the right length.
            let _ = window.push(black_box(row));
            drifting += usize::from(window.flag());
        }
    });
    black_box(drifting);
    Ok(seconds / traffic.len() as f64)
}

pub fn run(options: &Options, quick: bool) -> Result<Report> {
    match &options.what {
        Some(What::Calibration(options)) => return calibration::run(options, quick),
        Some(What::Offline(options)) => return offline::run(options, quick),
        None => {}
    }
    let rounds = if quick { 3 } else { options.rounds.max(1) };
    let tables = tables();
    let mut scipy = Scipy::start(&tables)?;
    let mut report = Report::new("Drift statistics");
    for table in &tables {
        let sorted: Vec<Ecdf> = table
            .a
            .iter()
            .map(|column| Ecdf::new(column))
            .collect::<Result<_, _>>()?;
        let (mut theirs, mut ours, mut beforehand) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (seconds, expected) = scipy.sweep(table)?;
            theirs.push(seconds);
            let p = two_sample(&table.a[0], &table.b[0], Method::Auto)?.p_value;
            ensure!(
                (p / expected - 1.0).abs() <= 1e-9,
                "{}: p-value {p}, SciPy {expected}",
                table.title
            );
            ours.push(time(table.our_repeats, || {
                for (a, b) in table.a.iter().zip(&table.b) {
                    let _ = black_box(two_sample(black_box(a), black_box(b), Method::Auto));
                }
            }));
            beforehand.push(time(table.our_repeats, || {
                for (a, b) in sorted.iter().zip(&table.b) {
                    let current = Ecdf::new(black_box(b)).expect("generated values are finite");
                    black_box(ks::compare_sorted(a, &current, Method::Auto));
                }
            }));
        }
        // Each round's own ratio: both sides of it met the same machine.
        let ratios: Vec<f64> = theirs
            .iter()
            .zip(&beforehand)
            .map(|(them, us)| us / them)
            .collect();
        let title = table.title;
        report.measure(format!("{title}: SciPy"), median(&theirs) * 1e6, "µs");
        report.measure(format!("{title}: ours"), median(&ours) * 1e6, "µs");
        report.measure(
            format!("{title}: ours, reference sorted beforehand"),
            median(&beforehand) * 1e6,
            "µs",
        );
        let name = format!("{title}: ours, sorted beforehand / SciPy");
        match table.bar {
            Some(most) => report.judge(name, median(&ratios), "", Bar::AtMost(most)),
            None => report.measure(name, median(&ratios), ""),
        }
    }
    let rows = if quick { 20_000 } else { 200_000 };
    let times: Vec<f64> = (0..rounds)
        .map(|_| record_a_row(&tables[0], rows))
        .collect::<Result<_>>()?;
    report.judge(
        "row recorded and flag asked, 120 × 100 × 4",
        median(&times) * 1e9,
        "ns",
        Bar::AtMost(1_000.0),
    );
    monitor::measure(&mut report, rounds, quick)?;
    report.note(format!(
        "Medians of {rounds} rounds, both sides in turn, one thread each; the p-value of each table's first column equals SciPy's to 1e-9."
    ));
    Ok(report)
}

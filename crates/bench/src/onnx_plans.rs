//! `bench onnx`: plans of exported models beside onnxruntime, one thread each, in turn.

use crate::oracle::Python;
use crate::report::{Bar, Report, median};
use anyhow::{Context, Result, ensure};
use linfa::{Dataset, traits::Fit};
use ndarray::{Array1, Array2};
use onnx::plan::{Limits, Values, View};
use onnx::{Plan, Scratch};
use serde_json::json;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Options {
    /// Rows that the deep forest learns from
    #[arg(long, default_value_t = 20_000)]
    train: usize,
}

/// Rows of a batch.
const ROWS: usize = 1_000;

impl Python {
    /// Microseconds of one run over so many rows.
    fn micros(&mut self, rows: usize, runs: usize) -> Result<f64> {
        let answer = self.ask(json!({"do": "ask", "rows": rows, "runs": runs}))?;
        Ok(answer["seconds"].as_f64().context("seconds")? * 1e6)
    }
}

fn numbers<const N: usize, T>(path: &Path, read: fn([u8; N]) -> T) -> Result<Vec<T>> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let (numbers, rest) = bytes.as_chunks::<N>();
    ensure!(rest.is_empty(), "{} ends inside a number", path.display());
    Ok(numbers.iter().map(|bytes| read(*bytes)).collect())
}

/// A model of theirs, compiled by us.
struct Subject {
    plan: Plan,
    rows: Vec<f32>,
    columns: usize,
    load_ms: [f64; 2],
    bytes: usize,
}

impl Subject {
    fn new(python: &mut Python, folder: &Path, name: &str, train: usize) -> Result<Self> {
        let made = python.ask(json!({"do": "make", "name": name, "folder": folder, "train": train}))?;
        let bytes = std::fs::read(folder.join("model.onnx")).context("read the model")?;
        let start = Instant::now();
        let plan = Plan::read(&bytes, &Limits::default())?;
        let ours = start.elapsed().as_secs_f64() * 1e3;
        let theirs = made["load"].as_f64().context("load")? * 1e3;
        let subject = Self {
            plan,
            rows: numbers(&folder.join("rows.f32"), f32::from_le_bytes)?,
            columns: made["columns"].as_u64().context("columns")? as usize,
            load_ms: [ours, theirs],
            bytes: bytes.len(),
        };
        subject.same(folder)?;
        Ok(subject)
    }

    /// A benchmark of wrong answers would be worth nothing.
    fn same(&self, folder: &Path) -> Result<()> {
        let labels = numbers(&folder.join("labels.i64"), i64::from_le_bytes)?;
        let scores = numbers(&folder.join("scores.f32"), f32::from_le_bytes)?;
        let mut scratch = Scratch::new();
        let shape = [ROWS, self.columns];
        let input = [self.view(&self.rows, &shape)];
        let outputs = self.plan.run(&input, &mut scratch)?;
        ensure!(
            outputs.get(0).values == Values::I64(&labels),
            "labels differ from onnxruntime's"
        );
        let Values::F32(found) = outputs.get(1).values else {
            anyhow::bail!("scores are no floats");
        };
        let close = found
            .iter()
            .zip(&scores)
            .all(|(ours, theirs)| (ours - theirs).abs() <= 1e-5);
        ensure!(
            close && found.len() == scores.len(),
            "scores differ from onnxruntime's"
        );
        Ok(())
    }

    fn view<'a>(&self, rows: &'a [f32], shape: &'a [usize]) -> View<'a> {
        View {
            shape,
            values: Values::F32(rows),
        }
    }

    /// Microseconds of one run over one row, distinct rows in turn.
    fn one(&self, scratch: &mut Scratch, rounds: usize) -> Result<f64> {
        let shape = [1, self.columns];
        let start = Instant::now();
        for _ in 0..rounds {
            for row in self.rows.chunks(self.columns) {
                let input = [self.view(black_box(row), &shape)];
                black_box(self.plan.run(&input, scratch)?.get(0).values.len());
            }
        }
        Ok(start.elapsed().as_secs_f64() * 1e6 / (rounds * ROWS) as f64)
    }

    fn batch(&self, scratch: &mut Scratch, rounds: usize) -> Result<f64> {
        let shape = [ROWS, self.columns];
        let start = Instant::now();
        for _ in 0..rounds {
            let input = [self.view(black_box(&self.rows), &shape)];
            black_box(self.plan.run(&input, scratch)?.get(0).values.len());
        }
        Ok(start.elapsed().as_secs_f64() * 1e6 / rounds as f64)
    }
}

/// Medians over both sides in turn.
struct Times {
    one: [f64; 2],
    batch: [f64; 2],
    /// Of each turn's own pair: both met the same machine.
    ratio: f64,
}

fn times(python: &mut Python, subject: &Subject, turns: usize, [ones, batches]: [usize; 2]) -> Result<Times> {
    let mut scratch = Scratch::new();
    let mut lists: [Vec<f64>; 4] = Default::default();
    subject.one(&mut scratch, 1)?;
    subject.batch(&mut scratch, 1)?;
    for _ in 0..turns {
        lists[0].push(subject.one(&mut scratch, ones)?);
        lists[1].push(python.micros(1, ones.min(2) * ROWS)?);
        lists[2].push(subject.batch(&mut scratch, batches)?);
        lists[3].push(python.micros(ROWS, batches)?);
    }
    let pairs = lists[2].iter().zip(&lists[3]).map(|(ours, theirs)| ours / theirs);
    let ratio = median(&pairs.collect::<Vec<_>>());
    let [a, b, c, d] = lists.map(|list| median(&list));
    Ok(Times {
        one: [a, b],
        batch: [c, d],
        ratio,
    })
}

/// Our own forest of as many trees, as the API serves it.
fn own_forest(report: &mut Report, subject: &Subject, folder: &Path, turns: usize) -> Result<()> {
    let labels = numbers(&folder.join("labels.i64"), i64::from_le_bytes)?;
    let rows = subject.rows.iter().map(|value| f64::from(*value)).collect();
    let rows = Array2::from_shape_vec((ROWS, subject.columns), rows).context("shape of the rows")?;
    let classes: Array1<usize> = labels.into_iter().map(|label| label as usize).collect();
    let forest = model::Forest::params()
        .trees(100)
        .fit(&Dataset::new(rows, classes))?;
    let model = onnx::Model::read(&forest.to_onnx())?;
    let (mut scores, mut labels) = (vec![0.0; ROWS * model.outputs()], vec![0; ROWS]);
    let (mut one, mut batch) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        let start = Instant::now();
        for row in subject.rows.chunks(subject.columns) {
            black_box(model.predict_row(black_box(row), &mut scores[..model.outputs()]));
        }
        one.push(start.elapsed().as_secs_f64() * 1e6 / ROWS as f64);
        let start = Instant::now();
        model.predict_batch(black_box(&subject.rows), &mut scores, &mut labels);
        batch.push(start.elapsed().as_secs_f64() * 1e3);
    }
    report.judge(
        "iris, one row: our own forest",
        median(&one),
        "µs",
        Bar::AtMost(0.6),
    );
    report.judge(
        "iris, 1,000 rows: our own forest",
        median(&batch),
        "ms",
        Bar::AtMost(0.45),
    );
    Ok(())
}

pub fn run(options: &Options, quick: bool) -> Result<Report> {
    let turns = if quick { 5 } else { 25 };
    let train = if quick { options.train / 4 } else { options.train };
    let folder = tempfile::tempdir().context("make a folder for the models")?;
    let folder = folder.path();
    let mut python = Python::start(include_str!("../python/onnx.py"))?;
    let mut report = Report::new("Exported models");

    let iris = Subject::new(&mut python, folder, "iris", 0)?;
    let measured = times(&mut python, &iris, turns, [5, 5])?;
    report.measure("iris, one row: onnxruntime from Python", measured.one[1], "µs");
    report.judge("iris, one row: plan", measured.one[0], "µs", Bar::AtMost(0.6));
    report.measure("iris, 1,000 rows: onnxruntime", measured.batch[1] / 1e3, "ms");
    report.judge(
        "iris, 1,000 rows: plan",
        measured.batch[0] / 1e3,
        "ms",
        Bar::AtMost(0.45),
    );
    own_forest(&mut report, &iris, folder, turns * 4)?;

    let linear = Subject::new(&mut python, folder, "linear", 0)?;
    let measured = times(&mut python, &linear, turns, [5, 20])?;
    report.measure(
        "scaler and logistic, one row: onnxruntime from Python",
        measured.one[1],
        "µs",
    );
    report.measure("scaler and logistic, one row: plan", measured.one[0], "µs");
    report.measure(
        "scaler and logistic, 1,000 rows: ours / onnxruntime",
        measured.ratio,
        "",
    );

    eprintln!("bench onnx: a deep forest from {train} rows");
    let deep = Subject::new(&mut python, folder, "deep", train)?;
    let measured = times(&mut python, &deep, turns, [1, 2])?;
    let megabytes = deep.bytes as f64 / 1e6;
    report.measure(
        format!("deep ({megabytes:.1} MB), read: onnxruntime"),
        deep.load_ms[1],
        "ms",
    );
    report.measure(
        format!("deep ({megabytes:.1} MB), read: plan"),
        deep.load_ms[0],
        "ms",
    );
    report.measure("deep, one row: onnxruntime from Python", measured.one[1], "µs");
    report.measure("deep, one row: plan", measured.one[0], "µs");
    report.measure("deep, 1,000 rows: onnxruntime", measured.batch[1] / 1e3, "ms");
    report.measure("deep, 1,000 rows: plan", measured.batch[0] / 1e3, "ms");
    report.judge(
        "deep, 1,000 rows: ours / onnxruntime",
        measured.ratio,
        "",
        Bar::AtMost(0.6),
    );
    report.note(format!(
        "100 trees each, of full depth. Iris: exported by skl2onnx from scikit-learn; deep: make_classification, 20 \
         features, {train} training rows. One thread on both sides, in turn, {turns} turns; medians. Answers were \
         compared first."
    ));
    Ok(report)
}

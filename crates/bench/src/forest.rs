//! `bench forest`: training beside scikit-learn, predictions beside onnxruntime, alternating in one run.

use crate::oracle::Python;
use crate::report::{Bar, Report, median};
use anyhow::{Context, Result, ensure};
use linfa::Dataset;
use linfa::traits::Fit;
use model::Forest;
use ndarray::{Array1, Array2, Axis, Slice};
use serde_json::json;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Options {
    /// Threads on both sides [default: as many as the machine has cores]
    #[arg(long)]
    jobs: Option<usize>,
    /// Tables, each from another seed
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Trees of each forest
    #[arg(long, default_value_t = 100)]
    trees: usize,
}

/// The bars speak of 100,000 rows; the held-out rows come on top.
const FULL: [usize; 2] = [100_000, 25_000];
/// Too few for the accuracies of two seeds to be compared closely.
const QUICK: [usize; 2] = [10_000, 5_000];

impl Python {
    /// Generates a table (the first `sizes[0]` rows to train on) and reads it back.
    fn table(&mut self, name: &str, folder: &Path, seed: u64, sizes: [usize; 2]) -> Result<Table> {
        let answer = self.ask(json!({
            "do": "generate", "name": name, "folder": folder, "seed": seed,
            "train": sizes[0], "test": sizes[1],
        }))?;
        let columns = answer["columns"].as_u64().context("columns")? as usize;
        let rows = numbers(&folder.join("rows.f64"), f64::from_le_bytes)?;
        let classes = numbers(&folder.join("classes.i64"), i64::from_le_bytes)?;
        let rows = Array2::from_shape_vec((classes.len(), columns), rows).context("shape of the rows")?;
        let classes: Array1<usize> = classes.into_iter().map(|class| class as usize).collect();
        let part = |range: Slice| {
            let rows = rows.slice_axis(Axis(0), range).to_owned();
            Dataset::new(rows, classes.slice_axis(Axis(0), range).to_owned())
        };
        Ok(Table {
            train: part(Slice::from(..sizes[0])),
            test: part(Slice::from(sizes[0]..)),
            rows,
        })
    }
}

struct Table {
    train: Dataset<f64, usize, ndarray::Ix1>,
    test: Dataset<f64, usize, ndarray::Ix1>,
    rows: Array2<f64>,
}

/// A file of plain numbers of `N` bytes.
fn numbers<const N: usize, T>(path: &Path, read: fn([u8; N]) -> T) -> Result<Vec<T>> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let (numbers, rest) = bytes.as_chunks::<N>();
    ensure!(rest.is_empty(), "{} ends inside a number", path.display());
    Ok(numbers.iter().map(|bytes| read(*bytes)).collect())
}

/// Processor seconds of all threads of this process so far; `None` where the kernel does not say.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in parentheses, may hold blanks. utime and stime are fields 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    // USER_HZ is 100 on every Linux that Rust's std runs on here.
    Some((ticks()? + ticks()?) / 100.0)
}

#[derive(Default)]
struct Side {
    seconds: Vec<f64>,
    cpu_seconds: Vec<f64>,
    accuracy: Vec<f64>,
}

/// What both sides did, seed by seed.
#[derive(Default)]
struct Training {
    ours: Side,
    theirs: Side,
}

impl Side {
    fn mean_accuracy(&self) -> f64 {
        100.0 * self.accuracy.iter().sum::<f64>() / self.accuracy.len() as f64
    }
}

impl Training {
    fn ours(&mut self, table: &Table, pool: &rayon::ThreadPool, trees: usize, seed: u64) -> Result<Forest> {
        let (cpu, start) = (cpu_seconds(), Instant::now());
        let forest = pool.install(|| Forest::params().trees(trees).seed(seed).fit(&table.train))?;
        self.ours.seconds.push(start.elapsed().as_secs_f64());
        self.ours.cpu_seconds.push(match (cpu, cpu_seconds()) {
            (Some(before), Some(after)) => after - before,
            _ => f64::NAN,
        });
        let predicted = linfa::traits::Predict::predict(&forest, &table.test);
        let accuracy = model::metrics::accuracy(&predicted, table.test.targets())?;
        self.ours.accuracy.push(accuracy);
        Ok(forest)
    }

    fn theirs(&mut self, python: &mut Python, jobs: usize, trees: usize, seed: u64) -> Result<()> {
        let answer = python.ask(json!({"do": "fit", "trees": trees, "jobs": jobs, "seed": seed}))?;
        let number = |name: &str| answer[name].as_f64().with_context(|| name.to_owned());
        self.theirs.seconds.push(number("seconds")?);
        self.theirs.cpu_seconds.push(number("cpu_seconds")?);
        self.theirs.accuracy.push(number("accuracy")?);
        Ok(())
    }
}

/// Largest difference of a probability and number of different labels, ours against onnxruntime's.
fn compare(python: &mut Python, folder: &Path, model: &onnx::Model, rows: &Array2<f64>) -> Result<[f64; 2]> {
    python.ask(json!({"do": "predict", "folder": folder, "columns": rows.ncols()}))?;
    let their_labels = numbers(&folder.join("labels.i64"), i64::from_le_bytes)?;
    let their_scores = numbers(&folder.join("scores.f32"), f32::from_le_bytes)?;
    let narrow: Vec<f32> = rows.iter().map(|value| *value as f32).collect();
    let mut scores = vec![0.0; rows.nrows() * model.outputs()];
    let mut labels = vec![0; rows.nrows()];
    model.predict_batch(&narrow, &mut scores, &mut labels);
    ensure!(
        scores.len() == their_scores.len(),
        "onnxruntime gave another number of probabilities"
    );
    ensure!(
        labels.len() == their_labels.len(),
        "onnxruntime gave another number of labels"
    );
    let difference = scores
        .iter()
        .zip(&their_scores)
        .map(|(us, them)| f64::from((us - them).abs()));
    let labels = labels.iter().zip(&their_labels).filter(|(us, them)| us != them);
    Ok([difference.fold(0.0, f64::max), labels.count() as f64])
}

/// Median seconds of one `predict_row`, distinct rows in turn.
fn row_seconds(model: &onnx::Model, rows: &Array2<f64>, rounds: usize) -> f64 {
    let narrow: Vec<f32> = rows.iter().map(|value| *value as f32).collect();
    let mut scores = vec![0.0; model.outputs()];
    let mut round = || {
        let start = Instant::now();
        for row in narrow.chunks(model.features()) {
            black_box(model.predict_row(black_box(row), &mut scores));
        }
        start.elapsed().as_secs_f64() / rows.nrows() as f64
    };
    round();
    median(&(0..rounds).map(|_| round()).collect::<Vec<_>>())
}

pub fn run(options: &Options, quick: bool) -> Result<Report> {
    let (sizes, seeds) = if quick {
        (QUICK, 2)
    } else {
        (FULL, options.seeds.max(1))
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let (jobs, trees) = (options.jobs.unwrap_or_else(cores).max(1), options.trees);
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let (many, one) = (pool(jobs)?, pool(1)?);
    let folder = tempfile::tempdir().context("make a folder for the tables")?;
    let folder = folder.path();
    let mut python = Python::start(include_str!("../python/forest.py"))?;
    let mut report = Report::new("Random forest");

    let mut training = Training::default();
    let mut forest = None;
    for seed in 0..seeds {
        eprintln!("bench forest: table {} of {seeds}, {} rows", seed + 1, sizes[0]);
        let table = python.table("synthetic", folder, seed, sizes)?;
        // Each side goes first every other time.
        if seed % 2 == 1 {
            training.theirs(&mut python, jobs, trees, seed)?;
        }
        let ours = training.ours(&table, &many, trees, seed)?;
        if seed % 2 == 0 {
            training.theirs(&mut python, jobs, trees, seed)?;
        }
        forest = Some((ours, table, seed));
    }
    judge_training(&mut report, &training, quick);

    let (forest, table, seed) = forest.context("no seed")?;
    let bytes = forest.to_onnx();
    let again = one
        .install(|| Forest::params().trees(trees).seed(seed).fit(&table.train))?
        .to_onnx();
    report.judge(
        format!("same ONNX bytes on 1 and {jobs} threads ({} bytes)", bytes.len()),
        f64::from(u8::from(bytes == again)),
        "",
        Bar::AtLeast(1.0),
    );
    std::fs::write(folder.join("model.onnx"), &bytes).context("write the model")?;
    let start = Instant::now();
    let model = onnx::Model::read(&bytes)?;
    report.measure(
        "that file read and compiled",
        start.elapsed().as_secs_f64() * 1e3,
        "ms",
    );
    let differences = compare(&mut python, folder, &model, &table.rows)?;
    judge_predictions(&mut report, "synthetic", table.rows.nrows(), differences);

    let iris = python.table("iris", folder, 0, [150, 0])?;
    let bytes = Forest::params().trees(trees).fit(&iris.train)?.to_onnx();
    std::fs::write(folder.join("model.onnx"), &bytes).context("write the model")?;
    let model = onnx::Model::read(&bytes)?;
    let differences = compare(&mut python, folder, &model, &iris.rows)?;
    judge_predictions(&mut report, "iris", iris.rows.nrows(), differences);
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..if quick { 5 } else { 25 } {
        let answer = python.ask(json!({"do": "row", "folder": folder, "columns": 4}))?;
        theirs.push(answer["seconds"].as_f64().context("seconds")? * 1e6);
        ours.push(row_seconds(&model, &iris.rows, 40) * 1e6);
    }
    report.measure("iris, one row: onnxruntime from Python", median(&theirs), "µs");
    report.judge("iris, one row: ours", median(&ours), "µs", Bar::AtMost(1.5));
    report.note(format!(
        "{trees} trees of full depth, √p features a split, {jobs} threads on both sides. make_classification with \
         {} training rows, {} held out, 20 features (10 informative), 3 classes; {seeds} seeds, both sides in turn; \
         times are medians, accuracies means over the seeds.",
        sizes[0], sizes[1]
    ));
    Ok(report)
}

fn judge_training(report: &mut Report, Training { ours, theirs }: &Training, quick: bool) {
    let ratios =
        |us: &[f64], them: &[f64]| -> Vec<f64> { us.iter().zip(them).map(|(us, them)| us / them).collect() };
    report.measure("training: scikit-learn", median(&theirs.seconds), "s");
    report.measure("training: ours", median(&ours.seconds), "s");
    // Each table's own ratio: both sides of it met the same machine.
    let ratio = median(&ratios(&ours.seconds, &theirs.seconds));
    report.judge("training: ours / scikit-learn", ratio, "", Bar::AtMost(0.40));
    let ratio = median(&ratios(&ours.cpu_seconds, &theirs.cpu_seconds));
    report.measure("training: ours / scikit-learn, processor time", ratio, "");
    report.measure("accuracy: scikit-learn", theirs.mean_accuracy(), "%");
    report.measure("accuracy: ours", ours.mean_accuracy(), "%");
    report.judge(
        "accuracy: scikit-learn - ours",
        theirs.mean_accuracy() - ours.mean_accuracy(),
        "points",
        Bar::AtMost(if quick { 2.0 } else { 0.5 }),
    );
}

fn judge_predictions(report: &mut Report, name: &str, rows: usize, [probability, labels]: [f64; 2]) {
    report.judge(
        format!("{name}: probability, onnxruntime - ours, {rows} rows"),
        probability,
        "",
        Bar::AtMost(1e-6),
    );
    report.judge(
        format!("{name}: labels that differ"),
        labels,
        "",
        Bar::AtMost(0.0),
    );
}

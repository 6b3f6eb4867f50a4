//! `inference-api score`: a file of rows in, a file of predictions out, in bounded memory.
//!
//! One thread reads blocks of rows, as many as the machine has cores ask the model, one writes: the
//! queues between them hold a block for each. What is written gets its name when it is complete.

mod answer;
mod csv_file;
mod error;
mod jsonl_file;
mod parquet_in;
mod parquet_out;
mod pipeline;
mod progress;
mod sink;
mod source;

pub use error::ScoreError;

use crate::{Config, load, served::Served};
use clap::Parser;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

/// What the command is told.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "inference-api score",
    about = "Scores the rows of a file with a model, in bounded memory",
    after_help = "Columns of --data are matched with the model's by name; where none of the names is the model's and \
                  their number is right, by position.\n\
                  Exit codes: 0 done, 2 flags, 3 the model cannot be loaded, 4 the data cannot be read or are not \
                  what the model takes, 5 the answer cannot be written."
)]
pub struct Options {
    /// Model directory (model.onnx, manifest.json) or one ONNX file
    #[arg(long, env = "MODEL_DIR", value_name = "DIR|FILE")]
    pub model: PathBuf,
    /// Rows: a .csv file with a header, or a .parquet file
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Where predictions go: .csv, .parquet or .jsonl
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A column of --data that is copied beside the predictions; may be given several times
    #[arg(long, value_name = "COLUMN")]
    pub keep: Vec<String>,
    /// Threads that ask the model; by default one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// The result as a line of JSON, and nothing on stderr but errors
    #[arg(long)]
    pub json: bool,
}

/// The whole command, `arguments` from its own name on.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = Options::try_parse_from(arguments).unwrap_or_else(|error| error.exit());
    match run(&options) {
        Ok(result) => {
            println!("{}", result.line(&options));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("inference-api: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Scored {
    /// Rows read and answered.
    pub rows: u64,
    /// From the first row to the complete file.
    pub seconds: f64,
    /// Columns of the answer.
    pub columns: Vec<String>,
}

impl Scored {
    /// The line on stdout.
    fn line(&self, options: &Options) -> String {
        let per_second = self.rows as f64 / self.seconds.max(1e-9);
        if options.json {
            let columns = &self.columns;
            return serde_json::json!({
                "rows": self.rows, "seconds": self.seconds, "rows_per_second": per_second,
                "out": options.out, "columns": columns,
            })
            .to_string();
        }
        let (rows, seconds, out) = (self.rows, self.seconds, options.out.display());
        format!("scored {rows} rows in {seconds:.1} s ({per_second:.0} rows/s): {out}")
    }
}

/// Scores a file.
///
/// # Errors
/// A [`ScoreError`]; the file at `--out`, if there was one, is as it was then.
pub fn run(options: &Options) -> Result<Scored, ScoreError> {
    let format = sink::Format::of(&options.out)?;
    if same_file(&options.data, &options.out) {
        return Err(ScoreError::Usage(
            "--out is the file that --data names".to_owned(),
        ));
    }
    let served = model(&options.model)?;
    let columns = served
        .columns()
        .usable()
        .map_err(|error| ScoreError::Model(error.to_string()))?;
    let mut source = source::open(&options.data, columns, &options.keep)?;
    if let Some(note) = &source.note
        && !options.json
    {
        eprintln!("inference-api: {note}");
    }
    let answer = answer::Answer::of(&served, &source.kept)?;
    let sink = sink::Sink::create(&options.out, format, answer.columns())?;
    let started = Instant::now();
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = options.threads.map_or_else(cores, usize::from);
    let rows = pipeline::run(&served, &mut source, &answer, sink, threads, !options.json)?;
    Ok(Scored {
        rows,
        seconds: started.elapsed().as_secs_f64(),
        columns: answer
            .columns()
            .iter()
            .map(|column| column.name.clone())
            .collect(),
    })
}

fn model(path: &Path) -> Result<Served, ScoreError> {
    let arguments = [OsString::from("inference-api"), "--model".into(), path.into()];
    let config = Config::read(arguments).map_err(|error| ScoreError::Usage(error.to_string()))?;
    match load::load(&config) {
        Ok(served) => Ok(served.without_drift()),
        Err(error) => Err(ScoreError::Model(error.to_string())),
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

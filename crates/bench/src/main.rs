//! Benchmarks, each beside what it is compared to, both sides in one run.

mod bare;
mod child;
mod drift;
mod forest;
mod onnx_plans;
mod oracle;
mod paths;
mod report;
mod rows;
mod serve;

use clap::{Parser, Subcommand};
use report::Report;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "bench", about, version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Print the numbers as JSON instead of a markdown table
    #[arg(long, global = true)]
    json: bool,
    /// End with exit code 1 if a bar is missed
    #[arg(long, global = true)]
    check: bool,
    /// A tenth of the work, for a first impression: too short for numbers to be quoted
    #[arg(long, global = true)]
    quick: bool,
}

#[derive(Subcommand)]
enum What {
    /// Drift statistics beside SciPy's
    Drift(drift::Options),
    /// The random forest beside scikit-learn's, its predictions beside onnxruntime's
    Forest(forest::Options),
    /// Plans of exported models beside onnxruntime
    Onnx(onnx_plans::Options),
    /// Large requests, beside MLServer
    Rows(rows::Options),
    /// The inference API beside a bare server that answers a fixed body
    Serve(serve::Options),
    /// The server that `serve` compares with
    #[command(hide = true)]
    Bare(bare::Options),
}

fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    match &arguments.what {
        What::Drift(options) => drift::run(options, arguments.quick),
        What::Forest(options) => forest::run(options, arguments.quick),
        What::Onnx(options) => onnx_plans::run(options, arguments.quick),
        What::Rows(options) => rows::run(options, arguments.quick),
        What::Serve(options) => serve::run(options, arguments.quick),
        What::Bare(options) => bare::run(options).map(|()| Report::new("bare server")),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = match run(&arguments) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("bench: {error:#}");
            return ExitCode::from(2);
        }
    };
    if matches!(arguments.what, What::Bare(_)) {
        return ExitCode::SUCCESS;
    }
    let text = if arguments.json {
        report.to_json()
    } else {
        report.to_markdown()
    };
    println!("{text}");
    for missed in report.missed() {
        eprintln!("bench: missed: {missed}");
    }
    if arguments.check && report.missed().next().is_some() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        <super::Arguments as clap::CommandFactory>::command().debug_assert();
    }
}

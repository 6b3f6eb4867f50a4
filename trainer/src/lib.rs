//! The trainer: one subcommand per pipeline step.
//!
//! `load` and `train` make a candidate, `validate` judges it, `register` tells MLflow, `package` makes
//! an image, `promote` releases it by one commit, `confirm` waits until it is live and has it taken back
//! where it does not come up. `run` does all of them and takes up again what was cut off. Only
//! `promote` and a withdrawal write Git.

mod api;
mod champion;
mod cli;
mod compare;
mod confirm;
mod data;
mod evaluate;
mod failure;
mod folder;
mod gate;
mod hook;
mod image;
mod kubeflow;
mod labelled;
mod live;
mod load;
mod mlflow;
mod net;
mod news;
mod outcome;
mod own;
mod package;
mod pass;
mod pipeline;
mod pipeline_run;
mod probe;
mod promote;
mod reference;
mod register;
mod run;
mod single;
mod smoke;
mod train;
mod trigger;
mod validate;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// The program: reads flags, does the step, prints its result.
pub fn main() -> ExitCode {
    // Started once for each step of a pipeline, by itself.
    if let Some(exit) = pipeline_run::kept() {
        return exit;
    }
    let cli = cli::Cli::parse_from(cli::set(std::env::args_os()));
    let name = single::name(&cli.command);
    let (text, exit) = match single::step(&cli.command) {
        Ok(single::Said::Outcome(outcome)) => {
            if !outcome.summary.is_empty() {
                eprintln!("trainer {name}: {}", outcome.summary);
            }
            (
                serde_json::to_string(&outcome).unwrap_or_default(),
                outcome.exit(),
            )
        }
        Ok(single::Said::Report(text, exit)) => (text, exit),
        Err(failure) => {
            let id = failure.detail.get("id").and_then(serde_json::Value::as_str);
            let id = id.map(|id| format!(" [{id}]")).unwrap_or_default();
            eprintln!("trainer {name}: {failure}{id}");
            (outcome::failed(name, &failure).to_string(), failure.exit)
        }
    };
    if !text.is_empty() {
        // A reader that has gone away changes nothing about what was done.
        let _ = writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n'));
    }
    ExitCode::from(exit)
}

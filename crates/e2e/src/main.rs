//! End-to-end scenarios against the engine trait: `cargo xtask e2e` prepares a world of its own
//! and runs this program on it. The scenarios do not know which engine is below.

mod http;
mod person;
mod report;
mod scenarios;
mod world;

use clap::Parser;
use std::{path::PathBuf, process::ExitCode};

/// Runs the scenarios in order; each leaves the world as the next one expects it.
#[derive(Parser)]
struct Flags {
    /// Which engine runs the world.
    #[arg(long, default_value = "local")]
    engine: String,
    /// State directory of the local engine.
    #[arg(long, default_value = ".driftless")]
    state: PathBuf,
    /// Only scenarios whose name contains this text (the first rollout is always checked).
    #[arg(long)]
    only: Option<String>,
    /// Prints the names and exits.
    #[arg(long)]
    list: bool,
    /// Results as JSON on stdout.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let all = scenarios::all();
    if flags.list {
        for scenario in &all {
            println!("{}: {}", scenario.name, scenario.promise);
        }
        return ExitCode::SUCCESS;
    }
    if flags.engine != "local" {
        eprintln!(
            "e2e: engine {:?} is not built into this version; use --engine local",
            flags.engine
        );
        return ExitCode::from(2);
    }
    let world = match world::World::local(&flags.state) {
        Ok(world) => world,
        Err(error) => {
            eprintln!("e2e: no world to test in {}: {error:#}", flags.state.display());
            return ExitCode::from(30);
        }
    };
    let report = report::run(&world, &all, flags.only.as_deref());
    if flags.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&report.results).expect("results are plain data")
        );
    }
    report.finish()
}

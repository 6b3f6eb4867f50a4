//! End-to-end scenarios against the engine trait: `cargo xtask e2e` prepares a world of its own
//! and runs this program on it. The scenarios do not know which engine is below.

mod http;
mod kubernetes;
mod patience;
mod person;
mod report;
mod scenarios;
mod world;

use clap::Parser;
use std::{path::PathBuf, process::ExitCode};

/// Runs the scenarios in order; each leaves the world as the next one expects it.
#[derive(Parser)]
struct Flags {
    /// State directory of the engine.
    #[arg(long, default_value = ".driftless")]
    state: PathBuf,
    /// Where a person's trainer finds images (default: the layout in the state directory).
    #[arg(long, requires = "context")]
    images: Option<String>,
    /// What the cluster pulls them by.
    #[arg(long, default_value = "")]
    image_pull_name: String,
    /// File of git's credential store, where pushing needs a login.
    #[arg(long)]
    git_credentials: Option<PathBuf>,
    /// Context of kubectl: the world is a cluster.
    #[arg(long)]
    context: Option<String>,
    /// The kubectl to use.
    #[arg(long, default_value = "kubectl")]
    kubectl: PathBuf,
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
            println!("{}: {} ({})", scenario.name, scenario.promise, scenario.on);
        }
        return ExitCode::SUCCESS;
    }
    let images = flags.images.map(|place| world::Images {
        place,
        pull: flags.image_pull_name,
    });
    let kubernetes = flags
        .context
        .map(|context| kubernetes::Kubernetes::new(flags.kubectl, context));
    let credentials = flags.git_credentials.as_deref();
    let world = match world::World::open(&flags.state, images, credentials, kubernetes) {
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

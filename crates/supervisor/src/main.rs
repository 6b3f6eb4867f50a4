//! `driftless-engine`: see the library.

use clap::Parser;
use std::{path::PathBuf, process::ExitCode};

/// Another engine runs on the state folder.
const EXIT_TAKEN: u8 = 3;

/// Runs what the overlays at main describe as processes of this machine.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// State folder: gitops.git, images, logs and the engine's own files
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The engine's configuration (YAML)
    #[arg(long, value_name = "FILE", required_unless_present = "end")]
    config: Option<PathBuf>,
    /// Only end what an engine that was killed left running
    #[arg(long, conflicts_with = "config")]
    end: bool,
    /// File with one of the inference API's keys, where it asks for one: to follow its drift events
    #[arg(long, env = "API_KEY_FILE", value_name = "FILE")]
    api_key_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let done = match &flags.config {
        Some(config) => supervisor::run(&flags.state, config, flags.api_key_file),
        None => supervisor::end(&flags.state),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("driftless-engine: {error:#}");
            match error.downcast_ref() {
                Some(supervisor::HomeError::Taken { .. }) => ExitCode::from(EXIT_TAKEN),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

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
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    match supervisor::run(&flags.state, &flags.config) {
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

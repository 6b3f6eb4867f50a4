//! `driftless-cluster`: see the library.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    cluster::cli::run(cluster::cli::Flags::parse())
}

//! The trainer: one subcommand per pipeline step.

fn main() {}

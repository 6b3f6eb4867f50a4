//! The trainer: one subcommand per pipeline step.

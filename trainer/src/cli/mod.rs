//! Every flag, with its variable and default. A variable is the flag's default, for pods.

mod drift;
mod flags;
mod gate;
mod learn;
mod pass;
mod pipeline;
mod trigger;

pub use self::drift::{DriftFlags, Format};
pub use flags::{
    ConfirmFlags, GitFlags, KeyFlag, LiveFlags, LoadFlags, MlflowFlags, PackageFlags, PromoteFlags,
    RegisterFlags, RunFlags, SmokeFlags, TrainFlags, ValidateFlags,
};
pub use gate::GateFlags;
pub use learn::{Algorithm, DataFlags, LabelledFlags, LearnFlags};
pub use pass::PassFlags;
pub use pipeline::{DefaultsFlags, PipelineCommand, PipelineFlags, PipelineRunFlags, UploadFlags};
pub use trigger::{CauseFlags, PlaceFlags, ToldFlags, TriggerFlags};

use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// A flag that is set to nothing (`--target=`) is not set, as with variables: a pipeline passes all of them.
pub fn set(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments.filter(|argument| {
        let text = argument.to_string_lossy();
        !(text.starts_with("--") && text.find('=') == Some(text.len() - 1))
    })
}

/// Trains, judges, registers, packages and promotes a model: one subcommand per step.
///
/// Each step is a function of files and flags: it prints one JSON object on stdout and its progress
/// on stderr. Exit codes: 0 done, 2 usage, 10 data refused, 11 nothing new to learn from, 12 refused
/// by the gate, 13 somebody else promoted meanwhile, 14 another run holds the lock, 15 drift was
/// found (`drift --fail-on-drift`), 40 MLflow, 41 images, 60 Git, 61 not live before the deadline, 1 anything else.
#[derive(Debug, Parser)]
#[command(name = "trainer", version, max_term_width = 100)]
pub struct Cli {
    /// The step.
    #[command(subcommand)]
    pub command: Command,
}

/// The steps.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetches the data into the run's folder and checks every value.
    Load(LoadFlags),
    /// Trains a model on a CSV table, or on what `load` left, and measures it on held-out rows.
    Train(TrainFlags),
    /// Judges the trained model: the gate, with reasons.
    Validate(ValidateFlags),
    /// Records run, model and version in MLflow; the alias `challenger` names the version.
    Register(RegisterFlags),
    /// Puts the model as one layer onto the API's base image.
    Package(PackageFlags),
    /// Writes the release file by one commit.
    Promote(PromoteFlags),
    /// Waits until the promoted model is live, then moves the alias `champion`.
    Confirm(ConfirmFlags),
    /// Does all steps, and takes up again what was cut off.
    Run(Box<RunFlags>),
    /// Asks the API whether it serves the release, then moves the alias `champion`; runs after a sync.
    Smoke(SmokeFlags),
    /// Starts a retrain when the API reports a new episode of drift.
    Trigger(TriggerFlags),
    /// Compares two tables, CSV or Parquet, column by column and all at once: is this drift?
    ///
    /// Columns whose values are all numbers are compared as numbers, others as categories. An empty value, NA, N/A,
    /// NaN and null are missing values, among numbers also none, nil, ?, - and #N/A; how often they occur
    /// is compared, too. One comparison is one look: the whole of --level is spent on it. Exit codes: 0 compared,
    /// 15 drift was found and --fail-on-drift is set, 10 a table is refused, 2 usage, 1 anything else.
    Drift(Box<DriftFlags>),
    /// Prints the retrain as a pipeline of Kubeflow Pipelines, or runs it here.
    #[command(hide = true)]
    Pipeline(PipelineFlags),
    /// Packs a static binary as an image; `cargo xtask images` calls it.
    #[command(hide = true)]
    Image(crate::image::ImageBuildFlags),
    /// Moves the alias `champion`; `cargo xtask rollback` calls it.
    #[command(hide = true)]
    Champion(crate::champion::ChampionFlags),
}

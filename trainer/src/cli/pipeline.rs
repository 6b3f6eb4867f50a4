//! Flags of `pipeline`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What is done with the retrain's definition.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PipelineFlags {
    /// The trainer's image, for every step [default: its name in the repository's manifests].
    #[arg(long, value_name = "REFERENCE")]
    pub image: Option<String>,
    /// Nothing prints the document.
    #[command(subcommand)]
    pub command: Option<PipelineCommand>,
}

/// What else is done with it.
#[derive(Clone, Debug, Subcommand)]
pub enum PipelineCommand {
    /// Runs it on this machine, with this program as every step, as Kubeflow Pipelines would in pods.
    Run(PipelineRunFlags),
}

/// Flags of `pipeline run`.
#[derive(Clone, Debug, Args)]
pub struct PipelineRunFlags {
    /// Folder of this run alone: its record `run.json`, what steps say and leave.
    #[arg(long, value_name = "DIR")]
    pub run_dir: PathBuf,
    /// A parameter of the pipeline; `trainer pipeline` prints them. May be repeated. Without --resume git_url
    /// and image_repository are needed.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub param: Vec<(String, String)>,
    /// Go on with the run of --run-dir: what has finished is not run again, what failed is.
    #[arg(long)]
    pub resume: bool,
    /// Folder of results that other runs take: training, where program, rows and parameters are the same.
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

//! What goes from step to step where each has a folder of its own.

use clap::Args;
use std::path::PathBuf;

/// What a step of a pipeline takes and leaves.
#[derive(Clone, Debug, Default, Args)]
pub struct PassFlags {
    /// Folder that an earlier step has left (its --leave): copied into --run-dir first. May be repeated.
    #[arg(long, value_name = "DIR")]
    pub from: Vec<PathBuf>,
    /// Folder where this step's record and files are left for later steps.
    #[arg(long, value_name = "DIR")]
    pub leave: Option<PathBuf>,
    /// Write a field of the result to a file, as text. May be repeated. Whoever asks for `passed` decides
    /// himself: a refusal by the gate then ends with 0.
    #[arg(long, value_name = "FIELD=FILE", value_parser = pair)]
    pub result: Vec<(String, PathBuf)>,
    /// Write the result's metrics to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub metrics_out: Option<PathBuf>,
    /// What the launcher of Kubeflow Pipelines says of this step: metrics go to its outputs.outputFile.
    #[arg(long, value_name = "JSON")]
    pub executor_input: Option<String>,
    /// By which MLflow and Git know this run when a step is started again [default: what was trained on what].
    #[arg(long, env = "RUN_KEY", value_name = "TEXT")]
    pub run_key: Option<String>,
    /// --run-dir is shared by all steps: what has finished there is not done again, and how a step fails is
    /// left there.
    #[arg(long, env = "RUN_DIR_SHARED", hide = true)]
    pub shared: bool,
}

impl PassFlags {
    /// Whether a field of the result is asked for.
    pub fn asks(&self, field: &str) -> bool {
        self.result.iter().any(|(asked, _)| asked == field)
    }
}

fn pair(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((field, file)) if !field.is_empty() && !file.is_empty() => Ok((field.to_owned(), file.into())),
        _ => Err("expected FIELD=FILE".to_owned()),
    }
}

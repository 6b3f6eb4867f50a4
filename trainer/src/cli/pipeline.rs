//! Flags of `pipeline`.

use crate::pipeline::Settings;
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
    /// Uploads it to Kubeflow Pipelines, with this place's addresses as defaults. What is there already stays.
    Upload(Box<UploadFlags>),
}

/// Flags of `pipeline upload`.
#[derive(Clone, Debug, Args)]
pub struct UploadFlags {
    /// Kubeflow Pipelines, http(s)://HOST:PORT.
    #[arg(long, env = "KFP_HOST", value_name = "URL")]
    pub kfp_host: String,
    /// File with a token for it, read anew for each call.
    #[arg(long, env = "KFP_TOKEN_FILE", value_name = "FILE")]
    pub kfp_token_file: Option<PathBuf>,
    /// Its page, where the pipeline is looked at [default: --kfp-host].
    #[arg(long, env = "KFP_PAGE", value_name = "URL")]
    pub kfp_page: Option<String>,
    #[command(flatten)]
    pub place: DefaultsFlags,
    /// Default of the parameter mlflow_uri.
    #[arg(long, env = "MLFLOW_TRACKING_URI", value_name = "URL")]
    pub mlflow_uri: Option<String>,
    /// Default of the parameter model_name.
    #[arg(long, env = "MODEL_NAME", value_name = "NAME")]
    pub model_name: Option<String>,
    /// Default of the parameter api_url: the inference API as pods reach it.
    #[arg(long, env = "API_URL", value_name = "URL")]
    pub api_url: Option<String>,
}

impl UploadFlags {
    /// The pipeline of this place.
    pub fn settings(&self) -> Settings {
        Settings {
            mlflow_uri: set(&self.mlflow_uri),
            model_name: set(&self.model_name),
            api_url: set(&self.api_url),
            ..self.place.settings()
        }
    }
}

/// Addresses of a place, which become defaults of the uploaded pipeline's parameters. What is not named is asked
/// of each run, or has the default that `trainer pipeline` prints.
#[derive(Clone, Debug, Default, Args)]
pub struct DefaultsFlags {
    /// The trainer's image for every step of the pipeline; with a digest training is cached.
    #[arg(long, env = "TRAINER_IMAGE", value_name = "REFERENCE")]
    pub trainer_image: Option<String>,
    /// Default of the pipeline's parameter git_url.
    #[arg(long, env = "GIT_URL", value_name = "URL")]
    pub git_url: Option<String>,
    /// Default of the pipeline's parameter environment.
    #[arg(long, env = "ENVIRONMENT", value_name = "NAME")]
    pub environment: Option<String>,
    /// Default of the pipeline's parameter image_repository.
    #[arg(long, env = "IMAGE_REPOSITORY", value_name = "PLACE")]
    pub image_repository: Option<String>,
    /// Default of the pipeline's parameter image_pull_repository.
    #[arg(long, env = "IMAGE_PULL_REPOSITORY", value_name = "NAME")]
    pub image_pull_repository: Option<String>,
    /// Default of the pipeline's parameter base_image.
    #[arg(long, env = "BASE_IMAGE", value_name = "REFERENCE")]
    pub base_image: Option<String>,
    /// Default of the pipeline's parameter argocd_application.
    #[arg(long, env = "ARGOCD_APPLICATION", value_name = "NAME")]
    pub argocd_application: Option<String>,
}

impl DefaultsFlags {
    /// The pipeline of this place.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings {
            git_url: set(&self.git_url),
            environment: set(&self.environment),
            image_repository: set(&self.image_repository),
            image_pull_repository: set(&self.image_pull_repository),
            base_image: set(&self.base_image),
            argocd_application: set(&self.argocd_application),
            ..Settings::default()
        };
        if let Some(image) = set(&self.trainer_image) {
            settings.image = image;
        }
        settings
    }
}

/// A variable that is set to nothing is not set.
fn set(value: &Option<String>) -> Option<String> {
    value.clone().filter(|value| !value.is_empty())
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

//! Flags of each subcommand.

use super::{CauseFlags, DataFlags, GateFlags, LabelledFlags, LearnFlags, PassFlags, ToldFlags};
use clap::Args;
use std::path::PathBuf;

/// Folder of one run, as `load` makes it and the later steps need it.
#[derive(Clone, Debug, Args)]
pub struct FolderFlag {
    /// Folder of the run: what one step leaves for the next.
    #[arg(long, env = "RUN_DIR", value_name = "DIR")]
    pub run_dir: PathBuf,
    #[command(flatten)]
    pub pass: PassFlags,
}

/// What the inference API is shown, where it asks.
#[derive(Clone, Debug, Default, Args)]
pub struct KeyFlag {
    /// File with one of the inference API's keys (or the token of its CAPTURE_TOKEN_FILE, for --from-api).
    #[arg(long, env = "API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
}

/// The repository that is watched.
#[derive(Clone, Debug, Args)]
pub struct GitFlags {
    /// Repository with the release files; user and token come from GIT_USERNAME and GIT_TOKEN.
    #[arg(long, env = "GIT_URL", value_name = "URL")]
    pub git_url: String,
    /// Which overlay is released to.
    #[arg(long, env = "ENVIRONMENT", default_value = "local", value_name = "NAME")]
    pub environment: String,
    /// How long a Git server that is down is waited for, in seconds.
    #[arg(
        long,
        env = "GIT_DEADLINE_SECONDS",
        default_value_t = 5,
        value_name = "SECONDS"
    )]
    pub git_deadline: u64,
    /// Where a remote repository is kept in between [default: in the run's folder].
    #[arg(long, env = "GIT_CACHE_DIR", value_name = "DIR", hide = true)]
    pub git_cache: Option<PathBuf>,
}

/// Where `load` learns whether the data has anything new to say, when it is asked (`--result news=FILE`).
#[derive(Clone, Debug, Args)]
pub struct NewsFlags {
    /// Repository with the release files; for --result news=FILE.
    #[arg(long, env = "GIT_URL", value_name = "URL")]
    pub git_url: Option<String>,
    /// Which overlay is released to.
    #[arg(long, env = "ENVIRONMENT", default_value = "local", value_name = "NAME")]
    pub environment: String,
    /// How long a Git server that is down is waited for, in seconds.
    #[arg(
        long,
        env = "GIT_DEADLINE_SECONDS",
        default_value_t = 5,
        value_name = "SECONDS"
    )]
    pub git_deadline: u64,
    /// All data is news.
    #[arg(long, value_parser = clap::builder::BoolishValueParser::new(),
          num_args = 0..=1, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set)]
    pub force: bool,
}

impl NewsFlags {
    /// The repository, if one is named.
    pub fn git(&self) -> Option<GitFlags> {
        let git_url = self.git_url.clone().filter(|url| !url.is_empty())?;
        Some(GitFlags {
            git_url,
            environment: self.environment.clone(),
            git_deadline: self.git_deadline,
            git_cache: None,
        })
    }
}

/// The images.
#[derive(Clone, Debug, Args)]
pub struct ImageFlags {
    /// Where images are: `oci-layout:DIR`, `http://127.0.0.1:5000/PATH` or `HOST:PORT/PATH`.
    #[arg(long, env = "IMAGE_REPOSITORY", value_name = "PLACE")]
    pub image_repository: String,
    /// The same registry by the name that nodes pull from, `HOST:PORT/PATH` [default: the same name].
    #[arg(long, env = "IMAGE_PULL_REPOSITORY", value_name = "NAME")]
    pub image_pull_repository: Option<String>,
}

impl ImageFlags {
    /// The store of images.
    ///
    /// # Errors
    /// As [`oci::open_store_as`].
    pub fn open(&self) -> Result<Box<dyn oci::ImageStore>, oci::Error> {
        let pulled = self.image_pull_repository.as_deref().unwrap_or_default();
        oci::open_store_as(&self.image_repository, pulled)
    }
}

/// The tracking server.
#[derive(Clone, Debug, Args)]
pub struct MlflowFlags {
    /// MLflow's address; MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or
    /// MLFLOW_TRACKING_TOKEN, are sent where they are set.
    #[arg(
        long,
        env = "MLFLOW_TRACKING_URI",
        default_value = "http://127.0.0.1:5000",
        value_name = "URL"
    )]
    pub mlflow_uri: String,
    /// MLflow experiment.
    #[arg(long, env = "MLFLOW_EXPERIMENT_NAME", default_value = contract::names::EXPERIMENT, value_name = "NAME")]
    pub experiment: String,
    /// Run that somebody else has opened for us, to be used instead of a new one.
    #[arg(long, env = "MLFLOW_RUN_ID", value_name = "ID")]
    pub mlflow_run_id: Option<String>,
}

/// Where the promoted model becomes live.
#[derive(Clone, Debug, Args)]
pub struct LiveFlags {
    /// Address of the inference API [default: what the engine says].
    #[arg(long, env = "API_URL", value_name = "URL")]
    pub api_url: Option<String>,
    #[command(flatten)]
    pub key: KeyFlag,
    /// File that says how to reach the engine; set by the engine.
    #[arg(long, env = "DRIFTLESS_ENGINE_FILE", value_name = "FILE")]
    pub engine_file: Option<PathBuf>,
    /// Argo CD's Application of the inference API, NAMESPACE/NAME: inside a cluster it is asked instead
    /// of an engine.
    #[arg(long, env = "ARGOCD_APPLICATION", value_name = "NAME")]
    pub argocd_application: Option<String>,
    /// How long to wait until the commit is live, in seconds.
    #[arg(
        long,
        env = "LIVE_DEADLINE_SECONDS",
        default_value_t = 120,
        value_name = "SECONDS"
    )]
    pub live_deadline: u64,
}

impl LiveFlags {
    /// Address of the API, if one is known. A variable that is set to nothing is not set.
    pub fn api(&self) -> Option<&str> {
        self.api_url.as_deref().filter(|url| !url.is_empty())
    }

    /// The Application, if one is known.
    pub fn application(&self) -> Option<&str> {
        self.argocd_application.as_deref().filter(|name| !name.is_empty())
    }
}

/// Flags of `load`.
#[derive(Clone, Debug, Args)]
pub struct LoadFlags {
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub labelled: LabelledFlags,
    #[command(flatten)]
    pub key: KeyFlag,
    #[command(flatten)]
    pub news: NewsFlags,
    #[command(flatten)]
    pub told: ToldFlags,
    #[command(flatten)]
    pub folder: FolderFlag,
}

/// Flags of `train`.
#[derive(Clone, Debug, Args)]
pub struct TrainFlags {
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub learn: LearnFlags,
    /// Where model.onnx, manifest.json and drift/reference_data.npy are written.
    #[arg(
        long,
        value_name = "DIR",
        required_unless_present = "run_dir",
        conflicts_with = "run_dir"
    )]
    pub out: Option<PathBuf>,
    /// Folder in which `load` has left the data, instead of --out: the model goes to its `model`.
    #[arg(long, env = "RUN_DIR", value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    #[command(flatten)]
    pub pass: PassFlags,
}

/// Flags of `validate`.
#[derive(Clone, Debug, Args)]
pub struct ValidateFlags {
    #[command(flatten)]
    pub folder: FolderFlag,
    #[command(flatten)]
    pub gate: GateFlags,
    #[command(flatten)]
    pub git: GitFlags,
    #[command(flatten)]
    pub images: ImageFlags,
    #[command(flatten)]
    pub mlflow: MlflowFlags,
    /// Digest of the image that must be live, or `unreleased` [default: whichever is].
    #[arg(long, value_name = "DIGEST")]
    pub expected_live: Option<String>,
    #[command(flatten)]
    pub told: ToldFlags,
}

/// Flags of `register`.
#[derive(Clone, Debug, Args)]
pub struct RegisterFlags {
    #[command(flatten)]
    pub folder: FolderFlag,
    #[command(flatten)]
    pub mlflow: MlflowFlags,
    #[command(flatten)]
    pub told: ToldFlags,
}

/// Flags of `package`.
#[derive(Clone, Debug, Args)]
pub struct PackageFlags {
    #[command(flatten)]
    pub folder: FolderFlag,
    #[command(flatten)]
    pub images: ImageFlags,
    /// The API's image without a model.
    #[arg(
        long,
        env = "BASE_IMAGE",
        default_value = "inference-api:base",
        value_name = "REFERENCE"
    )]
    pub base_image: String,
    /// MLflow's address: a tag whose run it does not know is moved [default: no tag is].
    #[arg(long, env = "MLFLOW_TRACKING_URI", value_name = "URL")]
    pub mlflow_uri: Option<String>,
}

/// Where `promote --package` puts the image.
#[derive(Clone, Debug, Args)]
pub struct PackagedFlags {
    /// With --package: where images are, as for `package`.
    #[arg(long, env = "IMAGE_REPOSITORY", value_name = "PLACE")]
    pub image_repository: Option<String>,
    /// With --package: the same registry by the name that nodes pull from, HOST:PORT/PATH [default: the same name].
    #[arg(long, env = "IMAGE_PULL_REPOSITORY", value_name = "NAME")]
    pub image_pull_repository: Option<String>,
    /// With --package: the API's image without a model.
    #[arg(
        long,
        env = "BASE_IMAGE",
        default_value = "inference-api:base",
        value_name = "REFERENCE"
    )]
    pub base_image: String,
}

impl PackagedFlags {
    /// The store of images.
    ///
    /// # Errors
    /// As [`oci::open_store_as`].
    pub fn open(&self) -> Result<Box<dyn oci::ImageStore>, oci::Error> {
        let place = self.image_repository.as_deref().unwrap_or_default();
        oci::open_store_as(place, self.image_pull_repository.as_deref().unwrap_or_default())
    }
}

/// Flags of `promote`.
#[derive(Clone, Debug, Args)]
pub struct PromoteFlags {
    #[command(flatten)]
    pub folder: FolderFlag,
    #[command(flatten)]
    pub git: GitFlags,
    /// Promote a release again that was taken back before.
    #[arg(long)]
    pub again: bool,
    /// First put the registered model onto the base image, as `package` does.
    #[arg(long, requires = "image_repository")]
    pub package: bool,
    #[command(flatten)]
    pub images: PackagedFlags,
    /// Then wait until it is live, as `confirm` does; one that does not come up is taken back.
    #[arg(long)]
    pub confirm: bool,
    #[command(flatten)]
    pub mlflow: MlflowFlags,
    #[command(flatten)]
    pub live: LiveFlags,
    #[command(flatten)]
    pub told: ToldFlags,
}

/// Flags of `confirm`.
#[derive(Clone, Debug, Args)]
pub struct ConfirmFlags {
    #[command(flatten)]
    pub folder: FolderFlag,
    #[command(flatten)]
    pub git: GitFlags,
    #[command(flatten)]
    pub mlflow: MlflowFlags,
    #[command(flatten)]
    pub live: LiveFlags,
}

/// Flags of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunFlags {
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub labelled: LabelledFlags,
    #[command(flatten)]
    pub learn: LearnFlags,
    #[command(flatten)]
    pub gate: GateFlags,
    #[command(flatten)]
    pub git: GitFlags,
    #[command(flatten)]
    pub images: ImageFlags,
    /// The API's image without a model.
    #[arg(
        long,
        env = "BASE_IMAGE",
        default_value = "inference-api:base",
        value_name = "REFERENCE"
    )]
    pub base_image: String,
    #[command(flatten)]
    pub mlflow: MlflowFlags,
    #[command(flatten)]
    pub live: LiveFlags,
    /// Where runs keep their folders; a run that was cut off is found here again.
    #[arg(long, env = "WORK_DIR", default_value = ".driftless/runs", value_name = "DIR")]
    pub work_dir: PathBuf,
    /// Train even though there is nothing new to learn from.
    #[arg(long)]
    pub force: bool,
    /// What makes two runs one, where the work folder does not outlive a process (a Job's name).
    #[arg(long, env = "RUN_NONCE", value_name = "TEXT")]
    pub nonce: Option<String>,
    #[command(flatten)]
    pub cause: CauseFlags,
}

impl RunFlags {
    /// The nonce, if one is given. A variable that is set to nothing is not set.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref().filter(|nonce| !nonce.is_empty())
    }
}

/// Flags of `smoke`.
#[derive(Clone, Debug, Args)]
pub struct SmokeFlags {
    #[command(flatten)]
    pub git: GitFlags,
    #[command(flatten)]
    pub mlflow: MlflowFlags,
    /// Address of the inference API.
    #[arg(
        long,
        env = "API_URL",
        default_value = "http://127.0.0.1:8000",
        value_name = "URL"
    )]
    pub api_url: String,
    #[command(flatten)]
    pub key: KeyFlag,
    /// Image that the sync before brought, where one did: another one at the head is not its matter.
    #[arg(long, env = "RELEASE_IMAGE", value_name = "REF")]
    pub release_image: Option<String>,
    /// Registered model.
    #[arg(long, env = "MODEL_NAME", default_value = contract::names::MODEL_NAME, value_name = "NAME")]
    pub model_name: String,
    /// How long the API may take to answer as the release says, in seconds.
    #[arg(
        long,
        env = "SMOKE_DEADLINE_SECONDS",
        default_value_t = 30,
        value_name = "SECONDS"
    )]
    pub smoke_deadline: u64,
}

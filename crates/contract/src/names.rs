//! Names that appear in more than one program. A name is written once, here.

/// Prefix of annotations, image labels and MLflow tags of ours.
pub const PREFIX: &str = "driftless.dev";
/// The registered model, the drift reference and the API answer to this name by default.
pub const MODEL_NAME: &str = "iris-model";
/// MLflow experiment of retrain runs (the source documents' name).
pub const EXPERIMENT: &str = "kubeflow-retrain";
/// Registry alias of a version that passed the gate and is not live yet.
pub const ALIAS_CHALLENGER: &str = "challenger";
/// Registry alias of the version that is live.
pub const ALIAS_CHAMPION: &str = "champion";

/// Metric of a regression's manifest: of n held-out absolute errors the ⌈n/2⌉-th smallest (the lower median).
pub const MEDIAN_ABSOLUTE_ERROR: &str = "median_absolute_error";

/// Folder, Deployment, container, image and Application of the inference API.
pub const INFERENCE_API: &str = "inference-api";
/// Image and Application name of the trainer's workloads.
pub const TRAINER: &str = "trainer";
/// The CronJob (suspended) that is the template of a retrain, and its Application.
pub const TRAINING: &str = "training";
/// The CronJob that asks the API about drift, and its Application.
pub const DRIFT_MONITOR: &str = "drift-monitor";
/// Deployment, Service and Application of the tracking server.
pub const MLFLOW: &str = "mlflow";

/// Files of a model directory.
pub const MODEL_FILE: &str = "model.onnx";
/// See [`MODEL_FILE`].
pub const MANIFEST_FILE: &str = "manifest.json";
/// See [`MODEL_FILE`]: float64 `.npy`, shape `[rows, features]`, C order.
pub const REFERENCE_FILE: &str = "drift/reference_data.npy";
/// Where the model layer of an image holds the model directory, relative to the image's root.
pub const MODEL_DIR_IN_IMAGE: &str = "model";

/// Repository path of the one file that `trainer promote` may write.
pub fn release_file(environment: &str) -> String {
    format!("kustomize/overlays/{environment}/{INFERENCE_API}/release/kustomization.yaml")
}

/// Exit codes of the trainer; 0 is success, 2 is usage (clap), 1 anything unforeseen.
pub mod exit {
    /// The data was refused (row, column and value are named).
    pub const BAD_DATA: u8 = 10;
    /// The dataset is the live model's: nothing new to learn from.
    pub const NOTHING_NEW: u8 = 11;
    /// The gate refused the candidate; Git is untouched.
    pub const REFUSED: u8 = 12;
    /// Somebody else promoted meanwhile.
    pub const OUTRUN: u8 = 13;
    /// Another local run holds the lock.
    pub const LOCKED: u8 = 14;
    /// `trainer drift --fail-on-drift` has found drift.
    pub const DRIFT: u8 = 15;
    /// MLflow could not be reached or refused.
    pub const MLFLOW: u8 = 40;
    /// The image layout or registry could not be read or written.
    pub const IMAGE: u8 = 41;
    /// The Git repository could not be read or written.
    pub const GIT: u8 = 60;
    /// The promoted commit did not become live before the deadline.
    pub const NOT_LIVE: u8 = 61;
}

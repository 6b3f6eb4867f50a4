//! Flags of `trigger`, and what it tells the run that it starts.

use super::DefaultsFlags;
use super::flags::{KeyFlag, MlflowFlags};
use crate::failure::Result;
use crate::mlflow::Tracking;
use crate::pipeline::Settings;
use clap::Args;
use drift::episodes::{Policy, duration};
use std::path::PathBuf;

/// Flags of `trigger`, named as in the source documents' script.
#[derive(Clone, Debug, Args)]
pub struct TriggerFlags {
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
    /// Kubeflow Pipelines, which then runs the retrain [default: the engine, or a Job, runs it].
    #[arg(long, env = "KFP_HOST", value_name = "URL")]
    pub kfp_host: Option<String>,
    /// File with a token for it, read anew for each call.
    #[arg(long, env = "KFP_TOKEN_FILE", value_name = "FILE")]
    pub kfp_token_file: Option<PathBuf>,
    /// Its page, where a run is looked at [default: --kfp-host].
    #[arg(long, env = "KFP_PAGE", value_name = "URL")]
    pub kfp_page: Option<String>,
    #[command(flatten)]
    pub defaults: DefaultsFlags,
    /// With --kfp-host: wait for the run's end, and show how its steps went.
    #[arg(long, requires = "kfp_host")]
    pub wait: bool,
    /// MLflow's address for the run [default: the template's].
    #[arg(long, env = "MLFLOW_TRACKING_URI", value_name = "URL")]
    pub mlflow_uri: Option<String>,
    /// Registered model that the run trains.
    #[arg(long, env = "MODEL_NAME", default_value = contract::names::MODEL_NAME, value_name = "NAME")]
    pub model_name: String,
    /// Start without asking about drift, and train even on known data; only a run that is not over is in the way.
    #[arg(long, conflicts_with = "reset_breaker")]
    pub force: bool,
    /// Close the breaker after a look at what it names; starts nothing.
    #[arg(long)]
    pub reset_breaker: bool,
    /// No retrain for so long after the one before has ended (90s, 30m, 1h, 2d).
    #[arg(long, env = "RETRAIN_COOLDOWN", default_value = "1h", value_name = "TIME", value_parser = Milliseconds::read)]
    pub cooldown: Milliseconds,
    /// Retrains within 24 hours, at most; 0 switches them off.
    #[arg(long, env = "RETRAIN_DAILY_CAP", default_value_t = 4, value_name = "COUNT")]
    pub daily_cap: u32,
    /// After so many retrains in a row that did not help (refused, failed, or a model that drifts at once) none
    /// is started until a person has looked.
    #[arg(long, env = "RETRAIN_BREAKER_AFTER", default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub breaker_after: u32,
    /// File for what was decided so far, as Prometheus metrics.
    #[arg(long, env = "RETRAIN_METRICS_OUT", value_name = "FILE")]
    pub metrics_out: Option<PathBuf>,
    #[command(flatten)]
    pub place: PlaceFlags,
}

impl TriggerFlags {
    /// The pipeline that is uploaded where there is none.
    pub fn settings(&self) -> Settings {
        // Whoever names an image is in the cluster, where this is the address for pods, too.
        let api_url = Some(self.api_url.clone()).filter(|_| self.names_image());
        Settings {
            mlflow_uri: self.mlflow_uri.clone().filter(|uri| !uri.is_empty()),
            model_name: Some(self.model_name.clone()),
            api_url,
            ..self.defaults.settings()
        }
    }

    /// Whether the flags say which version of the pipeline is meant.
    pub fn names_image(&self) -> bool {
        self.defaults
            .trainer_image
            .as_ref()
            .is_some_and(|image| !image.is_empty())
    }

    /// The bounds.
    pub fn policy(&self) -> Policy {
        Policy {
            cooldown_ms: self.cooldown.0,
            daily_cap: self.daily_cap,
            refused_before_breaker: self.breaker_after,
        }
    }
}

/// A time that is written with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Milliseconds(pub u64);

impl Milliseconds {
    fn read(text: &str) -> std::result::Result<Self, String> {
        duration(text).map(Milliseconds)
    }
}

/// Where runs are started and the ledger of retrains is kept.
#[derive(Clone, Debug, Args)]
pub struct PlaceFlags {
    /// File that says how to reach the engine; set by the engine.
    #[arg(long, env = "DRIFTLESS_ENGINE_FILE", value_name = "FILE")]
    pub engine_file: Option<PathBuf>,
    /// Namespace of the template, inside a cluster (where KUBERNETES_SERVICE_HOST is set and no engine is).
    #[arg(
        long,
        env = "TRAINING_NAMESPACE",
        default_value = contract::names::TRAINING,
        value_name = "NAME"
    )]
    pub training_namespace: String,
}

/// What `trigger` tells the run: it becomes tags in MLflow, and the end is written into the ledger.
#[derive(Clone, Debug, Default, Args)]
pub struct CauseFlags {
    /// Why the run was started: drift or forced; set by `trigger`.
    #[arg(long, env = "TRIGGER_REASON", value_name = "WORD")]
    pub trigger_reason: Option<String>,
    /// Number of the episode of drift that it answers; set by `trigger`.
    #[arg(long, env = "DRIFT_EPISODE", value_name = "NUMBER")]
    pub drift_episode: Option<String>,
    /// Digest of the model that drifted; set by `trigger`.
    #[arg(long, env = "DRIFT_MODEL", value_name = "DIGEST")]
    pub drift_model: Option<String>,
    /// What had moved; set by `trigger`.
    #[arg(long, env = "DRIFT_FEATURES", value_name = "TEXT")]
    pub drift_features: Option<String>,
    /// Namespace of the ledger, inside a cluster.
    #[arg(
        long,
        env = "TRAINING_NAMESPACE",
        default_value = contract::names::TRAINING,
        value_name = "NAME"
    )]
    pub training_namespace: String,
}

/// What a step tells MLflow and the ledger of the run that it is a part of.
#[derive(Clone, Debug, Default, Args)]
pub struct ToldFlags {
    #[command(flatten)]
    pub cause: CauseFlags,
    /// What makes two runs one; a tag of the run in MLflow.
    #[arg(long, env = "RUN_NONCE", value_name = "TEXT")]
    pub nonce: Option<String>,
    /// Name of the run in the ledger of retrains, which is told how it ended; set by `trigger`.
    #[arg(long, value_name = "NAME")]
    pub ledger_run: Option<String>,
}

impl ToldFlags {
    /// MLflow, told of the run's cause.
    ///
    /// # Errors
    /// As [`Tracking::open`].
    pub fn tracking(&self, flags: &MlflowFlags) -> Result<Tracking> {
        let nonce = self.nonce.as_deref().filter(|nonce| !nonce.is_empty());
        Ok(Tracking::open(flags)?.of_nonce(nonce).because(self.cause.tags()))
    }
}

impl CauseFlags {
    /// Tags of the run in MLflow, without our prefix.
    pub fn tags(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("trigger.reason", &self.trigger_reason),
            ("drift.episode", &self.drift_episode),
            ("drift.model", &self.drift_model),
            ("drift.features", &self.drift_features),
        ];
        let given = |(name, value): (&'static str, &Option<String>)| {
            let value = value.clone().filter(|value| !value.is_empty())?;
            Some((name, value))
        };
        all.into_iter().filter_map(given).collect()
    }
}

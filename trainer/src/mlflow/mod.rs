//! What the trainer writes into MLflow. Everything is looked for before it is made, so that a
//! second start finds what a first one left.

mod files;
mod record;
mod words;

pub use record::Registered;
pub use words::Story;

use crate::cli::MlflowFlags;
use crate::failure::{Failure, Result};
use contract::names::exit;
use mlflow_client::{Client, Error, Tag, code};
use secrecy::SecretString;
use std::future::Future;
use std::time::Duration;

/// How often a registration is taken up again after a call that may or may not have had its effect.
const ATTEMPTS: usize = 3;

/// MLflow, seen from steps that are not async.
pub struct Tracking {
    runtime: tokio::runtime::Runtime,
    client: Client,
    experiment: String,
    adopted_run: Option<String>,
    nonce: Option<String>,
    cause: Vec<Tag>,
}

impl Tracking {
    /// A client of the server; does not connect.
    ///
    /// # Errors
    /// Exit code MLFLOW for an address that cannot be used.
    pub fn open(flags: &MlflowFlags) -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut builder = Client::builder(&flags.mlflow_uri);
        if let Some(user) = variable("MLFLOW_TRACKING_USERNAME") {
            let password = variable("MLFLOW_TRACKING_PASSWORD").unwrap_or_default();
            builder = builder.basic_auth(user, SecretString::from(password));
        } else if let Some(token) = variable("MLFLOW_TRACKING_TOKEN") {
            builder = builder.token(SecretString::from(token));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::new)?;
        Ok(Tracking {
            runtime,
            client: builder.build()?,
            experiment: flags.experiment.clone(),
            adopted_run: flags.mlflow_run_id.clone().filter(|id| !id.is_empty()),
            nonce: None,
            cause: Vec::new(),
        })
    }

    /// A client for questions alone.
    ///
    /// # Errors
    /// As [`Tracking::open`].
    pub fn at(uri: &str) -> Result<Self> {
        Self::open(&MlflowFlags {
            mlflow_uri: uri.to_owned(),
            experiment: contract::names::EXPERIMENT.to_owned(),
            mlflow_run_id: None,
        })
    }

    /// Runs are tagged with what makes two starts one run (a Job's name).
    #[must_use]
    pub fn of_nonce(self, nonce: Option<&str>) -> Self {
        // Part of a filter in MLflow's language, which has no escapes.
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        };
        Tracking {
            nonce: nonce.map(|nonce| nonce.chars().map(plain).collect()),
            ..self
        }
    }

    /// Runs are tagged with why they were started.
    #[must_use]
    pub fn because(self, tags: Vec<(&'static str, String)>) -> Self {
        let cause = tags
            .into_iter()
            .map(|(key, value)| words::tag(key, value))
            .collect();
        Tracking { cause, ..self }
    }

    /// Ends runs of this nonce that were begun under another key and never finished.
    ///
    /// # Errors
    /// Exit code MLFLOW.
    pub fn abandon_others(&self, run_key: &str) -> Result<()> {
        match &self.nonce {
            None => Ok(()),
            Some(nonce) => self.persist(|| record::abandon_others(self, nonce, run_key)),
        }
    }

    /// The server's version: proof that it answers, before anything is begun.
    ///
    /// # Errors
    /// Exit code MLFLOW.
    pub fn version(&self) -> Result<String> {
        Ok(self.wait(self.client.version())?)
    }

    /// Whether the server does not know a run (any more).
    ///
    /// # Errors
    /// Exit code MLFLOW.
    pub fn forgot(&self, run_id: &str) -> Result<bool> {
        match self.wait(self.client.run(run_id)) {
            Ok(_) => Ok(false),
            Err(e) if e.is(code::DOES_NOT_EXIST) || e.is(code::INVALID_PARAMETER) => Ok(true),
            Err(e) => Err(e.into()),
        }
    }

    /// The version the alias names, by number.
    ///
    /// # Errors
    /// Exit code MLFLOW.
    pub fn alias(&self, name: &str, alias: &str) -> Result<Option<u64>> {
        Ok(self
            .wait(self.client.alias(name, alias))?
            .map(|found| found.version))
    }

    /// Points an alias at a version.
    ///
    /// # Errors
    /// Exit code MLFLOW.
    pub fn set_alias(&self, name: &str, alias: &str, version: u64) -> Result<()> {
        Ok(self.wait(self.client.set_alias(name, alias, version))?)
    }

    /// Says on the version what became of it, and takes `challenger` from one that lost.
    ///
    /// # Errors
    /// Exit code MLFLOW.
    pub fn tell_outcome(&self, name: &str, version: u64, tags: &[(&str, &str)], lost: bool) -> Result<()> {
        let told: std::result::Result<(), Error> = self.wait(async {
            for (key, value) in tags {
                let tag = words::tag(key, *value);
                self.client.set_version_tag(name, version, &tag).await?;
            }
            let challenger = contract::names::ALIAS_CHALLENGER;
            let named = self.client.alias(name, challenger).await?;
            if lost && named.is_some_and(|named| named.version == version) {
                self.client.delete_alias(name, challenger).await?;
            }
            Ok(())
        });
        Ok(told?)
    }

    /// Records a candidate that passed: run, model, version, alias.
    ///
    /// # Errors
    /// Exit code MLFLOW.
    pub fn register(&self, story: &Story) -> Result<Registered> {
        self.persist(|| record::register(self, story))
    }

    /// Records a candidate that was refused: a failed run with the reasons, no version. Returns its id.
    ///
    /// # Errors
    /// Exit code MLFLOW.
    pub fn record_refusal(&self, story: &Story, reasons: &[String]) -> Result<String> {
        self.persist(|| record::refuse(self, story, reasons))
    }

    /// Ends a run that was begun for `run_key` and never finished; nothing to do is a success.
    ///
    /// # Errors
    /// Exit code MLFLOW.
    pub fn abandon(&self, run_key: &str, reason: &str) -> Result<()> {
        self.persist(|| record::abandon(self, run_key, reason))
    }

    fn persist<T, F: Future<Output = std::result::Result<T, Error>>>(
        &self,
        mut work: impl FnMut() -> F,
    ) -> Result<T> {
        let mut attempt = 1;
        loop {
            match self.wait(work()) {
                // The work looks for what it makes, so a lost answer is not a second effect.
                Err(e) if e.is_ambiguous() && attempt < ATTEMPTS => {
                    eprintln!("trainer: {e}; looking again what is there");
                    self.wait(tokio::time::sleep(Duration::from_millis(500)));
                    attempt += 1;
                }
                other => return Ok(other?),
            }
        }
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

/// A failure of MLflow in words of ours.
pub fn down(failure: Failure) -> Failure {
    if failure.exit == exit::MLFLOW {
        failure.during("MLflow is needed to record the run")
    } else {
        failure
    }
}

//! Kubeflow Pipelines, seen from steps that are not async: the pipeline uploaded, runs started and looked at.

use crate::cli::UploadFlags;
use crate::failure::{Failure, Result};
use crate::outcome::{Outcome, Status};
use crate::pipeline::{self, Settings};
use kfp_client::{
    Client, Error, NewRun, PipelineDocument, Progress, Run, RunFailure, RunParameters, VersionReference,
    Wait, check_parameters,
};
use serde_json::{Map, Value, json};
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

/// A server.
pub struct Kubeflow {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

/// What a run is of.
pub struct Version {
    /// Pipeline and version.
    pub reference: VersionReference,
    /// Its document, where the server shows it.
    document: PipelineDocument,
}

impl Version {
    /// Checked before anything is sent: the server takes what no step can use.
    ///
    /// # Errors
    /// Usage, naming the parameter.
    pub fn parameters(&self, given: &Map<String, Value>) -> Result<RunParameters> {
        let checked = check_parameters(self.document.parameters(), given);
        checked.map_err(|error| Failure::new(2, error.to_string()).with("id", error.id().into()))
    }
}

impl Kubeflow {
    /// A client; does not connect.
    ///
    /// # Errors
    /// An address or a token that cannot be used.
    pub fn at(host: &str, token: Option<&Path>, start: Duration) -> Result<Self> {
        let mut builder = Client::builder(host).start_deadline(start);
        if let Some(file) = token {
            builder = builder.token_file(file);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::new)?;
        let client = builder.build().map_err(said)?;
        Ok(Kubeflow { runtime, client })
    }

    /// The pipeline and the version of these settings, each uploaded where it is missing.
    ///
    /// # Errors
    /// A definition that the server would refuse, before anything is sent; what the server said.
    pub fn upload(&self, settings: &Settings) -> Result<(VersionReference, String)> {
        let document = document(settings)?;
        let version = document.version_name();
        self.wait_for(self.client.health())?;
        let reference = self.wait_for(self.client.ensure_uploaded(pipeline::NAME, &document))?;
        Ok((reference, version))
    }

    /// The version of these settings where they name the trainer's image, uploaded where it is missing; else the
    /// newest version of the pipeline, uploaded where there is no such pipeline.
    ///
    /// # Errors
    /// As [`Kubeflow::upload`].
    pub fn version(&self, settings: &Settings, is_ours: bool) -> Result<Version> {
        if is_ours {
            let (reference, _) = self.upload(settings)?;
            return Ok(Version {
                reference,
                document: document(settings)?,
            });
        }
        let found = self.wait_for(self.client.pipeline(pipeline::NAME))?;
        let newest = match &found {
            Some(pipeline) => self.wait_for(self.client.newest_version(&pipeline.pipeline_id))?,
            None => None,
        };
        let Some(newest) = newest else {
            eprintln!(
                "pipeline {} is not there yet; uploading it to {}",
                pipeline::NAME,
                self.client.address()
            );
            let (reference, _) = self.upload(settings)?;
            return Ok(Version {
                reference,
                document: document(settings)?,
            });
        };
        Ok(Version {
            document: match newest.document() {
                Some(document) => document,
                None => document(settings)?,
            },
            reference: VersionReference {
                pipeline_id: newest.pipeline_id,
                pipeline_version_id: Some(newest.pipeline_version_id),
            },
        })
    }

    /// Id of the experiment, made where it is missing.
    ///
    /// # Errors
    /// What the server said.
    pub fn experiment(&self, name: &str) -> Result<String> {
        Ok(self.wait_for(self.client.ensure_experiment(name))?.experiment_id)
    }

    /// Id of the experiment, if there is one.
    ///
    /// # Errors
    /// What the server said.
    pub fn known_experiment(&self, name: &str) -> Result<Option<String>> {
        let found = self.wait_for(self.client.experiment(name))?;
        Ok(found.map(|experiment| experiment.experiment_id))
    }

    /// All its runs, newest first.
    ///
    /// # Errors
    /// What the server said.
    pub fn runs(&self, experiment: &str) -> Result<Vec<Run>> {
        self.wait_for(self.client.runs(Some(experiment)))
    }

    /// One run with its tasks.
    ///
    /// # Errors
    /// What the server said.
    pub fn run(&self, id: &str) -> Result<Run> {
        self.wait_for(self.client.run(id))
    }

    /// Starts a run; never twice.
    ///
    /// # Errors
    /// What the server said.
    pub fn start(&self, new: &NewRun) -> Result<Run> {
        self.wait_for(self.client.start_run(new))
    }

    /// Why a run failed, if it did.
    pub fn failure(&self, run: &Run, lines: usize) -> Option<RunFailure> {
        self.runtime.block_on(self.client.failure(run, lines))
    }

    /// Waits for a run's end and tells of its steps.
    ///
    /// # Errors
    /// How it failed, with the failing step's last lines.
    pub fn wait(&self, id: &str, log_lines: usize) -> Result<()> {
        let wait = Wait {
            log_lines,
            ..Wait::default()
        };
        let start = Instant::now();
        let mut told: Vec<(String, String)> = Vec::new();
        let progress = |progress: Progress<'_>| match progress {
            Progress::Changed(run) => {
                for (step, state) in run.steps() {
                    let now = (step.to_owned(), state.to_string());
                    if !told.contains(&now) {
                        eprintln!("{step:<9} {state}");
                        told.push(now);
                    }
                }
            }
            Progress::Trouble(error) => eprintln!("{error}; asking again"),
        };
        let run = self.wait_for(self.client.wait(id, &wait, progress))?;
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("{} ended {} after {seconds:.0} s", run.display_name, run.state);
        Ok(())
    }

    fn wait_for<T>(&self, call: impl Future<Output = std::result::Result<T, Error>>) -> Result<T> {
        self.runtime.block_on(call).map_err(said)
    }
}

/// The step `pipeline upload`.
///
/// # Errors
/// As [`Kubeflow::upload`].
pub fn upload(flags: &UploadFlags) -> Result<Outcome> {
    let settings = flags.settings();
    let (host, token) = (&flags.kfp_host, flags.kfp_token_file.as_deref());
    let kubeflow = Kubeflow::at(host, token, Duration::from_secs(30))?;
    let (reference, version) = kubeflow.upload(&settings)?;
    let page = flags
        .kfp_page
        .as_ref()
        .filter(|page| !page.is_empty())
        .unwrap_or(host);
    let page = format!(
        "{}/#/pipelines/details/{}",
        page.trim_end_matches('/'),
        reference.pipeline_id
    );
    let summary = format!("pipeline {}, version {version}: {page}", pipeline::NAME);
    let detail = json!({
        "pipeline": pipeline::NAME, "version": version, "pipeline_id": reference.pipeline_id,
        "pipeline_version_id": reference.pipeline_version_id, "image": settings.image, "address": page,
    });
    Ok(Outcome::new("pipeline", Status::Done, detail, summary))
}

fn document(settings: &Settings) -> Result<PipelineDocument> {
    let made = pipeline::retrain(settings).and_then(|made| made.emit());
    let made = made.map_err(|problems| Failure::new(2, problems.to_string()))?;
    let parsed = PipelineDocument::parse(&made.text);
    parsed.map_err(|error| Failure::new(2, error.to_string()).with("id", error.id().into()))
}

fn said(error: Error) -> Failure {
    let text = format!("{error}; {}", error.next());
    Failure::new(1, text).with("id", error.id().into())
}

/// What the failing step printed of itself as JSON, and its last line for people.
pub fn last_words(failure: Option<&RunFailure>) -> (Value, String) {
    let Some(failure) = failure else {
        return (Value::Null, "it said nothing".to_owned());
    };
    let json = |line: &String| serde_json::from_str(line).ok().filter(Value::is_object);
    let said = failure.log.iter().rev().find_map(json).unwrap_or(Value::Null);
    let line = failure.log.iter().rev().find(|line| json(line).is_none());
    let step = failure.step.as_deref().unwrap_or("no step");
    let words = match line {
        Some(line) => format!("{step}: {line}"),
        None => format!(
            "{step} failed; {}",
            failure.log_missing.as_deref().unwrap_or("it said nothing")
        ),
    };
    (said, words)
}

//! The record of a run: `run.json`, written aside and renamed after each change.

use crate::error::{Error, Fault};
use crate::files::{self, Tree};
use kfp::run::{Artifact, Left};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Version of the format.
pub(crate) const FORMAT: u32 = 1;
/// Largest record that is read.
const BYTES_MAX: u64 = 256 << 20;

/// A run. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this format.
    pub format: u32,
    /// Its id.
    pub run_id: String,
    /// Its name for people.
    pub run_name: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Digest of `pipeline.yaml`.
    pub pipeline_digest: String,
    /// All parameters, defaults too.
    pub parameters: BTreeMap<String, Value>,
    /// How it stands.
    pub state: RunState,
    /// When it began.
    pub created_ms: u64,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// By path: `sweep[0]/train`.
    pub steps: BTreeMap<String, StepRecord>,
    /// What the run left.
    pub outputs: Outputs,
    /// What failed.
    pub failures: Vec<Failure>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// A runner is at it, or was when it was cut off.
    Running,
    /// All is done.
    Succeeded,
    /// Steps have failed.
    Failed,
    /// It was told to stop.
    Cancelled,
}

/// A step that has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Name of its component.
    pub component: String,
    /// How it stands.
    pub state: StepState,
    /// Digest of what runs and what it is given; with another one a result is not taken again.
    pub given: String,
    /// Whether its result came from the cache.
    pub cached: bool,
    /// When its first attempt began.
    pub started_ms: u64,
    /// Attempts that failed.
    pub failed: u32,
    /// The last ones.
    pub attempts: Vec<Attempt>,
    /// What it left.
    pub outputs: Outputs,
    /// What was odd and did not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// An attempt is under way, or was when the run was cut off.
    Running,
    /// Waits for its next attempt.
    Waiting,
    /// Done.
    Succeeded,
    /// Failed for good.
    Failed,
}

/// One start of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1; name of its folder.
    pub number: u32,
    /// How it ended.
    pub state: AttemptState,
    /// When it began.
    pub started_ms: u64,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// Its exit code, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// File with what it said, within the run's folder.
    pub log: String,
    /// The last lines of it.
    pub tail: Vec<String>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptState {
    /// Not yet.
    Running,
    /// Well.
    Succeeded,
    /// With a fault.
    Failed,
    /// With its runner, or because that was told to stop.
    Interrupted,
}

/// What a step or a run left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outputs {
    /// Parameters.
    pub parameters: BTreeMap<String, Value>,
    /// Artifacts; several where a loop left them.
    pub artifacts: BTreeMap<String, Vec<Saved>>,
}

/// An artifact that was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Where it is, within the run's folder.
    pub path: String,
    /// Digest of its content; empty where the step did not write it.
    pub digest: String,
    /// Size of its files.
    pub bytes: u64,
    /// Title of its type.
    pub title: String,
    /// What its step said of it: a Metrics artifact's numbers.
    pub metadata: Map<String, Value>,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its path.
    pub step: String,
    /// Why, with its last words.
    pub what: String,
}

impl Outputs {
    pub(crate) fn left(&self, folder: &Path) -> Left {
        let one = |saved: &Saved| {
            let path = folder.join(&saved.path).display().to_string();
            Artifact {
                uri: path.clone(),
                path,
                digest: saved.digest.clone(),
                title: saved.title.clone(),
                metadata: saved.metadata.clone(),
            }
        };
        let artifacts = self.artifacts.iter();
        Left {
            parameters: self.parameters.clone(),
            artifacts: artifacts
                .map(|(name, all)| (name.clone(), all.iter().map(one).collect()))
                .collect(),
        }
    }

    /// The same of a run: its artifacts are those of steps.
    pub(crate) fn of_run(left: &Left, steps: &BTreeMap<String, StepRecord>, folder: &Path) -> Self {
        let known: BTreeMap<String, &Saved> = steps
            .values()
            .flat_map(|step| step.outputs.artifacts.values().flatten())
            .map(|saved| (folder.join(&saved.path).display().to_string(), saved))
            .collect();
        let saved = |all: &Vec<Artifact>| {
            let known = all.iter().filter_map(|one| known.get(&one.path));
            known.map(|one| (*one).clone()).collect()
        };
        let artifacts = left.artifacts.iter();
        Outputs {
            parameters: left.parameters.clone(),
            artifacts: artifacts.map(|(name, all)| (name.clone(), saved(all))).collect(),
        }
    }

    /// Whether every artifact is still what it was.
    pub(crate) fn are_there(&self, folder: &Path, bytes_max: u64) -> bool {
        self.artifacts.values().flatten().all(|saved| {
            match Tree::read(&folder.join(&saved.path), bytes_max) {
                Ok(Some(tree)) => tree.digest == saved.digest,
                Ok(None) => saved.digest.is_empty(),
                Err(_) => false,
            }
        })
    }
}

impl Record {
    /// Where it is in the folder of a run.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("run.json")
    }

    /// The record in the folder of a run, if there is one. Needs no lock: it is always whole.
    ///
    /// # Errors
    /// A file that cannot be read, or is no record.
    pub fn read(folder: &Path) -> Result<Option<Record>, Error> {
        let path = Self::path(folder);
        let bytes = match files::bounded(&path, BYTES_MAX) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let why = format!("it has more than {BYTES_MAX} bytes");
                return Err(Error::RecordBroken { path, why });
            }
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::FolderIo { path, source }),
        };
        let broken = |why: String| Error::RecordBroken {
            path: path.clone(),
            why,
        };
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        if record.format != FORMAT {
            return Err(broken(format!("format {}, expected {FORMAT}", record.format)));
        }
        let inside = |path: &str| files::is_inside(Path::new(path));
        let mut paths = record
            .steps
            .values()
            .flat_map(|step| step.outputs.artifacts.values().flatten());
        if let Some(outside) = paths.find(|saved| !inside(&saved.path)) {
            return Err(broken(format!(
                "{:?} is not below the run's folder",
                outside.path
            )));
        }
        Ok(Some(record))
    }

    /// For good, whenever something has ended.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        self.put(folder, files::write_for_good)
    }

    /// When a step begins: whole after a `kill -9`. A power cut just then can cost the record where a file
    /// system renames before it writes; the disk is not waited for before each step.
    pub(crate) fn write_quickly(&self, folder: &Path) -> Result<(), Error> {
        self.put(folder, files::write)
    }

    fn put(&self, folder: &Path, write: fn(&Path, &[u8]) -> std::io::Result<()>) -> Result<(), Error> {
        let path = Self::path(folder);
        let put = || {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            write(&path, &text)
        };
        put().map_err(|source| Error::FolderIo {
            path: path.clone(),
            source,
        })
    }
}

//! What can go wrong: with the run as a whole, and with one step.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Why a run did not begin, or could not go on. Nothing was changed where it did not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the run.
    #[error("{path}: {source}")]
    FolderIo {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Another runner lives.
    #[error("{path}: a runner is at work here; wait for it, end it, or take another folder")]
    FolderLocked {
        /// The lock.
        path: PathBuf,
    },
    /// The folder has a run.
    #[error("{path}: there is run {run_id} already; go on with {resume}, or take another folder")]
    RunExists {
        /// The record.
        path: PathBuf,
        /// Its run.
        run_id: String,
        /// The command.
        resume: String,
    },
    /// The folder has something else in it.
    #[error("{path}: is not of a run; expected an empty folder, or none")]
    FolderNotEmpty {
        /// What was found.
        path: PathBuf,
    },
    /// The folder has none.
    #[error("{path}: there is no run to go on with; start one without --resume")]
    NothingToResume {
        /// Where the record would be.
        path: PathBuf,
    },
    /// The record cannot be read.
    #[error("{path}: is no record of a run ({why}); take another folder, or remove this one")]
    RecordBroken {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another pipeline than the one that was begun.
    #[error("pipeline {name}: {digest} is not {begun}, with which the run began; start it in another folder")]
    PipelineChanged {
        /// Its name.
        name: String,
        /// Its digest now.
        digest: String,
        /// And then.
        begun: String,
    },
    /// Other parameters than the run began with.
    #[error("parameter {name}: {value} is not {begun}, with which the run began; start it in another folder")]
    ParameterChanged {
        /// Which.
        name: String,
        /// Now.
        value: String,
        /// And then.
        begun: String,
    },
    /// The pipeline or its parameters.
    #[error("{0}")]
    PipelineWrong(#[from] kfp::Problems),
    /// An image of a component that nobody can run here.
    #[error("component {component}: image {image:?}: {why}; say what it is with --image")]
    ImageUnknown {
        /// Of the pipeline.
        component: String,
        /// Its reference.
        image: String,
        /// What was expected.
        why: String,
    },
    /// A Secret, ConfigMap or claim that was not given.
    #[error("component {component}: {what} {name:?} is needed; expected {expected}")]
    ObjectMissing {
        /// Of the pipeline.
        component: String,
        /// Its kind.
        what: &'static str,
        /// Its name, with the key.
        name: String,
        /// How it is given.
        expected: &'static str,
    },
    /// More steps than the limit.
    #[error("{steps} steps; the limit is {limit}: shorten the loops, or raise the limit")]
    TooManySteps {
        /// So far.
        steps: usize,
        /// See [`crate::Limits::steps`].
        limit: usize,
    },
}

impl Error {
    /// Every id.
    pub const IDS: [&str; 12] = [
        "folder-io",
        "folder-locked",
        "run-exists",
        "folder-not-empty",
        "nothing-to-resume",
        "record-broken",
        "pipeline-changed",
        "parameter-changed",
        "pipeline-wrong",
        "image-unknown",
        "object-missing",
        "too-many-steps",
    ];

    /// Stable, for programs; also the heading in the troubleshooting page.
    pub fn id(&self) -> &'static str {
        match self {
            Error::FolderIo { .. } => "folder-io",
            Error::FolderLocked { .. } => "folder-locked",
            Error::RunExists { .. } => "run-exists",
            Error::FolderNotEmpty { .. } => "folder-not-empty",
            Error::NothingToResume { .. } => "nothing-to-resume",
            Error::RecordBroken { .. } => "record-broken",
            Error::PipelineChanged { .. } => "pipeline-changed",
            Error::ParameterChanged { .. } => "parameter-changed",
            Error::PipelineWrong(_) => "pipeline-wrong",
            Error::ImageUnknown { .. } => "image-unknown",
            Error::ObjectMissing { .. } => "object-missing",
            Error::TooManySteps { .. } => "too-many-steps",
        }
    }
}

macro_rules! faults {
    ($($name:ident = $id:literal, $doc:literal;)*) => {
        /// What was wrong with a step, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum FaultId {$(#[doc = $doc] $name,)*}

        impl FaultId {
            /// Every one.
            pub const ALL: &'static [FaultId] = &[$(FaultId::$name),*];

            /// Stable; also the heading in the troubleshooting page.
            pub fn word(self) -> &'static str {
                match self {$(FaultId::$name => $id,)*}
            }
        }
    };
}

faults! {
    ExitCode = "exit-code", "It ended with another code than 0.";
    KilledBySignal = "killed-by-signal", "A signal ended it.";
    DeadlineExceeded = "deadline-exceeded", "It took too long, or the whole run did.";
    CannotStart = "cannot-start", "The program is not there or is none.";
    KeeperLost = "keeper-lost", "The process that watches the step was killed; what the step has started may live on.";
    InputMissing = "input-missing", "A placeholder needs an input that the task was not given.";
    OutputMissing = "output-missing", "An output parameter was not written.";
    OutputMistyped = "output-mistyped", "An output parameter is of another type.";
    OutputTooLarge = "output-too-large", "An output parameter or artifact is over the limit.";
    ExecutorOutputBroken = "executor-output-broken", "executor_output.json is not what the launcher reads.";
    ArtifactNotPlain = "artifact-not-plain", "An artifact holds something else than files and folders.";
    StepFolder = "step-folder", "The step's folder cannot be made or read.";
}

impl FaultId {
    /// Whether another attempt could end otherwise.
    pub(crate) fn may_pass(self) -> bool {
        !matches!(self, FaultId::CannotStart | FaultId::InputMissing)
    }
}

/// What was wrong with a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what} [{}]", id.word())]
pub struct Fault {
    /// For programs.
    pub id: FaultId,
    /// The field, what was found and what was expected.
    pub what: String,
}

impl Fault {
    pub(crate) fn new(id: FaultId, what: impl Into<String>) -> Self {
        Fault {
            id,
            what: what.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/pipelines.md");
    const TROUBLES: &str = include_str!("../../../docs/troubleshooting.md");

    #[test]
    fn ids_are_written_as_they_are_said_and_are_in_the_docs() {
        for id in FaultId::ALL {
            assert!(PAGE.contains(&format!("`{}`", id.word())), "{id:?}");
            assert_eq!(serde_json::to_value(id).unwrap(), id.word());
        }
    }

    #[test]
    fn every_id_of_a_run_is_listed() {
        // As `id` has them, so that a new one is not forgotten.
        let said = include_str!("error.rs").lines().filter_map(|line| {
            let (_, id) = line.trim().strip_prefix("Error::")?.split_once("=> \"")?;
            id.strip_suffix("\",")
        });
        assert_eq!(said.collect::<Vec<_>>(), Error::IDS);
    }

    /// In the part of the page that is about runs on this machine, each has a heading, and each heading is one of them.
    #[test]
    fn ids_are_headings() {
        let part = TROUBLES.split("\n# Pipelines on this machine\n").nth(1).unwrap();
        let part = part.split("\n# ").next().unwrap();
        let headings: Vec<&str> = part
            .lines()
            .filter_map(|line| line.strip_prefix("### "))
            .collect();
        let faults = FaultId::ALL.iter().map(|id| id.word());
        let ids: Vec<&str> = Error::IDS.into_iter().chain(faults).collect();
        assert_eq!(headings, ids);
        for id in Error::IDS {
            assert!(PAGE.contains(&format!("`{id}`")), "{id}");
        }
    }
}

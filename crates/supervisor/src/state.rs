//! `engine/state.json`: what a successor must know when this engine is killed.

use crate::{
    plan::{Concurrency, DeploymentPlan, JobPlan},
    procfs::Identity,
    services::ServicePort,
};
use engine::{Run, RunPhase};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Another format is not read: its processes are ended as strays and started anew.
const FORMAT: u32 = 1;

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// [`FORMAT`].
    pub format: u32,
    /// Identities of another start of the machine mean nothing.
    pub boot_id: String,
    /// Head of `main` as last seen.
    pub revision: String,
    /// By name.
    pub apps: BTreeMap<String, SavedApp>,
    /// Newest first.
    pub runs: Vec<SavedRun>,
}

/// One application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedApp {
    /// Commit of what runs.
    pub live_revision: String,
    /// Stopped on purpose.
    pub suspended: bool,
    /// By name.
    pub deployments: BTreeMap<String, SavedDeployment>,
    /// Jobs that were started, by name.
    pub jobs: BTreeMap<String, SavedJob>,
    /// Its ports on this machine.
    pub services: Vec<ServicePort>,
}

/// One Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedDeployment {
    /// The release that serves; `main` may meanwhile describe another one.
    pub live: Option<DeploymentPlan>,
    /// Its processes.
    pub replicas: Vec<SavedReplica>,
}

/// One process of a Deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedReplica {
    /// Its name.
    pub name: String,
    /// Who it is.
    pub identity: Identity,
    /// Hash of its release.
    pub release: String,
    /// Image with digest, or what stands in.
    pub image: String,
    /// Where its probes are answered.
    pub probe_at: Option<SocketAddr>,
    /// Restarts so far.
    pub restarts: u32,
    /// Its output.
    pub log: PathBuf,
}

/// A Job of an overlay that was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedJob {
    /// Hash of its spec: another one is another Job.
    pub hash: String,
    /// Its run.
    pub run: String,
    /// How far it is; outlives the run.
    pub phase: RunPhase,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedRun {
    /// As reported.
    pub run: Run,
    /// Absent once it is over.
    pub unfinished: Option<SavedUnfinished>,
}

/// What is needed to go on with a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedUnfinished {
    /// As it was when the run was made.
    pub job: JobPlan,
    /// Appended to the container's.
    pub args: Vec<String>,
    /// Set over the container's.
    pub env: BTreeMap<String, String>,
    /// Of its CronJob.
    pub concurrency: Concurrency,
    /// Attempts that counted against `backoffLimit`.
    pub failed: u32,
    /// The process of the attempt under way.
    pub attempt: Option<Identity>,
}

/// Path of the file inside the state folder.
pub fn path(home: &Path) -> PathBuf {
    home.join("engine/state.json")
}

/// Reads it. A file that cannot be understood is moved aside and counts as none.
///
/// # Errors
/// The operating system's refusal, except that there is no file.
pub fn read(home: &Path) -> io::Result<Saved> {
    let path = path(home);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::default()),
        other => other?,
    };
    let understood = serde_json::from_slice::<Saved>(&text)
        .ok()
        .filter(|saved| saved.format == FORMAT);
    match understood {
        Some(saved) => Ok(saved),
        None => {
            tracing::warn!(path = %path.display(), "the state of the last engine cannot be read; set aside");
            std::fs::rename(&path, path.with_extension("json.unreadable"))?;
            Ok(Saved::default())
        }
    }
}

/// Writes it whole or not at all.
///
/// # Errors
/// The operating system's refusal; what was there stays.
pub fn write(home: &Path, saved: &Saved) -> io::Result<()> {
    let saved = Saved {
        format: FORMAT,
        ..saved.clone()
    };
    write_whole(&path(home), &serde_json::to_vec(&saved)?)
}

/// Writes aside (mode 0600), then renames: a reader sees the old or the new file.
///
/// # Errors
/// The operating system's refusal; what was there stays.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder)?;
    let mut aside = tempfile::NamedTempFile::new_in(folder)?;
    aside.write_all(content)?;
    aside.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nonsense_is_set_aside() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(read(home.path()).unwrap(), Saved::default());
        let mut saved = Saved {
            format: FORMAT,
            boot_id: "b".into(),
            ..Saved::default()
        };
        saved.apps.insert(
            "a".into(),
            SavedApp {
                suspended: true,
                ..SavedApp::default()
            },
        );
        write(home.path(), &saved).unwrap();
        assert_eq!(read(home.path()).unwrap(), saved);
        std::fs::write(path(home.path()), "{").unwrap();
        assert_eq!(read(home.path()).unwrap(), Saved::default());
        assert!(home.path().join("engine/state.json.unreadable").exists());
    }

    #[test]
    fn nothing_half_written_where_it_cannot_be_written() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("engine"), "a file where the folder should be").unwrap();
        assert!(write(home.path(), &Saved::default()).is_err());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
    }
}

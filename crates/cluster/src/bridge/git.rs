//! What the bridge reads of the repository: the head of main, and the release at a commit.

use crate::live::{Moment, Release};
use crate::workload::Workload;
use contract::names::INFERENCE_API;
use gitops::Repo;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Longest wait for Git; a status without its answer is better than none.
const DEADLINE: Duration = Duration::from_secs(4);
/// After a failure, before the next attempt.
const AGAIN: Duration = Duration::from_secs(2);

/// Image digest of the release at a commit (`None`: unreleased), or why it could not be read.
type Digest = Result<Option<String>, (String, Moment)>;

/// The repository, read through a cache below the state folder.
#[derive(Clone, Debug)]
pub struct Git {
    repo: Repo,
    environment: String,
    releases: Arc<Mutex<BTreeMap<String, Digest>>>,
}

impl Git {
    /// Opens the repository; asks nobody yet. `cache` is a folder of ours.
    ///
    /// # Errors
    /// An address that cannot be one, or a folder that cannot be written.
    pub fn open(address: &str, environment: &str, cache: &Path) -> crate::Result<Self> {
        // Reading is free; credentials would only leak further than they need to.
        let repo = Repo::open_as(address, cache, None)
            .map_err(|error| crate::Error::other(format!("open the repository: {error}")))?;
        Ok(Git {
            repo,
            environment: environment.to_owned(),
            releases: Arc::default(),
        })
    }

    /// Head of main.
    ///
    /// # Errors
    /// What Git said, or `Timeout`.
    pub async fn head(&self) -> crate::Result<String> {
        let repo = self.repo.clone();
        blocking(move || repo.head().map_err(|error| error.to_string())).await
    }

    /// Whether the Deployment of an Application has the image that the release file at `commit` names.
    pub async fn release(
        &self,
        app: &str,
        commit: Option<&str>,
        workloads: &[Workload],
        now: Moment,
    ) -> Release {
        let Some(commit) = commit.filter(|_| app == INFERENCE_API) else {
            return Release::None;
        };
        let of_api = |w: &&Workload| w.name == INFERENCE_API;
        let image = workloads.iter().find(of_api).and_then(|workload| {
            let (_, image) = workload
                .images
                .iter()
                .find(|(container, _)| container == INFERENCE_API)?;
            Some(image.clone())
        });
        match (self.digest(commit, now).await, image) {
            (Err((why, _)), _) => {
                Release::Unreadable(format!("the release at {commit} cannot be read: {why}"))
            }
            (Ok(None), _) => Release::None,
            (Ok(Some(digest)), Some(image)) if image.ends_with(&format!("@{digest}")) => Release::Matches,
            (Ok(Some(digest)), image) => Release::Differs(format!(
                "the Deployment has {}, the release at {commit} has {digest}",
                image.as_deref().unwrap_or("no such container")
            )),
        }
    }

    async fn digest(&self, commit: &str, now: Moment) -> Digest {
        let known = self.releases().get(commit).cloned();
        match known {
            Some(Ok(known)) => return Ok(known),
            Some(Err((why, at))) if now.saturating_sub(at) < AGAIN => return Err((why, at)),
            _ => {}
        }
        let (repo, environment, of) = (self.repo.clone(), self.environment.clone(), commit.to_owned());
        let read = blocking(move || {
            let release = repo
                .release_at(&of, &environment)
                .map_err(|error| error.to_string())?;
            Ok(release.map(|release| release.digest))
        });
        let digest = read.await.map_err(|error| (error.message, now));
        let mut releases = self.releases();
        if releases.len() > 100 {
            releases.clear();
        }
        releases.insert(commit.to_owned(), digest.clone());
        digest
    }

    fn releases(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Digest>> {
        self.releases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Git's calls block; one that hangs is left behind.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> crate::Result<T> {
    let done = tokio::time::timeout(DEADLINE, tokio::task::spawn_blocking(call)).await;
    match done {
        Ok(Ok(answer)) => answer.map_err(crate::Error::other),
        Ok(Err(error)) => Err(crate::Error::other(format!("read Git: {error}"))),
        Err(_) => Err(crate::Error::timeout("read Git", DEADLINE)),
    }
}

//! Waits for a release where it becomes live: the local engine, Argo CD, the API itself.

use super::{Lost, POLL, argocd};
use crate::api::Api;
use crate::cli::LiveFlags;
use crate::failure::Failure;
use crate::probe::{self, Answer};
use contract::names::{INFERENCE_API, exit};
use engine::{Engine, EngineError, Waited};
use gitops::{Release, Repo};
use std::time::{Duration, Instant};

/// How long one look at the engine waits before the branch is looked at again.
const SLICE: Duration = Duration::from_secs(3);

/// Waits for the release; who has seen it: `engine`, `argocd`, `api`, several or none.
pub fn wait(
    release: &Release,
    commit: &str,
    repo: &Repo,
    flags: &LiveFlags,
    end: Instant,
) -> Result<Vec<&'static str>, Lost> {
    let mut seen = Vec::new();
    let at = |url: &str| Api::at(url, &flags.key).map_err(Lost::Other);
    let mut api = flags.api().map(at).transpose()?;
    if let Some(application) = flags.application() {
        let cluster = cluster::in_cluster::InCluster::open("").map_err(|e| not_seen(release, e))?;
        let look = || cluster.patch_refresh(application).map_err(|e| e.to_string());
        argocd::wait(&look, release, commit, repo, api.as_ref(), end)?;
        seen.push("argocd");
        seen.extend(api.map(|_| "api"));
        return Ok(seen);
    }
    if let Some(file) = &flags.engine_file {
        let engine = super::engine(file)?;
        by_engine(&engine, release, commit, repo, end)?;
        seen.push("engine");
        if api.is_none()
            && let Ok(url) = engine.address(INFERENCE_API)
        {
            api = Some(at(&url)?);
        }
    }
    if let Some(api) = api {
        by_api(&api, release, end)?;
        seen.push("api");
    }
    Ok(seen)
}

/// Says that the branch has moved, so that it is seen now and not at the next poll. Only for speed:
/// whatever fails here changes nothing about what was committed.
pub fn announce(flags: &LiveFlags, commit: &str) {
    if let Some(application) = flags.application() {
        let end = Instant::now() + Duration::from_secs(10);
        let Ok(cluster) = cluster::in_cluster::InCluster::open("") else {
            return;
        };
        // A refresh that is asked for during a comparison is lost: asked again until it is seen.
        while Instant::now() < end {
            let seen = cluster.patch_refresh(application).unwrap_or_default();
            if seen
                .pointer("/sync/revision")
                .is_some_and(|revision| revision == commit)
            {
                return;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    } else if let Some(engine) = flags
        .engine_file
        .as_deref()
        .and_then(|file| super::engine(file).ok())
    {
        let _ = engine.refresh();
    }
}

/// Nobody could be asked.
fn not_seen(release: &Release, text: impl std::fmt::Display) -> Lost {
    let text = format!("whether {} is live is not known: {text}", release.tag);
    Lost::Other(Failure::new(exit::NOT_LIVE, text))
}

fn by_engine(
    engine: &dyn Engine,
    release: &Release,
    commit: &str,
    repo: &Repo,
    end: Instant,
) -> Result<(), Lost> {
    let mut commit = commit.to_owned();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let last = match engine::wait_live(engine, INFERENCE_API, &commit, SLICE.min(left)) {
            Ok(Waited::Live(_)) => return Ok(()),
            Ok(Waited::Degraded(text)) => return Err(Lost::NotLive(text)),
            Err(e @ EngineError::Deadline { .. }) => Lost::NotLive(e.to_string()),
            // It may be on its way up again; while it is down nothing is rolled out.
            Err(e @ EngineError::Unreachable { .. }) => not_seen(release, e),
            Err(e) => return Err(not_seen(release, e)),
        };
        if left.is_zero() {
            return Err(last);
        }
        // The branch may have gone on: by something else, then its head is to be live; or by
        // another release, then ours never will be.
        not_replaced(release, repo.current(&release.environment)?)?;
        commit = repo.head()?;
        std::thread::sleep(POLL);
    }
}

/// OUTRUN where the head has another release.
pub fn not_replaced(release: &Release, current: Option<Release>) -> Result<(), Lost> {
    match current {
        Some(current) if current.digest == release.digest => Ok(()),
        other => {
            let now = other.map_or("unreleased".to_owned(), |release| release.tag.to_string());
            let text = format!("{} was replaced by {now} before it was live", release.tag);
            Err(Lost::Other(Failure::new(exit::OUTRUN, text)))
        }
    }
}

fn by_api(api: &Api, release: &Release, end: Instant) -> Result<(), Lost> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let answer = probe::info(api, release, left.clamp(POLL, Duration::from_secs(5)));
        let last = match answer {
            Answer::Ours(_) => return Ok(()),
            other @ Answer::Other(_) => Lost::NotLive(format!("{}: {}", api.base(), other.said())),
            // Behind no answer there may be a wrong address as well as a release that is down.
            Answer::None(text) => not_seen(release, text),
        };
        if left.is_zero() {
            return Err(last);
        }
        std::thread::sleep(POLL);
    }
}

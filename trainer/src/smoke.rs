//! `smoke`: the last word about a release, said after Argo CD has synced it: the API is asked, and
//! the alias `champion` names its version. Whoever released it, a robot or a person.

use crate::api::Api;
use crate::cli::SmokeFlags;
use crate::failure::{Failure, Result};
use crate::mlflow::Tracking;
use crate::outcome::{Outcome, Status};
use crate::probe::{self, Answer};
use crate::{champion, live};
use contract::names::{ALIAS_CHAMPION, exit};
use gitops::{Release, Repo};
use serde_json::json;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(250);

/// Asks and moves the alias.
///
/// # Errors
/// NOT_LIVE when the API does not serve the release at the head before the deadline, GIT, MLFLOW.
pub fn smoke(flags: &SmokeFlags) -> Result<Outcome> {
    let cache = tempfile::tempdir().map_err(anyhow::Error::new)?;
    let repo = live::repository(&flags.git, cache.path())?;
    let environment = &flags.git.environment;
    let Some(release) = repo.current(environment)? else {
        let detail = json!({"environment": environment, "released": false});
        let text = format!("nothing is released to {environment} yet");
        return Ok(Outcome::new("smoke", Status::Skipped, detail, text));
    };
    let detail = json!({
        "environment": environment, "tag": release.tag.to_string(), "digest": release.digest,
        "model_version": release.model_version,
    });
    // The manifests that this hook came with may be those of a commit before the head.
    if let Some(image) = flags.release_image.as_deref()
        && digest_of(image) != Some(&release.digest)
    {
        let text = format!(
            "this sync brought {image}: {} is for the sync that brings it",
            release.tag
        );
        return Ok(Outcome::new("smoke", Status::Skipped, detail, text));
    }
    if let Some(other) = wait(&repo, &release, flags)? {
        return Ok(Outcome::new("smoke", Status::Skipped, detail, other));
    }
    // A person may have taken it back while it was asked: then the alias is not this one's.
    if let Some(other) = replaced(&repo, &release)? {
        return Ok(Outcome::new("smoke", Status::Skipped, detail, other));
    }
    let tracking = Tracking::open(&flags.mlflow)?;
    let moved = champion::point(&tracking, &flags.model_name, release.model_version)?;
    let status = if moved { Status::Done } else { Status::Already };
    let text = format!(
        "{} answers; {ALIAS_CHAMPION} is version {}",
        release.tag, release.model_version
    );
    Ok(Outcome::new("smoke", status, detail, text))
}

/// Waits until the API answers as the release says; a text where that is not to be expected any more.
fn wait(repo: &Repo, release: &Release, flags: &SmokeFlags) -> Result<Option<String>> {
    let end = Instant::now() + Duration::from_secs(flags.smoke_deadline);
    let api = Api::at(&flags.api_url, &flags.key)?;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let answer = probe::all(&api, release, left.clamp(POLL, Duration::from_secs(5)));
        if let Answer::Ours(_) = answer {
            return Ok(None);
        }
        if let Some(text) = replaced(repo, release)? {
            return Ok(Some(text));
        }
        if left.is_zero() {
            let text = format!(
                "{} is not live at {}: {}",
                release.tag,
                flags.api_url,
                answer.said()
            );
            return Err(Failure::new(exit::NOT_LIVE, text));
        }
        std::thread::sleep(POLL);
    }
}

/// A text where the head has another release by now.
fn replaced(repo: &Repo, release: &Release) -> Result<Option<String>> {
    let current = repo.current(&release.environment)?;
    Ok(match current {
        Some(current) if current == *release => None,
        other => {
            let now = other.map_or("unreleased".to_owned(), |release| release.tag.to_string());
            Some(format!("{} was replaced by {now} meanwhile", release.tag))
        }
    })
}

/// `sha256:<hex>` of a reference; `None` where it names no digest, as before the first release.
fn digest_of(image: &str) -> Option<&str> {
    Some(image.rsplit_once('@')?.1)
}

//! `confirm`: waits until the promoted commit is live; then the alias `champion` names its version.
//! What does not come up is taken back by one commit more.

mod argocd;
mod status;
mod watch;
mod withdraw;

use crate::api::Api;
use crate::champion;
use crate::cli::LiveFlags;
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::mlflow::Tracking;
use crate::outcome::{Outcome, Status};
use crate::promote;
use contract::names::{ALIAS_CHAMPION, exit};
use engine::{Endpoint, EngineClient};
use gitops::{Release, Repo};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
pub use withdraw::{Promotion, told_before};

const POLL: Duration = Duration::from_millis(50);
/// How long the hook after the sync may take to move the alias when all else is live.
const HOOK: Duration = Duration::from_secs(10);

/// The engine behind its endpoint file.
///
/// # Errors
/// When the file cannot be read.
pub fn engine(file: &Path) -> Result<EngineClient> {
    let endpoint: Option<Endpoint> = crate::folder::read_json(file)?;
    let endpoint = endpoint
        .ok_or_else(|| anyhow::anyhow!("no engine has written {}: is it running?", file.display()))?;
    Ok(EngineClient::new(endpoint))
}

/// Why a release is not known to be live.
enum Lost {
    /// Who rolls out was asked, and it is not live: it is to be taken back.
    NotLive(String),
    /// It was replaced, or nobody could be asked: there is nothing to take back.
    Other(Failure),
}

impl<T: Into<Failure>> From<T> for Lost {
    fn from(failure: T) -> Self {
        Lost::Other(failure.into())
    }
}

/// Waits and moves the alias.
///
/// # Errors
/// NOT_LIVE when the release is degraded or the deadline passes, and was taken back; OUTRUN when
/// somebody released something else meanwhile; GIT when it could not be taken back; MLFLOW when the
/// alias cannot be set.
pub fn confirm(
    folder: &Folder,
    repo: &Repo,
    environment: &str,
    tracking: &Tracking,
    flags: &LiveFlags,
) -> Result<Outcome> {
    let release = promote::release(folder, environment)?;
    let commit = folder.require("promote")?.text("commit").to_owned();
    let name = crate::validate::candidate(&folder.model())?.manifest.name;
    let version = release.model_version;
    let start = Instant::now();
    let end = start + Duration::from_secs(flags.live_deadline);
    let seen = watch::wait(&release, &commit, repo, flags, end).map_err(|lost| {
        let promotion = Promotion {
            release: &release,
            commit: &commit,
            model_name: &name,
        };
        let failure = withdraw::after(folder, repo, tracking, &promotion, lost);
        if let Ok(Some(taken_back)) = folder.finished("withdraw") {
            watch::announce(flags, taken_back.text("commit"));
        }
        failure
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let mut detail =
        json!({"model_version": version, "commit": commit, "seen_by": seen, "live_after_seconds": seconds});
    if seen.is_empty() {
        detail["reason"] = "neither an engine nor an API address is known".into();
        let summary = format!("not looked for: no engine, no API address; {ALIAS_CHAMPION} stays");
        return Ok(Outcome::new("confirm", Status::Skipped, detail, summary));
    }
    if flags.application().is_some() {
        after_hook(tracking, &name, &release, flags)?;
    } else {
        champion::point(tracking, &name, version)?;
    }
    let tags = [
        ("outcome", "promoted"),
        ("commit", commit.as_str()),
        ("image-digest", &release.digest),
        ("image-tag", &release.tag.to_string()),
    ];
    // `challenger` is taken from it: it is the champion now.
    tracking.tell_outcome(&name, version, &tags, true)?;
    detail["alias"] = ALIAS_CHAMPION.into();
    let summary = format!("live after {seconds:.2} s; {ALIAS_CHAMPION} is version {version}");
    Ok(Outcome::new("confirm", Status::Done, detail, summary))
}

/// In a cluster the hook after the sync (`smoke`) moves the alias, for every release alike. Where that
/// hook is missing, or took this release for another's, the same questions are asked from here.
fn after_hook(tracking: &Tracking, name: &str, release: &Release, flags: &LiveFlags) -> Result<()> {
    let end = Instant::now() + HOOK;
    while Instant::now() < end {
        if tracking.alias(name, ALIAS_CHAMPION)? == Some(release.model_version) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let api = flags.api().ok_or_else(|| {
        let text = format!(
            "{} is rolled out, but no hook has moved {ALIAS_CHAMPION}",
            release.tag
        );
        Failure::new(exit::MLFLOW, text)
    })?;
    let api = Api::at(api, &flags.key)?;
    match crate::probe::all(&api, release, Duration::from_secs(5)) {
        crate::probe::Answer::Ours(_) => champion::point(tracking, name, release.model_version).map(drop),
        other => {
            let text = format!("{} was live a moment ago; now {}", release.tag, other.said());
            Err(Failure::new(exit::MLFLOW, text))
        }
    }
}

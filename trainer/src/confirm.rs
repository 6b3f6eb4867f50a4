//! `confirm`: waits until the promoted commit is live, then the alias `champion` names its version.

use crate::cli::LiveFlags;
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::mlflow::Tracking;
use crate::outcome::{Outcome, Status};
use crate::{net, promote};
use contract::ModelInfo;
use contract::names::{ALIAS_CHAMPION, INFERENCE_API, exit};
use engine::{Endpoint, Engine, EngineClient, EngineError, Waited};
use gitops::{Release, Repo};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long one look at the engine waits before the branch is looked at again.
const SLICE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(50);

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

/// Waits and moves the alias.
///
/// # Errors
/// NOT_LIVE when the release is degraded or the deadline passes, OUTRUN when somebody released
/// something else meanwhile, MLFLOW when the alias cannot be set.
pub fn confirm(
    folder: &Folder,
    repo: &Repo,
    environment: &str,
    tracking: &Tracking,
    flags: &LiveFlags,
) -> Result<Outcome> {
    let release = promote::release(folder, environment)?;
    let promoted = folder.require("promote")?;
    let (name, version) = (contract_name(folder)?, release.model_version);
    let start = Instant::now();
    let seen = match wait(&release, promoted.text("commit"), repo, flags) {
        Ok(seen) => seen,
        Err(failure) => {
            let lost = failure.exit == exit::OUTRUN;
            let outcome = if lost { "outrun" } else { "not-live" };
            let tags = [("outcome", outcome), ("outcome-reason", &failure.to_string())];
            if let Err(e) = tracking.tell_outcome(&name, version, &tags, lost) {
                eprintln!("trainer: the version's outcome is not in MLflow: {e}");
            }
            return Err(failure);
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let mut detail = json!({"model_version": version, "commit": promoted.text("commit"), "seen_by": seen, "live_after_seconds": seconds});
    if seen.is_empty() {
        detail["reason"] = "neither an engine nor an API address is known".into();
        let summary = format!("not looked for: no engine, no API address; {ALIAS_CHAMPION} stays");
        return Ok(Outcome::new("confirm", Status::Skipped, detail, summary));
    }
    tracking.set_alias(&name, ALIAS_CHAMPION, version)?;
    let tags = [
        ("outcome", "promoted"),
        ("commit", promoted.text("commit")),
        ("image-digest", &release.digest),
        ("image-tag", &release.tag.to_string()),
    ];
    // `challenger` is taken from it: it is the champion now.
    tracking.tell_outcome(&name, version, &tags, true)?;
    detail["alias"] = ALIAS_CHAMPION.into();
    let summary = format!("live after {seconds:.2} s; {ALIAS_CHAMPION} is version {version}");
    Ok(Outcome::new("confirm", Status::Done, detail, summary))
}

fn contract_name(folder: &Folder) -> Result<String> {
    Ok(crate::validate::candidate(&folder.model())?.manifest.name)
}

/// Waits for the release; who has seen it: engine, API, both or none.
fn wait(release: &Release, commit: &str, repo: &Repo, flags: &LiveFlags) -> Result<Vec<&'static str>> {
    let end = Instant::now() + Duration::from_secs(flags.live_deadline);
    let mut seen = Vec::new();
    let mut api = flags.api_url.clone().filter(|url| !url.is_empty());
    if let Some(file) = &flags.engine_file {
        let engine = engine(file)?;
        by_engine(&engine, release, commit, repo, end)?;
        seen.push("engine");
        api = api.or_else(|| engine.address(INFERENCE_API).ok());
    }
    if let Some(api) = api {
        by_api(&api, release, end)?;
        seen.push("api");
    }
    Ok(seen)
}

fn by_engine(engine: &dyn Engine, release: &Release, commit: &str, repo: &Repo, end: Instant) -> Result<()> {
    let not_live =
        |text: String| Failure::new(exit::NOT_LIVE, format!("{} is not live: {text}", release.tag));
    let mut commit = commit.to_owned();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let last = match engine::wait_live(engine, INFERENCE_API, &commit, SLICE.min(left)) {
            Ok(Waited::Live(_)) => return Ok(()),
            Ok(Waited::Degraded(text)) => return Err(not_live(text)),
            Err(e @ (EngineError::Deadline { .. } | EngineError::Unreachable { .. })) => e.to_string(),
            Err(e) => return Err(not_live(e.to_string())),
        };
        if left.is_zero() {
            return Err(not_live(last));
        }
        // The branch may have gone on: by something else, then its head is to be live; or by
        // another release, then ours never will be.
        match repo.current(&release.environment)? {
            Some(current) if current.digest == release.digest => commit = repo.head()?,
            other => {
                let now = other.map_or("unreleased".to_owned(), |release| release.tag.to_string());
                return Err(Failure::new(
                    exit::OUTRUN,
                    format!("{} was replaced by {now} before it was live", release.tag),
                ));
            }
        }
        std::thread::sleep(POLL);
    }
}

fn by_api(api: &str, release: &Release, end: Instant) -> Result<()> {
    let url = format!("{}/model/info", api.trim_end_matches('/'));
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let last = match net::get_json::<ModelInfo>(&url, left.clamp(POLL, Duration::from_secs(5))) {
            Ok(info)
                if info.digests.model == release.model_digest
                    && info
                        .digests
                        .image
                        .as_ref()
                        .is_none_or(|image| *image == release.digest) =>
            {
                return Ok(());
            }
            Ok(info) => format!(
                "it serves version {} (model {})",
                info.model_version, info.digests.model
            ),
            Err(e) => e,
        };
        if left.is_zero() {
            return Err(Failure::new(
                exit::NOT_LIVE,
                format!("{} is not live at {url}: {last}", release.tag),
            ));
        }
        std::thread::sleep(POLL);
    }
}

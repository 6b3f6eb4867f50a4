//! What did not come up: taken back in Git, told in MLflow, ended with an exit code.

use super::Lost;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::hook;
use crate::mlflow::Tracking;
use crate::outcome::{Outcome, Status};
use contract::names::exit;
use gitops::{Error, LogEntry, Release, Repo};
use serde_json::json;

/// A release and the commit that made it live.
pub struct Promotion<'a> {
    /// What was released.
    pub release: &'a Release,
    /// Full hex.
    pub commit: &'a str,
    /// Registered model.
    pub model_name: &'a str,
}

/// Does what is to be done about a release that is not live; how the run ends.
pub fn after(
    folder: &Folder,
    repo: &Repo,
    tracking: &Tracking,
    promotion: &Promotion<'_>,
    lost: Lost,
) -> Failure {
    let environment = &promotion.release.environment;
    let (tag, version) = (&promotion.release.tag, promotion.release.model_version);
    let reason = match lost {
        Lost::NotLive(reason) => reason,
        Lost::Other(failure) => {
            // Killed directly after the withdrawal, a second start finds another release at the head.
            if failure.exit == exit::OUTRUN
                && let Ok(Some(entry)) = repo.withdrawal(promotion.commit, environment)
            {
                let _ = folder.keep(&record(&entry.commit, true));
                return told_before(tracking, promotion.model_name, version, &tag.to_string(), &entry);
            }
            let outcome = if failure.exit == exit::OUTRUN {
                "outrun"
            } else {
                "not-live"
            };
            if matches!(failure.exit, exit::OUTRUN | exit::NOT_LIVE) {
                tell(
                    tracking,
                    promotion.model_name,
                    version,
                    outcome,
                    &failure.to_string(),
                    None,
                );
            }
            return failure;
        }
    };
    let text = format!("{tag} is not live: {reason}");
    eprintln!("trainer: {text}; taking it back");
    match repo.withdraw(environment, promotion.release, &reason) {
        Ok(withdrawn) => {
            hook::point("withdraw:act");
            if let Err(failure) = folder.keep(&record(&withdrawn.commit, withdrawn.already)) {
                return failure;
            }
            hook::point("withdraw");
            tell(
                tracking,
                promotion.model_name,
                version,
                "withdrawn",
                &reason,
                Some(&withdrawn.commit),
            );
            ended(&text, &withdrawn.commit, withdrawn.already)
        }
        Err(error @ Error::Outrun { .. }) => {
            let failure = Failure::from(error).during(text);
            tell(
                tracking,
                promotion.model_name,
                version,
                "outrun",
                &failure.to_string(),
                None,
            );
            failure
        }
        Err(error @ Error::NotOurs { .. }) => {
            let text = format!("{text}; {error}");
            tell(tracking, promotion.model_name, version, "not-live", &text, None);
            Failure::new(exit::NOT_LIVE, text)
        }
        // A second start finds the promotion, looks again, and takes it back then.
        Err(error) => Failure::from(error).during(format!("{text}; it could not be taken back")),
    }
}

/// How a run ends whose promotion was taken back by an earlier start of it.
pub fn told_before(
    tracking: &Tracking,
    model_name: &str,
    version: u64,
    tag: &str,
    withdrawal: &LogEntry,
) -> Failure {
    let reason = withdrawal.trailers.iter().find(|(key, _)| key == "Reason");
    let reason = reason.map_or("", |(_, value)| value);
    tell(
        tracking,
        model_name,
        version,
        "withdrawn",
        reason,
        Some(&withdrawal.commit),
    );
    ended(&format!("{tag} is not live: {reason}"), &withdrawal.commit, true)
}

fn record(commit: &str, already: bool) -> Outcome {
    let status = if already { Status::Already } else { Status::Done };
    Outcome::new("withdraw", status, json!({"commit": commit}), "taken back")
}

fn ended(text: &str, commit: &str, already: bool) -> Failure {
    let short = commit.get(..7).unwrap_or_default();
    Failure::new(exit::NOT_LIVE, format!("{text}; taken back by commit {short}"))
        .with("withdrawn", json!({"commit": commit, "already": already}))
}

/// Says on the version what became of it. The verdict stands also when MLflow cannot be told.
fn tell(tracking: &Tracking, name: &str, version: u64, outcome: &str, reason: &str, commit: Option<&str>) {
    let mut tags = vec![("outcome", outcome), ("outcome-reason", reason)];
    tags.extend(commit.map(|commit| ("withdrawn-by", commit)));
    // What was not decided may still win.
    let lost = outcome != "not-live";
    if let Err(e) = tracking.tell_outcome(name, version, &tags, lost) {
        eprintln!("trainer: the version's outcome is not in MLflow: {e}");
    }
}

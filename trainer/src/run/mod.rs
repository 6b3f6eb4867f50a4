//! `run`: all steps, one line each, and what was cut off taken up again.

mod request;
mod resume;
mod shelf;
mod steps;

use crate::cli::RunFlags;
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::live;
use crate::mlflow::{Tracking, down};
use crate::outcome::{Outcome, Status};
use crate::{hook, load, news, package};
use contract::names::{ALIAS_CHAMPION, exit};
use gitops::{Release, Repo};
use request::{Ended, Request, State};
use resume::Earlier;
use serde_json::json;
use shelf::Shelf;
use std::time::Instant;

/// Runs all steps. A refused candidate is an [`Outcome`]; everything else that stops it an error.
///
/// # Errors
/// Each with its exit code.
pub fn run(flags: &RunFlags) -> Result<Outcome> {
    let start = Instant::now();
    let shelf = Shelf::open(&flags.work_dir)?;
    let incoming = shelf.incoming()?;
    let (mut loaded, table) = load::load(&flags.data, &flags.labelled, &flags.live.key, &incoming)?;
    let dataset = table.describe(0).digest;
    // The steps read the copies.
    drop(table);
    // What is not would not get so far.
    loaded.detail.insert("news".to_owned(), true.into());

    let repo = live::repository(&flags.git, &flags.work_dir)?;
    let current = repo.current(&flags.git.environment)?;
    let tracking = Tracking::open(&flags.mlflow)?
        .of_nonce(flags.nonce())
        .because(flags.cause.tags());
    let request = Request::new(flags, &dataset);
    let earlier = earlier(&shelf, &repo, flags, &request)?;
    let found = unfinished(
        &shelf,
        &request,
        current.as_ref(),
        &tracking,
        &repo,
        earlier.as_ref(),
    )?;
    let (folder, state) = match found {
        Some(found) => {
            steps::line(
                1,
                "load",
                "already",
                start,
                &format!("run {} goes on where it was cut off", found.1.short()),
            );
            found
        }
        None => {
            if let Some(earlier) = &earlier {
                earlier.still_live(current.as_ref(), &repo, &tracking)?;
            } else if !flags.force
                && let Some(reason) =
                    news::nothing_new(&repo, &flags.git.environment, current.as_ref(), &dataset)?
            {
                align(&tracking, flags, current.as_ref());
                return Err(Failure::new(exit::NOTHING_NEW, reason));
            }
            let state = match &earlier {
                Some(earlier) => earlier.state.clone(),
                None => State::new(request, current.as_ref(), &shelf.nonce(flags)?),
            };
            if let Some(refused) = refused_before(&shelf, &state)? {
                return Ok(refused);
            }
            incoming.keep(&loaded)?;
            hook::point("load:act");
            let folder = shelf.begin(&incoming, &state)?;
            steps::line(1, "load", "done", start, &loaded.summary);
            (folder, state)
        }
    };
    hook::point("load");

    // Before anything is begun: what will be needed at the end must be there now.
    tracking.version().map_err(down)?;
    // Begun by an earlier pod of this Job, with another model live: that one cannot be promoted.
    tracking.abandon_others(&state.key).map_err(down)?;
    let store = flags.images.open()?;
    package::probe(store.as_ref(), &flags.base_image)?;

    let ended = steps::steps(flags, &folder, &state, start);
    let verdict = match &ended {
        Ok(outcome) if outcome.status == Status::Refused => Some(Ended::Refused),
        Ok(_) => Some(Ended::Promoted),
        Err(failure) if matches!(failure.exit, exit::OUTRUN | exit::NOTHING_NEW) => Some(Ended::Outrun),
        Err(_) if folder.finished("withdraw")?.is_some() => Some(Ended::Withdrawn),
        // Anything else may end better the next time.
        Err(_) => None,
    };
    if let Some(verdict) = verdict {
        shelf.end(&folder, &state, verdict)?;
    }
    ended
}

/// The promotion of this very run, where it is known by a nonce and not by a folder that has ended.
fn earlier(shelf: &Shelf, repo: &Repo, flags: &RunFlags, request: &Request) -> Result<Option<Earlier>> {
    let Some(nonce) = flags.nonce() else {
        return Ok(None);
    };
    let Some(found) = resume::find(repo, &flags.git.environment, request, nonce)? else {
        return Ok(None);
    };
    let is_over = shelf
        .of_key(&found.state.key)?
        .is_some_and(|(_, state)| state.ended.is_some());
    Ok((!is_over).then_some(found))
}

/// A run for the same request that was cut off and can still be brought to its end.
fn unfinished(
    shelf: &Shelf,
    request: &Request,
    current: Option<&Release>,
    tracking: &Tracking,
    repo: &Repo,
    earlier: Option<&Earlier>,
) -> Result<Option<(Folder, State)>> {
    for (folder, state) in shelf.unfinished(request)? {
        let live = current.map(|release| release.digest.clone());
        let registered = folder
            .finished("register")?
            .map(|outcome| outcome.text("run_id").to_owned());
        let is_ours = current.is_some_and(|release| registered.as_ref() == Some(&release.run_id))
            || earlier.is_some_and(|earlier| earlier.state.key == state.key && earlier.is(current));
        let promoted = folder.finished("promote")?;
        if is_ours || (promoted.is_none() && live == state.expected_previous) {
            return Ok(Some((folder, state)));
        }
        // Taken back for this run, which was killed before it could say so.
        if let Some(promoted) = promoted
            && repo
                .withdrawal(promoted.text("commit"), state.environment())?
                .is_some()
        {
            return Ok(Some((folder, state)));
        }
        // What it was compared with is not live any more: it cannot be promoted.
        tracking.abandon(&state.key, "outrun").map_err(down)?;
        shelf.end(&folder, &state, Ended::Outrun)?;
    }
    Ok(None)
}

/// The verdict on the same request, where it was refused before.
fn refused_before(shelf: &Shelf, state: &State) -> Result<Option<Outcome>> {
    let Some((folder, old)) = shelf.of_key(&state.key)? else {
        return Ok(None);
    };
    if old.ended != Some(Ended::Refused) {
        return Ok(None);
    }
    Ok(folder.finished("validate")?.map(|verdict| {
        let detail = json!({
            "reasons": verdict.detail.get("reasons"), "metrics": verdict.detail.get("metrics"),
            "run_key": old.key, "exit_code": exit::REFUSED, "known": true,
        });
        Outcome::new(
            "run",
            Status::Refused,
            detail,
            format!("refused before: {}", verdict.summary),
        )
    }))
}

/// After a revert by hand the alias still names the model that was taken back. Only an attempt: a run
/// that has nothing to do must not fail for want of MLflow.
fn align(tracking: &Tracking, flags: &RunFlags, current: Option<&Release>) {
    let Some(release) = current else { return };
    let name = &flags.learn.model_name;
    let aligned = tracking
        .alias(name, ALIAS_CHAMPION)
        .and_then(|champion| match champion {
            Some(version) if version != release.model_version => {
                eprintln!(
                    "trainer: {ALIAS_CHAMPION} was version {version}, the live model is {}",
                    release.model_version
                );
                tracking.set_alias(name, ALIAS_CHAMPION, release.model_version)
            }
            _ => Ok(()),
        });
    if let Err(e) = aligned {
        eprintln!("trainer: the alias {ALIAS_CHAMPION} was not compared with what is live: {e}");
    }
}

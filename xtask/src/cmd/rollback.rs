//! `rollback`: brings an earlier release back by one commit, and waits until it serves.

use crate::{
    cmd::status,
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    flags::RollbackFlags,
    git::{self, Promotion, Released},
    step::Deadline,
};
use contract::names::{MLFLOW, release_file};
use engine::Engine;
use std::time::{Duration, Instant};

/// What was done.
pub struct RolledBack {
    /// The commit that brought the earlier release back.
    pub commit: String,
    /// What is released now.
    pub to: Option<Released>,
    /// From the push to serving.
    pub took: Duration,
    /// When it served.
    pub at: Instant,
}

/// Rolls back and says so.
///
/// # Errors
/// `nothing-to-roll-back`, `unknown-release`, `git-moved`, `app-degraded`, `not-live`.
pub fn command(ctx: &Ctx, flags: &RollbackFlags) -> Outcome<()> {
    let engine = ctx.engine()?;
    ctx.report.begin("rollback");
    let done = run(
        ctx,
        engine.as_ref(),
        flags.to.as_deref(),
        Deadline::after(Duration::from_secs(60)),
    )?;
    if ctx.exec.pretends() {
        return Ok(());
    }
    say(ctx, &done);
    Ok(())
}

/// Prints what serves now.
pub fn say(ctx: &Ctx, done: &RolledBack) {
    let (commit, seconds) = (git::short(&done.commit), done.took.as_secs_f64());
    if ctx.json {
        ctx.result(
            &serde_json::json!({"commit": done.commit, "released": done.to, "seconds": seconds}).to_string(),
        );
    } else if let Some(released) = &done.to {
        ctx.result(&format!(
            "{} serves, by commit {commit}, {seconds:.1} s after the push.",
            released.tag
        ));
    }
}

/// Reverts, pushes, waits until it serves, and lets the champion alias follow.
///
/// # Errors
/// As [`command`].
pub fn run(ctx: &Ctx, engine: &dyn Engine, to: Option<&str>, deadline: Deadline) -> Outcome<RolledBack> {
    let (commit, released) = commit(ctx, to)?;
    let took = status::wait_live(ctx, engine, &commit, deadline)?;
    let at = Instant::now();
    follow(ctx, engine, released.as_ref(), deadline);
    Ok(RolledBack {
        commit,
        to: released,
        took,
        at,
    })
}

/// Makes and pushes the one commit. A push is never forced: when the branch moved, it begins anew.
fn commit(ctx: &Ctx, to: Option<&str>) -> Outcome<(String, Option<Released>)> {
    let mut last = Failure::new(Id::GitMoved, "push the rollback");
    for _ in 0..3 {
        let clone = git::Clone::of(ctx, "rollback")?;
        if ctx.exec.pretends() {
            clone.must(
                "revert",
                &["revert", "--no-edit", to.unwrap_or("<last promotion>")],
            )?;
            return Ok((clone.push()?, None));
        }
        let released = match to {
            Some(commit) => restore(ctx, &clone, commit)?,
            None => revert(ctx, &clone)?,
        };
        match clone.push() {
            Ok(commit) => return Ok((commit, released)),
            Err(failure) if failure.id == Id::GitMoved => last = failure,
            Err(failure) => return Err(failure),
        }
    }
    Err(last)
}

/// The promotion that made the release what it is now, and the release before it.
///
/// Reverts also change the release, so the newest commit is not always the one: after a rollback
/// from C to B the promotion in effect is B's, and rolling back once more brings A back.
pub fn in_effect(changes: &[Promotion]) -> Option<(&Promotion, Option<&Released>)> {
    let now = changes.first()?.released.as_ref()?;
    let index = changes
        .iter()
        .rposition(|change| change.is_promotion() && change.released.as_ref() == Some(now))?;
    let before = changes.get(index + 1).and_then(|change| change.released.as_ref());
    Some((&changes[index], before))
}

fn revert(ctx: &Ctx, clone: &git::Clone<'_>) -> Outcome<Option<Released>> {
    let changes = git::promotions(ctx, clone, 1000)?;
    let attempted = "find the promotion to take back";
    let Some((promotion, Some(before))) = in_effect(&changes) else {
        return Err(
            Failure::new(Id::NothingToRollBack, attempted).because(match changes.len() {
                0 => "nothing was promoted yet",
                _ => "there is no release before the one that is live",
            }),
        );
    };
    let attempted = format!(
        "git revert {} ({})",
        git::short(&promotion.commit),
        promotion.subject
    );
    let reverted = clone.tries(&attempted, &["revert", "--no-edit", &promotion.commit])?;
    if !reverted.ok() {
        return Err(Failure::new(Id::GitDiverged, attempted)
            .because(reverted.tail(1).join(" "))
            .next("cargo xtask rollback --to COMMIT (cargo xtask status lists them)"));
    }
    Ok(Some(before.clone()))
}

fn restore(ctx: &Ctx, clone: &git::Clone<'_>, commit: &str) -> Outcome<Option<Released>> {
    let attempted = format!("bring back the release of commit {commit}");
    let unknown = |cause: String| Failure::new(Id::UnknownRelease, attempted.clone()).because(cause);
    let full = git::ask(
        ctx,
        &git::reads(clone.dir()).args([
            "rev-parse",
            "--quiet",
            "--verify",
            &format!("{commit}^{{commit}}"),
        ]),
    )?
    .ok_or_else(|| unknown("main has no such commit".to_owned()))?;
    let then = git::released(ctx, clone, &full).map_err(|failure| unknown(failure.causes.join(": ")))?;
    let Some(then) = then else {
        return Err(unknown("nothing was released then".to_owned()));
    };
    if git::released(ctx, clone, "HEAD")?.as_ref() == Some(&then) {
        return Err(Failure::new(Id::NothingToRollBack, attempted)
            .because(format!("{} is released already", then.tag)));
    }
    let file = release_file(&ctx.environment);
    clone.must(&attempted, &["checkout", "--quiet", &full, "--", &file])?;
    // Subject and trailers of the promotion say where the model comes from; they hold again.
    let message = ctx.must(
        Id::GitFailed,
        &attempted,
        &git::reads(clone.dir()).args(["log", "-1", "--format=%B", &full]),
    )?;
    let (subject, trailers) = message.stdout.split_once('\n').unwrap_or((&message.stdout, ""));
    let subject = if subject.starts_with("promote(") {
        subject.to_owned()
    } else {
        format!("promote({}): inference-api {}", ctx.environment, then.tag)
    };
    let text = format!("{subject}\n\n{}\nRestored-From: {full}\n", trailers.trim());
    clone.must(
        &attempted,
        &["commit", "--quiet", "--no-verify", "--message", &text],
    )?;
    Ok(Some(then))
}

/// The champion alias in MLflow follows what is live; the trainer has the client for it.
fn follow(ctx: &Ctx, engine: &dyn Engine, released: Option<&Released>, deadline: Deadline) {
    let version = released.map_or_else(
        || "VERSION".to_owned(),
        |released| released.tag.model_version.to_string(),
    );
    let mlflow = engine
        .address(MLFLOW)
        .unwrap_or_else(|_| "MLFLOW-ADDRESS".to_owned());
    let cmd = Cmd::changes(ctx.binary("trainer").display().to_string())
        .args(["champion", "--mlflow-uri", &mlflow, "--model-version", &version])
        .deadline(deadline.left());
    // The model serves; only its label in MLflow may be behind, and the next promotion mends that.
    if let Err(failure) = ctx.must(
        Id::MlflowUnreachable,
        "move the champion alias to the live model",
        &cmd,
    ) {
        let why = failure.causes.join(": ");
        ctx.report.warn(
            Id::MlflowUnreachable,
            &format!("the champion alias was not moved: {why}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(subject: &str, tag: Option<&str>) -> Promotion {
        Promotion {
            commit: subject.to_owned(),
            at: String::new(),
            subject: subject.to_owned(),
            released: tag.map(|tag| Released {
                tag: tag.parse().unwrap(),
                digest: format!("sha256:{tag}"),
            }),
            metrics: String::new(),
        }
    }

    #[test]
    fn a_second_rollback_goes_one_further_back() {
        let (a, b, c) = (Some("m1-aaaaaaa"), Some("m2-aaaaaaa"), Some("m3-aaaaaaa"));
        let mut newest_first = vec![
            change("promote(local): c", c),
            change("promote(local): b", b),
            change("promote(local): a", a),
        ];
        let target = |changes: &[Promotion]| {
            in_effect(changes).map(|(p, before)| (p.subject.clone(), before.map(|r| r.tag.to_string())))
        };
        assert_eq!(
            target(&newest_first),
            Some(("promote(local): c".into(), b.map(Into::into)))
        );
        newest_first.insert(0, change("Revert \"promote(local): c\"", b));
        assert_eq!(
            target(&newest_first),
            Some(("promote(local): b".into(), a.map(Into::into)))
        );
        newest_first.insert(0, change("Revert \"promote(local): b\"", a));
        assert_eq!(target(&newest_first), Some(("promote(local): a".into(), None)));
        assert_eq!(target(&[]), None);
    }
}

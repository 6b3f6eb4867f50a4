//! Brings the clone's HEAD to `main` of the repository that the engine follows.
//!
//! `main` also holds commits of the robot (promotions, reverts), so it is fast-forwarded where that
//! is possible and merged into otherwise; it is never rewritten.

use super::{Clone, MAIN, ask, changes, reads, remote, shielded, short};
use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
};

/// Where the clone's HEAD is kept in the bare repository; the engine does not look at it.
const CLONE_HEAD: &str = "refs/driftless/clone";

/// What publishing has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publication {
    /// `main` holds the clone's HEAD (both commits).
    UpToDate {
        /// HEAD of the clone.
        head: String,
        /// Head of `main`.
        main: String,
    },
    /// HEAD must be brought in.
    Behind {
        /// HEAD of the clone.
        head: String,
    },
}

/// HEAD of the newcomer's clone.
///
/// # Errors
/// `git-no-commits`, `git-detached-head`, `tool-missing`.
fn clone_head(ctx: &Ctx) -> Outcome<String> {
    let attempted = "read the commit that is checked out";
    let root = &ctx.root;
    let cmd = reads(root).args(["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]);
    let output = ctx.ran(Id::GitFailed, attempted, &cmd)?;
    if !output.ok() {
        // rev-parse is silent about an unborn branch and loud about everything else.
        let id = if output.stderr.trim().is_empty() {
            Id::GitNoCommits
        } else {
            Id::GitFailed
        };
        let cause = output
            .tail(1)
            .pop()
            .unwrap_or_else(|| "the branch has no commit yet".to_owned());
        return Err(Failure::new(id, attempted).because(cause));
    }
    let head = output.stdout.trim().to_owned();
    let on_a_branch = ask(ctx, &reads(root).args(["symbolic-ref", "--quiet", "HEAD"]))?.is_some();
    if on_a_branch || ctx.any_head {
        return Ok(head);
    }
    Err(
        Failure::new(Id::GitDetachedHead, "publish the branch that is checked out").because(format!(
            "HEAD is detached at {}: later commits would belong to no branch",
            short(&head)
        )),
    )
}

/// Warns when the working tree differs from HEAD: only commits are deployed.
///
/// # Errors
/// `git-failed`.
pub fn warn_uncommitted(ctx: &Ctx) -> Outcome<()> {
    let cmd = reads(&ctx.root).args(["status", "--porcelain", "--untracked-files=normal"]);
    let changed = ctx
        .must(Id::GitFailed, "look for uncommitted changes", &cmd)?
        .stdout
        .lines()
        .count();
    if changed > 0 {
        ctx.report.warn(
            Id::GitUncommitted,
            &format!("{changed} paths differ from HEAD; YAML that is not committed does not run"),
        );
    }
    Ok(())
}

/// Head of `main` of the bare repository, `None` before the first publication.
///
/// # Errors
/// `git-failed`.
pub fn bare_head(ctx: &Ctx) -> Outcome<Option<String>> {
    ask(
        ctx,
        &reads(&ctx.bare()).args(["rev-parse", "--quiet", "--verify", MAIN]),
    )
}

/// Looks whether `main` holds the clone's HEAD.
///
/// # Errors
/// As reading the clone does.
pub fn look(ctx: &Ctx) -> Outcome<Publication> {
    let head = clone_head(ctx)?;
    remote::refresh_or_empty(ctx)?;
    let held = reads(&ctx.bare()).args(["merge-base", "--is-ancestor", &head, MAIN]);
    match bare_head(ctx)? {
        Some(main) if ask(ctx, &held)?.is_some() => Ok(Publication::UpToDate { head, main }),
        _ => Ok(Publication::Behind { head }),
    }
}

/// Makes the bare repository where there is none.
///
/// # Errors
/// `git-failed`.
pub fn bare_repository(ctx: &Ctx) -> Outcome<()> {
    let bare = ctx.bare();
    if ask(ctx, &reads(&bare).args(["rev-parse", "--is-bare-repository"]))?.as_deref() == Some("true") {
        return Ok(());
    }
    let attempted = "make the repository that the engine follows";
    let init = shielded(Cmd::changes("git"))
        .args(["init", "--quiet", "--bare", "--initial-branch=main"])
        .path(&bare);
    ctx.must(Id::GitFailed, attempted, &init)?;
    // A clone made with --depth can be published too.
    ctx.must(
        Id::GitFailed,
        attempted,
        &changes(&bare).args(["config", "receive.shallowUpdate", "true"]),
    )?;
    Ok(())
}

/// Brings HEAD to `main`; what was done, in words.
///
/// # Errors
/// `git-diverged` when it cannot be merged, `git-moved` when the branch moved meanwhile.
pub fn publish(ctx: &Ctx, head: &str) -> Outcome<String> {
    let bare = ctx.bare();
    let url = bare.display().to_string();
    let send = changes(&ctx.root).args(["push", "--quiet", "--force", "--no-verify", &url]);
    ctx.must(
        Id::GitFailed,
        "copy HEAD",
        &send.args([format!("{head}:{CLONE_HEAD}")]),
    )?;
    let Some(main) = bare_head(ctx)? else {
        remote::advance(ctx, "create main", None, head)?;
        return Ok(format!("main made from {}", short(head)));
    };
    let behind = reads(&bare).args(["merge-base", "--is-ancestor", &main, head]);
    if ask(ctx, &behind)?.is_some() {
        remote::advance(ctx, "fast-forward main", Some(&main), head)?;
        return Ok(format!("main fast-forwarded to {}", short(head)));
    }
    merge(ctx, head, &main)
}

fn merge(ctx: &Ctx, head: &str, main: &str) -> Outcome<String> {
    let attempted = format!("merge HEAD ({}) into main ({})", short(head), short(main));
    let clone = Clone::of(ctx, "merge")?;
    clone.must(
        "fetch HEAD of the clone",
        &["fetch", "--quiet", "origin", CLONE_HEAD],
    )?;
    let message = format!("Merge {} into main", short(head));
    let merged = clone.tries(
        &attempted,
        &["merge", "--quiet", "--no-edit", "-m", &message, "FETCH_HEAD"],
    )?;
    if !merged.ok() {
        let said = format!("{}\n{}", merged.stdout, merged.stderr);
        let why = said
            .lines()
            .find(|line| line.contains("CONFLICT") || line.contains("unrelated"))
            .unwrap_or("both sides changed the same lines")
            .to_owned();
        return Err(Failure::new(Id::GitDiverged, attempted)
            .because(why)
            .next(format!(
                "git pull {} main, mend the conflict, commit, then cargo xtask up",
                remote::address(ctx)?
            )));
    }
    let commit = clone.push()?;
    Ok(format!("{} merged into main as {}", short(head), short(&commit)))
}

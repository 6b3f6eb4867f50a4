//! The git program: the newcomer's clone, the repository that the engine follows, and the few
//! commits that xtask makes (publishing the clone, naming the trainer image, rolling back).

mod history;
mod publish;
pub mod remote;

pub use history::{Promotion, Released, promotions, released, released_in};
pub use publish::{Publication, bare_head, bare_repository, look, publish, warn_uncommitted};
pub use remote::refresh;

use crate::{
    ctx::Ctx,
    exec::{Cmd, Output},
    failure::{Failure, Id, Outcome},
};
use std::path::{Path, PathBuf};

/// The one branch that the engine follows.
pub const MAIN: &str = "refs/heads/main";

/// Git in a folder, looking.
pub fn reads(dir: &Path) -> Cmd {
    shielded(Cmd::reads("git").args(["-C"]).path(dir))
}

/// Git in a folder, changing.
pub fn changes(dir: &Path) -> Cmd {
    shielded(Cmd::changes("git").args(["-C"]).path(dir))
}

/// Inside of a hook git exports where its own repository is, and whose commit it makes.
const SHIELDED: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
];

fn shielded(cmd: Cmd) -> Cmd {
    SHIELDED.iter().fold(cmd, |cmd, name| cmd.without_env(*name))
}

/// The trimmed output of a git command, `None` when it says no.
pub fn ask(ctx: &Ctx, cmd: &Cmd) -> Outcome<Option<String>> {
    let output = ctx.ran(Id::GitFailed, "ask git", cmd)?;
    Ok(output.ok().then(|| output.stdout.trim().to_owned()))
}

/// First seven digits of a commit.
pub fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

/// A clone of the engine's repository in a folder of its own, removed at the end.
pub struct Clone<'a> {
    ctx: &'a Ctx,
    dir: PathBuf,
}

impl<'a> Clone<'a> {
    /// Clones `main` of the repository that the engine follows.
    ///
    /// # Errors
    /// `git-failed`, and for a cluster `git-unreachable`, `git-refused`, `engine-not-running`.
    pub fn of(ctx: &'a Ctx, purpose: &str) -> Outcome<Self> {
        remote::refresh(ctx)?;
        let dir = ctx
            .state
            .join("work")
            .join(format!("{purpose}-{}", std::process::id()));
        let clone = Clone { ctx, dir };
        clone.clean()?;
        let cmd = shielded(Cmd::changes("git"))
            .args(["clone", "--quiet", "--branch", "main"])
            // Commits are made by xtask: whoever typed the command needs no git identity.
            .args(["--config", "user.name=driftless xtask"])
            .args(["--config", "user.email=xtask@driftless.invalid"])
            .args(["--config", "commit.gpgSign=false"])
            .args(["--config", "core.hooksPath=/dev/null"]);
        // The copy in the state folder is near; only what is pushed goes far.
        let cmd = match remote::far(ctx)? {
            Some(url) => cmd.args(["--config", &format!("remote.origin.pushurl={url}")]),
            None => cmd,
        };
        let cmd = cmd.path(ctx.bare()).path(&clone.dir);
        ctx.must(
            Id::GitFailed,
            "clone the repository that the engine follows",
            &cmd,
        )?;
        Ok(clone)
    }

    fn clean(&self) -> Outcome<()> {
        self.ctx.exec.remove_tree(&self.dir).map_err(|error| {
            Failure::new(Id::GitFailed, format!("remove {}", self.ctx.short(&self.dir))).because(error)
        })
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs a git command that must succeed.
    ///
    /// # Errors
    /// `git-failed` or a known one.
    pub fn must(&self, attempted: &str, args: &[&str]) -> Outcome<Output> {
        self.ctx
            .must(Id::GitFailed, attempted, &changes(&self.dir).args(args))
    }

    /// Runs a git command whose exit code the caller reads.
    ///
    /// # Errors
    /// `git-failed` when it could not be run.
    pub fn tries(&self, attempted: &str, args: &[&str]) -> Outcome<Output> {
        self.ctx
            .ran(Id::GitFailed, attempted, &changes(&self.dir).args(args))
    }

    /// Pushes HEAD to `main` (never by force) and returns the commit.
    ///
    /// # Errors
    /// `git-moved` when somebody else was faster, else `git-failed`.
    pub fn push(&self) -> Outcome<String> {
        let push = changes(&self.dir).args(["push", "--quiet", "origin", &format!("HEAD:{MAIN}")]);
        let push = remote::logged_in(self.ctx, push);
        self.ctx
            .must(Id::GitFailed, "push to main", &push)
            .map_err(|failure| remote::whose_account(self.ctx, failure))?;
        remote::refresh(self.ctx)?;
        let head = reads(&self.dir).args(["rev-parse", "HEAD"]);
        Ok(ask(self.ctx, &head)?.unwrap_or_default())
    }
}

impl Drop for Clone<'_> {
    fn drop(&mut self) {
        // What stays behind is removed by the next command that needs the folder.
        let _ = self.clean();
    }
}

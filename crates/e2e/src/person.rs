//! What a person does to the repository: clone, look, revert, push. By the git program, as they would.

use anyhow::{Context, Result, bail, ensure};
use std::{cell::Cell, path::Path, process::Command, time::Instant};
use tempfile::TempDir;

/// A clone of its own.
pub struct Person {
    folder: TempDir,
    /// User and token, where pushing needs them.
    pub login: Option<(String, String)>,
    /// When the last push was begun.
    pub pushed_at: Cell<Instant>,
}

impl Person {
    /// Clones `main`. `credentials` is a file of git's `store` helper.
    pub fn clone_of(url: &str, credentials: Option<&Path>) -> Result<Person> {
        let folder = TempDir::new()?;
        git(folder.path(), &["clone", "--quiet", "--branch", "main", url, "."])?;
        let mut login = None;
        if let Some(file) = credentials {
            let file = std::path::absolute(file)?;
            let helper = format!("store --file={}", file.display());
            git(folder.path(), &["config", "credential.helper", &helper])?;
            let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            login = Some(
                login_in(&text, url).with_context(|| format!("no login for {url} in {}", file.display()))?,
            );
        }
        git(folder.path(), &["config", "user.name", "A Person"])?;
        git(
            folder.path(),
            &["config", "user.email", "person@driftless.invalid"],
        )?;
        Ok(Person {
            folder,
            login,
            pushed_at: Cell::new(Instant::now()),
        })
    }

    /// Fetches and returns the head of `main` (full hex).
    pub fn head(&self) -> Result<String> {
        self.git(&["fetch", "--quiet", "origin", "main"])?;
        self.git(&["reset", "--quiet", "--hard", "origin/main"])?;
        self.git(&["rev-parse", "HEAD"])
    }

    /// Subjects of the commits after `from` (exclusive) up to the head, newest first.
    pub fn subjects_since(&self, from: &str) -> Result<Vec<String>> {
        self.head()?;
        let text = self.git(&["log", "--format=%s", &format!("{from}..HEAD")])?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The newest promotion. Where what came after it was taken back again, it can be reverted and
    /// that revert too, as often as one likes.
    pub fn last_promotion(&self) -> Result<String> {
        self.head()?;
        self.git(&["log", "--max-count=1", "--format=%H", "--grep=^promote("])
    }

    /// Whole message of a commit.
    pub fn message_of(&self, commit: &str) -> Result<String> {
        self.git(&["log", "--max-count=1", "--format=%B", commit])
    }

    /// Paths that a commit touches.
    pub fn files_of(&self, commit: &str) -> Result<Vec<String>> {
        let text = self.git(&["show", "--format=", "--name-only", commit])?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Reverts one commit, pushes, returns the new head.
    pub fn revert(&self, commit: &str) -> Result<String> {
        self.head()?;
        self.git(&["revert", "--no-edit", commit])?;
        self.push()
    }

    /// Rewrites a file by `change`, commits with `subject`, pushes, returns the new head.
    pub fn edit(&self, path: &str, subject: &str, change: impl FnOnce(&str) -> String) -> Result<String> {
        self.head()?;
        let file = self.folder.path().join(path);
        let before = std::fs::read_to_string(&file).with_context(|| path.to_owned())?;
        let after = change(&before);
        ensure!(before != after, "{path}: the edit changes nothing");
        std::fs::write(&file, after)?;
        self.git(&["commit", "--quiet", "-am", subject])?;
        self.push()
    }

    /// Text of a file at the head.
    pub fn read(&self, path: &str) -> Result<String> {
        self.head()?;
        std::fs::read_to_string(self.folder.path().join(path)).with_context(|| path.to_owned())
    }

    fn push(&self) -> Result<String> {
        self.pushed_at.set(Instant::now());
        self.git(&["push", "--quiet", "origin", "HEAD:main"])?;
        self.git(&["rev-parse", "HEAD"])
    }

    fn git(&self, args: &[&str]) -> Result<String> {
        git(self.folder.path(), args)
    }
}

/// The login for `url` in a credential store: lines of `scheme://user:token@host[:port][/path]`.
fn login_in(store: &str, url: &str) -> Option<(String, String)> {
    let host = |url: &str| url.split("://").nth(1)?.split('/').next().map(str::to_owned);
    let wanted = host(url)?;
    store.lines().find_map(|line| {
        let (login, at) = host(line)?
            .rsplit_once('@')
            .map(|(l, h)| (l.to_owned(), h.to_owned()))?;
        let (name, token) = login.split_once(':')?;
        // Git's `store` writes the colon before a port as %3a.
        let at = at.replace("%3a", ":").replace("%3A", ":");
        (at == wanted).then(|| (name.to_owned(), token.to_owned()))
    })
}

fn git(folder: &Path, args: &[&str]) -> Result<String> {
    let out = Command::new("git")
        // A server that wants a login it was not given must not wait for somebody to type one.
        .env("GIT_TERMINAL_PROMPT", "0")
        .current_dir(folder)
        .args(args)
        .output()
        .context("the git program")?;
    if !out.status.success() {
        bail!(
            "git {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

//! The repository that the engine follows, as this machine reaches it.
//!
//! Of the local engine it is a bare repository in the state folder. Of a cluster it is a Git server
//! over HTTP, and the bare repository in the state folder is a copy to look things up in: all that
//! reads is the same for both, after [`refresh`].

use super::{MAIN, changes, publish::bare_repository};
use crate::{
    ctx::{Ctx, engine_failure},
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    pins,
};
use std::path::PathBuf;

/// Where credentials for pushing are kept, in the format of git's credential store; mode 0600.
pub fn credentials(ctx: &Ctx) -> PathBuf {
    ctx.state.join("git-credentials")
}

/// The address that is pushed to, `None` for the bare repository itself.
///
/// # Errors
/// `engine-not-running` when the Git server is in a cluster that nothing bridges to.
pub fn far(ctx: &Ctx) -> Outcome<Option<String>> {
    let Some(cluster) = &ctx.cluster else {
        return Ok(None);
    };
    if let Some(url) = &cluster.git_url {
        return Ok(Some(url.clone()));
    }
    let answered = ctx.exec.engine(&ctx.state).and_then(|engine| engine.git_url());
    match answered {
        Ok(url) => Ok(Some(url)),
        // The bridge would have been started by an earlier step.
        Err(_) if ctx.exec.pretends() => Ok(Some(format!(
            "http://127.0.0.1:{}/driftless/driftless.git",
            pins::GIT_PORT + ctx.port_offset
        ))),
        Err(error) => Err(engine_failure("find the repository")(error)),
    }
}

/// The address that a person adds as a remote.
///
/// # Errors
/// As [`far`].
pub fn address(ctx: &Ctx) -> Outcome<String> {
    Ok(far(ctx)?.unwrap_or_else(|| ctx.short(&ctx.bare())))
}

/// Lets a git command log in with the kept credentials. They come from a file: arguments can be read
/// by everybody on the machine, and a prompt would wait for nobody.
pub fn logged_in(ctx: &Ctx, cmd: Cmd) -> Cmd {
    let cmd = cmd.shape("GIT_TERMINAL_PROMPT", "0").without_env("GIT_ASKPASS");
    let file = credentials(ctx);
    if !file.is_file() {
        // A person's own helpers may know better.
        return cmd;
    }
    cmd.shape("GIT_CONFIG_COUNT", "2")
        // An empty value forgets the helpers named so far.
        .shape("GIT_CONFIG_KEY_0", "credential.helper")
        .shape("GIT_CONFIG_VALUE_0", "")
        .shape("GIT_CONFIG_KEY_1", "credential.helper")
        .shape("GIT_CONFIG_VALUE_1", format!("store --file='{}'", file.display()))
}

/// Brings the local copy up to date; does nothing where the bare repository is the real one.
///
/// # Errors
/// `git-unreachable`, `git-refused`, `git-failed`, `engine-not-running`.
pub fn refresh(ctx: &Ctx) -> Outcome<()> {
    if ctx.exec.pretends() {
        return Ok(());
    }
    let Some(url) = far(ctx)? else {
        return Ok(());
    };
    bare_repository(ctx)?;
    // A pattern, so that an empty repository is no error; pruned, so that a new one forgets the old.
    let fetch = changes(&ctx.bare())
        .args(["fetch", "--quiet", "--force", "--prune", "--no-tags", &url])
        .args(["+refs/heads/main*:refs/heads/main*"]);
    ctx.must(
        Id::GitFailed,
        "read the repository that the engine follows",
        &logged_in(ctx, fetch),
    )
    .map(drop)
}

/// As [`refresh`], before the first push: a hosted repository that is not there yet is an empty one.
/// Some servers make it with that push; the others refuse the push and say so.
///
/// # Errors
/// As [`refresh`].
pub fn refresh_or_empty(ctx: &Ctx) -> Outcome<()> {
    let hosted = ctx.cluster.as_ref().is_some_and(|c| c.git_url.is_some());
    match refresh(ctx) {
        Err(failure) if hosted && failure.detail.iter().any(|line| is_missing(line)) => {
            // What an earlier repository of this state folder held is not the new one's.
            let forget = changes(&ctx.bare()).args(["update-ref", "-d", MAIN]);
            ctx.must(Id::GitFailed, "forget the repository of before", &forget)
                .map(drop)
        }
        other => other,
    }
}

/// What git says of a repository that is not there, over HTTP and otherwise.
fn is_missing(line: &str) -> bool {
    line.contains("' not found") || line.contains("does not appear to be a git repository")
}

/// Moves `main` from `old` (`None` when it must not exist yet) to `new`, never by force.
///
/// # Errors
/// `git-moved`, `git-refused`, `git-unreachable`, `git-failed`.
pub fn advance(ctx: &Ctx, attempted: &str, old: Option<&str>, new: &str) -> Outcome<()> {
    let bare = ctx.bare();
    let Some(url) = far(ctx)? else {
        // All zeros: the reference must not exist yet.
        let zeros = "0".repeat(new.len());
        let update = changes(&bare).args(["update-ref", MAIN, new, old.unwrap_or(&zeros)]);
        return ctx.must(Id::GitMoved, attempted, &update).map(drop);
    };
    let push = changes(&bare).args(["push", "--quiet", &url, &format!("{new}:{MAIN}")]);
    ctx.must(Id::GitFailed, attempted, &logged_in(ctx, push))
        .map_err(|failure| {
            match failure.detail.iter().any(|line| line.contains("shallow update")) {
                // CI often clones the newest commit alone; servers want to know where it comes from.
                true => failure.next("git fetch --unshallow, then cargo xtask up"),
                false => whose_account(ctx, failure),
            }
        })?;
    refresh(ctx)
}

/// Keeps an account that may push to a hosted repository, where GIT_USERNAME and GIT_TOKEN name one.
///
/// # Errors
/// `state-unwritable`, `disk-full`.
pub fn keep_credentials(ctx: &Ctx, url: &str) -> Outcome<bool> {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let (Some(user), Some(token)) = (variable("GIT_USERNAME"), variable("GIT_TOKEN")) else {
        return Ok(false);
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return Ok(false);
    };
    let host = rest.split('/').next().unwrap_or(rest);
    let text = format!("{scheme}://{}:{}@{host}\n", escaped(&user), escaped(&token));
    let path = credentials(ctx);
    if ctx.read_text(&path).as_ref() != Some(&text) {
        ctx.write(Id::StateUnwritable, &path, &text, 0o600)?;
    }
    Ok(true)
}

/// Percent-encoding of everything that is not unreserved (RFC 3986).
fn escaped(text: &str) -> String {
    let mut all = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => all.push(char::from(byte)),
            _ => all.push_str(&format!("%{byte:02X}")),
        }
    }
    all
}

/// What a failure to log in may be mended by.
pub fn whose_account(ctx: &Ctx, failure: Failure) -> Failure {
    match &ctx.cluster {
        Some(cluster) if failure.id == Id::GitRefused && cluster.git_url.is_none() => {
            failure.next(ctx.typed("cargo xtask up --from bridge"))
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_escaped_as_git_reads_them() {
        assert_eq!(escaped("a-b_c.d~1"), "a-b_c.d~1");
        assert_eq!(escaped("p@ss:w/rd%"), "p%40ss%3Aw%2Frd%25");
    }
}

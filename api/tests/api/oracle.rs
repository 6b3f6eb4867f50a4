//! The pinned Python with other people's programs in it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A script of `tests/oracle`, to be run by the pinned Python; `None`, with a line saying so, where
/// what it imports is missing and not demanded.
pub fn script(imports: &str, name: &str) -> Option<Command> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let default = package.join("../target/tools/oracle/bin/python");
    let python = std::env::var_os("DRIFTLESS_ORACLE_PYTHON").map_or(default, PathBuf::from);
    let has = Command::new(&python).args(["-c", imports]).output();
    if has.is_ok_and(|output| output.status.success()) {
        let mut command = Command::new(python);
        command.arg(package.join("tests/oracle").join(name));
        return Some(command);
    }
    assert!(
        std::env::var_os("DRIFTLESS_STRICT").is_none_or(|strict| strict != "1"),
        "no oracle environment with \"{imports}\" at {}",
        python.display()
    );
    eprintln!("SKIPPED oracle: no oracle environment; run cargo xtask test");
    None
}

/// What it said.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

//! The oracle environment.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The pinned Python with scikit-learn and onnxruntime; `None`, with a line saying so, where it is
/// missing and not demanded.
pub fn oracle(test: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/oracle/bin/python");
    let python = std::env::var_os("DRIFTLESS_ORACLE_PYTHON").map_or(default, PathBuf::from);
    if python.exists() {
        return Some(python);
    }
    assert!(
        std::env::var_os("DRIFTLESS_STRICT").is_none_or(|strict| strict != "1"),
        "{test}: no oracle environment at {}",
        python.display()
    );
    eprintln!("SKIPPED {test}: no oracle environment; run cargo xtask test");
    None
}

/// Runs a script of this folder and returns what it printed.
pub fn run(python: &Path, script: &str, arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(script);
    let output = Command::new(python)
        .arg(script)
        .args(arguments)
        .output()
        .expect("start Python");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

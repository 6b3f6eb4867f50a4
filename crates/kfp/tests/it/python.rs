//! The Python environment with the SDK.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The pinned Python with `kfp`; `None`, with a line saying so, where it is missing and not demanded.
pub fn kfp(test: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/kfp/bin/python");
    let python = std::env::var_os("DRIFTLESS_KFP_PYTHON").map_or(default, PathBuf::from);
    if python.exists() {
        return Some(python);
    }
    assert!(
        std::env::var_os("DRIFTLESS_STRICT").is_none_or(|strict| strict != "1"),
        "{test}: no environment with the SDK at {}",
        python.display()
    );
    eprintln!("SKIPPED {test}: no environment with the kfp SDK; run cargo xtask test");
    None
}

/// Runs a script of `tests/python` with JSON on its input and output.
pub fn run(python: &Path, script: &str, input: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/python")
        .join(script);
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start Python");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_string();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("wait for Python");
    writer.join().expect("no panic").expect("Python reads its input");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

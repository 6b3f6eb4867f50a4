//! What tritonclient and KServe's client read.

use super::*;
use crate::fixture;
use std::{path::PathBuf, process::Command};

pub const CLIENTS: [&str; 2] = ["triton", "kserve"];

/// The pinned Python with the protocol's clients (`xtask/python/clients.lock`); `None`, with a line saying
/// so, where it is missing and was not named.
pub fn python() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/clients/bin/python");
    let named = std::env::var_os("DRIFTLESS_CLIENTS_PYTHON").map(PathBuf::from);
    if let Some(python) = &named {
        assert!(
            python.exists(),
            "no environment of clients at {}",
            python.display()
        );
    }
    let python = named.unwrap_or(default);
    if python.exists() {
        return Some(python);
    }
    eprintln!("SKIPPED the_protocols_clients_read_what_is_answered: no environment of clients");
    None
}

#[test]
fn the_protocols_clients_read_what_is_answered() {
    let Some(python) = python() else { return };
    let directory = fixture::directory();
    let (_server, address) = start(directory.path(), &[]);
    for client in CLIENTS {
        is_answered(&python, client, &[&address.to_string()]);
    }
}

/// The same is answered however the connection is made.
pub fn is_answered(python: &Path, client: &str, args: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/grpc_clients.py");
    let output = Command::new(python)
        .arg(&script)
        .arg(client)
        .args(args)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{client}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answers: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    insta::assert_json_snapshot!(client, answers);
}

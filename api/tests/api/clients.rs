//! The clients that others have written, against servers of ours: tritonclient and KServe's.

use crate::{plain::corpus, server::Server};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A pipeline, strings in and out, a ZipMap, doubles, integers, a regression.
const MODELS: [&str; 7] = [
    "minmaxscaler_multi_f32",
    "logistic_words_f64",
    "columns_one",
    "forest_zip_words_f32",
    "kmeans_multi_f64",
    "linear_int64",
    "ridge_number_f32",
];

/// The pinned Python; `None`, with a line saying so, where it is missing and not demanded.
fn clients() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/clients/bin/python");
    let python = std::env::var_os("DRIFTLESS_CLIENTS_PYTHON").map_or(default, PathBuf::from);
    let has = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-c", "import kserve, onnxruntime, tritonclient.http"]);
        command.output().is_ok_and(|output| output.status.success())
    };
    if has(&python) {
        return Some(python);
    }
    assert!(
        std::env::var_os("DRIFTLESS_STRICT").is_none_or(|strict| strict != "1"),
        "no environment of the clients at {}",
        python.display()
    );
    eprintln!("SKIPPED clients: no environment of the clients; run cargo xtask test");
    None
}

#[test]
fn triton_and_kserve_get_what_onnxruntime_says() {
    let Some(python) = clients() else { return };
    let servers = MODELS.map(|name| (name, Server::start(&corpus(name), &[])));
    let arguments = servers
        .iter()
        .map(|(name, server)| format!("{}={}", server.address, corpus(name).display()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/v2.py");
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(text.lines().count(), MODELS.len(), "{text}");
}

//! MLflow's own client against a started server, and its own server beside it.

use crate::{fixture, oracle, server::Server};

#[test]
fn answers_and_refuses_as_mlflow_does() {
    let Some(mut python) = oracle::script("import mlflow, onnxruntime, pandas, fastapi", "scoring.py") else {
        return;
    };
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let output = python
        .arg(server.address.to_string())
        .arg(directory.path().join("model.onnx"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", oracle::text(&output));
    let compared = oracle::text(&output);
    assert!(compared.contains("compared 58 requests"), "{compared}");
}

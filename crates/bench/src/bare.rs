//! The server that the API is measured against: it parses the same JSON and answers a fixed body.

use anyhow::{Context, Result};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::serve::ListenerExt;
use axum::{Json, Router, routing::post};
use serde::Deserialize;
use std::net::SocketAddr;

/// As long as the API's answer for one row of the iris data, so that both sides send as much.
const BODY: &str = r#"{"prediction":0,"class_name":"setosa","probabilities":[1.0,0.0,0.0],"model_version":"f1d2d2f924e9","drift_detected":false}"#;

#[derive(clap::Args)]
pub struct Options {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// Threads
    #[arg(long)]
    workers: usize,
}

#[derive(Deserialize)]
struct Row {
    features: Vec<f64>,
}

async fn predict(Json(row): Json<Row>) -> impl IntoResponse {
    // The values must be parsed, not only skipped.
    std::hint::black_box(row.features);
    ([(CONTENT_TYPE, "application/json")], BODY)
}

/// As long as the API's answer to one row in the words of V2.
const V2_BODY: &str = r#"{"model_name":"iris-model","model_version":"f1d2d2f924e9","outputs":[{"name":"label","datatype":"INT64","shape":[1],"data":[0]},{"name":"probabilities","datatype":"FP32","shape":[1,3],"data":[1.0,0.0,0.0]}]}"#;

#[derive(Deserialize)]
struct V2 {
    inputs: Vec<V2Tensor>,
}

#[derive(Deserialize)]
struct V2Tensor {
    name: String,
    datatype: String,
    shape: Vec<i64>,
    data: Vec<f64>,
}

async fn v2(Json(request): Json<V2>) -> impl IntoResponse {
    for tensor in request.inputs {
        std::hint::black_box((tensor.name, tensor.datatype, tensor.shape, tensor.data));
    }
    ([(CONTENT_TYPE, "application/json")], V2_BODY)
}

/// As long as the API's answer to one row in the words of MLflow.
const MLFLOW_BODY: &str = r#"{"predictions":[0]}"#;

#[derive(Deserialize)]
struct Mlflow {
    dataframe_split: Split,
}

#[derive(Deserialize)]
struct Split {
    columns: Vec<String>,
    data: Vec<Vec<f64>>,
}

async fn mlflow(Json(request): Json<Mlflow>) -> impl IntoResponse {
    std::hint::black_box((request.dataframe_split.columns, request.dataframe_split.data));
    ([(CONTENT_TYPE, "application/json")], MLFLOW_BODY)
}

/// Serves until it is killed.
pub fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.workers)
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(options.listen)
            .await
            .context("listen")?;
        let listener = listener.tap_io(|stream| {
            // An error only costs time, and the measurement shows it.
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new()
            .route("/predict", post(predict))
            .route("/v2/models/iris-model/infer", post(v2))
            .route("/invocations", post(mlflow));
        axum::serve(listener, router).await.context("serve")
    })
}

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
        let router = Router::new().route("/predict", post(predict));
        axum::serve(listener, router).await.context("serve")
    })
}

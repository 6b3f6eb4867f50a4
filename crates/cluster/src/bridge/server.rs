//! The HTTP API on loopback: the local engine's protocol, word for word, and the data place.

use super::{act, core::Core, runs};
use crate::{
    Error, Kind, Result,
    data::{self, DataPlace},
    records::Records,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use subtle::ConstantTimeEq;
use tokio::sync::Notify;

/// Clients wait ten seconds.
const ANSWER_DEADLINE: Duration = Duration::from_secs(9);
/// A batch is as large as the data place at most, and JSON makes it longer.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Lines that one question may ask for.
const LINES_MAX: usize = 10_000;

/// What the handlers share.
#[derive(Clone)]
struct Server {
    core: Arc<Core>,
    data: DataPlace,
    records: Records,
    token: Arc<str>,
    end: Arc<Notify>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunRequest {
    template: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutRecord {
    expected: String,
    text: String,
}

#[derive(Deserialize)]
struct Suspend {
    suspended: bool,
}

#[derive(Deserialize)]
struct Batch {
    name: String,
    text: String,
}

#[derive(Deserialize)]
struct Tail {
    #[serde(default = "some_lines")]
    tail: usize,
}

fn some_lines() -> usize {
    100
}

/// The API, for clients that know `token`; `end` is told when one asks for the end.
pub fn router(core: Arc<Core>, data: DataPlace, token: &str, end: Arc<Notify>) -> Router {
    let server = Server {
        // The ledger of retrains lies beside the data place and the runs' template.
        records: Records::new(&core.reader.client, data::NAMESPACE),
        core,
        data,
        token: token.into(),
        end,
    };
    Router::new()
        .route(
            "/v1/status",
            get(async |State(s): State<Server>| answer(s.core.status()).await),
        )
        .route("/v1/refresh", post(refresh))
        .route("/v1/shutdown", post(shutdown))
        .route("/v1/runs", post(start_run))
        .route("/v1/runs/{id}", get(run))
        .route("/v1/records/{name}", get(record).post(put_record))
        .route("/v1/logs/{of}", get(logs))
        .route("/v1/kill/{of}", post(kill))
        .route("/v1/suspend/{app}", post(suspend))
        .route(
            "/v1/data",
            get(async |State(s): State<Server>| answer(s.data.names()).await).post(add_data),
        )
        .route("/v1/data/{name}", get(read_data))
        .fallback(async || refuse(StatusCode::NOT_FOUND, "no such path"))
        .layer(middleware::from_fn_with_state(server.clone(), authorize))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(server)
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

async fn authorize(State(server): State<Server>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION);
    let given = given.map_or(&[][..], |value| value.as_bytes());
    let wanted = format!("Bearer {}", server.token);
    // In constant time, so that the token cannot be found out byte by byte.
    match bool::from(given.ct_eq(wanted.as_bytes())) {
        true => next.run(request).await,
        false => refuse(StatusCode::UNAUTHORIZED, "the token of engine.json is needed"),
    }
}

async fn answer<T: Serialize>(question: impl Future<Output = Result<T>>) -> Response {
    match tokio::time::timeout(ANSWER_DEADLINE, question).await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(error)) => refuse(status_of(&error), &error.message),
        Err(_) => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "the cluster does not answer in time",
        ),
    }
}

fn status_of(error: &Error) -> StatusCode {
    match error.kind {
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Unreachable | Kind::Timeout | Kind::Certificate => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Unauthorized | Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NoContext | Kind::Other => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn read<T: DeserializeOwned>(body: &[u8], expected: &str) -> std::result::Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| {
        Box::new(refuse(
            StatusCode::BAD_REQUEST,
            &format!("expected {expected}: {error}"),
        ))
    })
}

// Handlers take the body even where it says nothing: answered before it has arrived, a request would
// end its connection, and the client's next one with it.

async fn refresh(State(server): State<Server>, _: Bytes) -> Response {
    server.core.refresh();
    Json(json!({})).into_response()
}

async fn shutdown(State(server): State<Server>, _: Bytes) -> Response {
    server.end.notify_one();
    Json(json!({})).into_response()
}

async fn start_run(State(server): State<Server>, body: Bytes) -> Response {
    let request: RunRequest = match read(&body, "a run request") {
        Ok(request) => request,
        Err(refused) => return *refused,
    };
    let env: Vec<(String, String)> = request.env.into_iter().collect();
    answer(runs::start(
        &server.core.reader,
        &request.template,
        request.name.as_deref(),
        &request.args,
        &env,
    ))
    .await
}

async fn run(State(server): State<Server>, Path(id): Path<String>) -> Response {
    answer(server.core.find_run(&id)).await
}

async fn record(State(server): State<Server>, Path(name): Path<String>) -> Response {
    answer(async {
        let (version, text) = server.records.read(&name).await?;
        Ok(engine::Record { version, text })
    })
    .await
}

async fn put_record(State(server): State<Server>, Path(name): Path<String>, body: Bytes) -> Response {
    match read::<PutRecord>(&body, "a record with its expected version and text") {
        Ok(put) => {
            answer(async {
                let written = server.records.write(&name, &put.expected, &put.text).await?;
                Ok(engine::Written { written })
            })
            .await
        }
        Err(refused) => *refused,
    }
}

async fn logs(State(server): State<Server>, Path(of): Path<String>, Query(query): Query<Tail>) -> Response {
    answer(act::logs(&server.core, &of, query.tail.min(LINES_MAX))).await
}

async fn kill(State(server): State<Server>, Path(of): Path<String>, _: Bytes) -> Response {
    answer(async { act::kill(&server.core, &of).await.map(|()| json!({})) }).await
}

async fn suspend(State(server): State<Server>, Path(app): Path<String>, body: Bytes) -> Response {
    match read::<Suspend>(&body, "{\"suspended\": true or false}") {
        Ok(Suspend { suspended }) => {
            answer(async {
                act::suspend(&server.core, &app, suspended)
                    .await
                    .map(|()| json!({}))
            })
            .await
        }
        Err(refused) => *refused,
    }
}

async fn read_data(State(server): State<Server>, Path(name): Path<String>) -> Response {
    answer(server.data.get(&name)).await
}

async fn add_data(State(server): State<Server>, body: Bytes) -> Response {
    match read::<Batch>(&body, "a batch with name and text") {
        Ok(batch) => {
            answer(async {
                match server.data.put(&batch.name, &batch.text).await? {
                    crate::data::Put::Added => {
                        server.data.copy_where_wanted().await?;
                        Ok(json!({}))
                    }
                    crate::data::Put::Already => Err(Error::new(
                        Kind::Conflict,
                        format!("batch {}: the name is taken", batch.name),
                    )),
                }
            })
            .await
        }
        Err(refused) => *refused,
    }
}

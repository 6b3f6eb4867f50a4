//! The HTTP API on loopback: what `engine::EngineClient` calls, and nothing else.

use crate::{context::Event, procfs, records};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use engine::Status;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use subtle::ConstantTimeEq;
use tokio::sync::{mpsc, oneshot};

/// The engine's task answers within milliseconds; longer means that it hangs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(8);
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Adding up the memory of a process tree costs milliseconds, and status is polled.
const MEMORY_AGE_MAX: Duration = Duration::from_secs(2);

/// What a client asks of the engine's task, with the place for the answer.
#[derive(Debug)]
pub struct Question {
    /// See [`Ask`].
    pub ask: Ask,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Answer>,
}

/// JSON, or a refusal in words.
pub type Answer = Result<Value, Refusal>;

/// Why a question was refused.
#[derive(Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// For people.
    pub message: String,
}

impl Refusal {
    /// There is no such application or run.
    pub fn not_found(message: String) -> Self {
        Refusal {
            status: StatusCode::NOT_FOUND,
            message,
        }
    }

    /// It cannot be done now.
    pub fn conflict(message: String) -> Self {
        Refusal {
            status: StatusCode::CONFLICT,
            message,
        }
    }
}

/// The questions.
#[derive(Debug)]
pub enum Ask {
    /// Everything there is to say.
    Status,
    /// Look at `main` now.
    Refresh,
    /// One run of a template.
    StartRun(RunRequest),
    /// What is kept under a name.
    Record(String),
    /// Write it: name, expected version, text.
    PutRecord(String, String, String),
    /// State of a run.
    Run(String),
    /// Last lines of an application or run.
    Logs(String, usize),
    /// SIGKILL to one replica or attempt.
    Kill(String),
    /// Stop or start an application.
    Suspend(String, bool),
    /// Stop everything and end.
    Shutdown,
}

/// Body of `POST /v1/runs`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// Name of a CronJob.
    pub template: String,
    /// Of the run; where there is one of that name, that one is meant.
    #[serde(default)]
    pub name: Option<String>,
    /// Appended to the container's.
    #[serde(default)]
    pub args: Vec<String>,
    /// Set over the container's.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
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
struct Tail {
    #[serde(default = "some_lines")]
    tail: usize,
}

fn some_lines() -> usize {
    100
}

/// Lines that one question may ask for.
const LINES_MAX: usize = 10_000;

/// Bytes by process group, and when they were added up.
type Measured = HashMap<u32, (Instant, Option<u64>)>;

#[derive(Clone)]
struct Server {
    events: mpsc::Sender<Event>,
    token: Arc<str>,
    memory: Arc<Mutex<Measured>>,
}

/// The API, for clients that know `token`.
pub fn router(events: mpsc::Sender<Event>, token: &str) -> Router {
    let server = Server {
        events,
        token: token.into(),
        memory: Arc::default(),
    };
    Router::new()
        .route("/v1/status", get(status))
        .route(
            "/v1/refresh",
            // A body that nobody reads to its end would break the connection for the client's next request.
            post(async |State(s): State<Server>, _: Bytes| s.ask(Ask::Refresh).await),
        )
        .route(
            "/v1/shutdown",
            post(async |State(s): State<Server>, _: Bytes| s.ask(Ask::Shutdown).await),
        )
        .route("/v1/runs", post(start_run))
        .route(
            "/v1/runs/{id}",
            get(async |State(s): State<Server>, Path(id): Path<String>| s.ask(Ask::Run(id)).await),
        )
        .route(
            "/v1/records/{name}",
            get(async |State(s): State<Server>, Path(name): Path<String>| s.ask(Ask::Record(name)).await)
                .post(put_record)
                // JSON makes a text longer.
                .layer(DefaultBodyLimit::max(2 * records::BYTES_MAX)),
        )
        .route("/v1/logs/{of}", get(logs))
        .route(
            "/v1/kill/{of}",
            post(
                async |State(s): State<Server>, Path(of): Path<String>, _: Bytes| s.ask(Ask::Kill(of)).await,
            ),
        )
        .route("/v1/suspend/{app}", post(suspend))
        .fallback(async || refuse(StatusCode::NOT_FOUND, "no such path".to_owned()))
        .layer(middleware::from_fn_with_state(server.clone(), authorize))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(server)
}

fn refuse(status: StatusCode, message: String) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

async fn authorize(State(server): State<Server>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(AUTHORIZATION)
        .map_or(&[][..], |value| value.as_bytes());
    let wanted = format!("Bearer {}", server.token);
    // In constant time, so that the token cannot be found out byte by byte.
    if bool::from(given.ct_eq(wanted.as_bytes())) {
        next.run(request).await
    } else {
        refuse(
            StatusCode::UNAUTHORIZED,
            "the token of engine.json is needed".to_owned(),
        )
    }
}

impl Server {
    async fn question(&self, ask: Ask) -> Answer {
        let (answer, answered) = oneshot::channel();
        let busy = |message: &str| Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: message.to_owned(),
        };
        self.events
            .try_send(Event::Asked(Question { ask, answer }))
            .map_err(|_| busy("the engine has too much to do, or is ending"))?;
        match tokio::time::timeout(ANSWER_DEADLINE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(busy("the engine is ending")),
            Err(_) => Err(busy("the engine does not answer")),
        }
    }

    async fn ask(&self, ask: Ask) -> Response {
        match self.question(ask).await {
            Ok(value) => Json(value).into_response(),
            Err(refusal) => refuse(refusal.status, refusal.message),
        }
    }

    /// Adds the memory of each replica's process group.
    async fn with_memory(&self, mut status: Status) -> Status {
        let memory = self.memory.clone();
        let pids: Vec<u32> = status
            .apps
            .iter()
            .flat_map(|app| app.replicas.iter().filter_map(|r| r.pid))
            .collect();
        let measured = tokio::task::spawn_blocking(move || {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.retain(|pid, _| pids.contains(pid));
            for pid in pids {
                let entry = memory
                    .entry(pid)
                    .or_insert_with(|| (Instant::now(), procfs::resident_bytes(pid)));
                if entry.0.elapsed() > MEMORY_AGE_MAX {
                    *entry = (Instant::now(), procfs::resident_bytes(pid));
                }
            }
            memory.clone()
        })
        .await
        .unwrap_or_default();
        for replica in status.apps.iter_mut().flat_map(|app| &mut app.replicas) {
            replica.resident_bytes = replica.pid.and_then(|pid| measured.get(&pid)?.1);
        }
        status
    }
}

async fn status(State(server): State<Server>) -> Response {
    let answer = server.question(Ask::Status).await;
    match answer.map(serde_json::from_value::<Status>) {
        Ok(Ok(status)) => Json(server.with_memory(status).await).into_response(),
        Ok(Err(error)) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        Err(refusal) => refuse(refusal.status, refusal.message),
    }
}

async fn start_run(State(server): State<Server>, body: axum::body::Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(request) => server.ask(Ask::StartRun(request)).await,
        Err(error) => refuse(StatusCode::BAD_REQUEST, format!("not a run request: {error}")),
    }
}

async fn put_record(
    State(server): State<Server>,
    Path(name): Path<String>,
    body: axum::body::Bytes,
) -> Response {
    match serde_json::from_slice::<PutRecord>(&body) {
        Ok(PutRecord { expected, text }) => server.ask(Ask::PutRecord(name, expected, text)).await,
        Err(error) => refuse(
            StatusCode::BAD_REQUEST,
            format!("expected {{\"expected\": version, \"text\": text}}: {error}"),
        ),
    }
}

async fn logs(State(server): State<Server>, Path(of): Path<String>, Query(query): Query<Tail>) -> Response {
    server.ask(Ask::Logs(of, query.tail.min(LINES_MAX))).await
}

async fn suspend(State(server): State<Server>, Path(app): Path<String>, body: axum::body::Bytes) -> Response {
    match serde_json::from_slice::<Suspend>(&body) {
        Ok(Suspend { suspended }) => server.ask(Ask::Suspend(app, suspended)).await,
        Err(error) => refuse(
            StatusCode::BAD_REQUEST,
            format!("expected {{\"suspended\": true or false}}: {error}"),
        ),
    }
}

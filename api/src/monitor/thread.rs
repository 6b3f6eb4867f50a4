//! What goes on beside the requests: looking, exchanging, keeping.

use super::{
    Monitor,
    exchange::{PATH, Taken},
    now_ms,
};
use crate::{config::Config, state::State};
use hyper::{Method, Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

/// Longest time between two fetches, where traffic is slow.
const IDLE: Duration = Duration::from_millis(100);
/// Shortest time between two, where it is not.
const BUSY: Duration = Duration::from_millis(20);
/// A look may take this share of the time, so that requests keep the processors.
const REST: u32 = 20;
/// Between two writes of the state file.
const KEPT: Duration = Duration::from_secs(5);

/// Looks, exchanges and keeps as long as `state` is there.
pub fn watch(state: &Arc<State>) {
    let Some(monitor) = state.monitor() else { return };
    let file = state.config.drift.state_file.clone();
    let weak = Arc::downgrade(&monitor);
    let looking = thread::Builder::new().name("drift".to_owned());
    match looking.spawn(move || look(&weak, file)) {
        Ok(handle) => drop(monitor.thread.set(handle.thread().clone())),
        Err(error) => tracing::error!(event = "drift", %error, "no thread to watch for drift with"),
    }
    if state.config.drift.exchange.is_on() {
        tokio::spawn(exchange(Arc::downgrade(&monitor), state.config.clone()));
    }
}

fn look(monitor: &Weak<Monitor>, file: Option<PathBuf>) {
    let (mut written, mut kept) = (None, Instant::now());
    while let Some(monitor) = monitor.upgrade() {
        let begun = Instant::now();
        monitor.catch_up();
        if let Some(file) = &file
            && kept.elapsed() >= KEPT
        {
            monitor.save(file, &mut written);
            kept = Instant::now();
        }
        thread::sleep(BUSY.max(begun.elapsed() * REST));
        monitor.asleep.store(true, Relaxed);
        // What came in the meantime woke nobody.
        let waiting = super::lock(&monitor.inbox).len() >= monitor.stride;
        drop(monitor);
        if waiting {
            continue;
        }
        thread::park_timeout(IDLE);
    }
}

async fn exchange(monitor: Weak<Monitor>, config: Config) {
    let period = config.drift.exchange.period;
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(monitor) = monitor.upgrade() else { return };
        let mut asked = JoinSet::new();
        for address in monitor.peers().addresses().await {
            asked.spawn(pull(Arc::clone(&monitor), config.clone(), address));
        }
        while asked.join_next().await.is_some() {}
    }
}

/// Asks one replica for what we lack.
async fn pull(monitor: Arc<Monitor>, config: Config, address: SocketAddr) {
    let asking = async {
        let question = blocking(&monitor, Monitor::question).await?;
        let answer = send(&config, address, Method::POST, question, monitor.frame_most()).await?;
        let Some(frame) = answer else {
            return Ok(Taken::Own);
        };
        let taken = blocking(&monitor, move |monitor| monitor.take(&frame)).await?;
        taken.map_err(|error| error.to_string())
    };
    let result = match timeout(config.drift.exchange.patience(), asking).await {
        Ok(result) => result,
        Err(_) => Err("no answer in time".to_owned()),
    };
    monitor.peers().note(address, now_ms(), result);
}

async fn blocking<T: Send + 'static>(
    monitor: &Arc<Monitor>,
    work: impl FnOnce(&Monitor) -> T + Send + 'static,
) -> Result<T, String> {
    let monitor = Arc::clone(monitor);
    let worked = tokio::task::spawn_blocking(move || work(&monitor)).await;
    worked.map_err(|error| error.to_string())
}

/// Before the process ends: the newest rows to the others, and into the file.
pub async fn hand_over(state: &Arc<State>) {
    let Some(monitor) = state.monitor() else { return };
    let config = &state.config;
    if let Some(path) = config.drift.state_file.clone() {
        let _ = blocking(&monitor, move |monitor| monitor.save(&path, &mut None)).await;
    }
    if !config.drift.exchange.is_on() {
        return;
    }
    let handing = async {
        let Ok(rows) = blocking(&monitor, Monitor::everything).await else {
            return;
        };
        let mut told = JoinSet::new();
        for address in monitor.peers().addresses().await {
            let (config, rows) = (config.clone(), rows.clone());
            told.spawn(async move {
                let sent = send(&config, address, Method::PUT, rows, 1 << 16).await;
                sent.is_ok()
            });
        }
        while told.join_next().await.is_some() {}
    };
    let _ = timeout(config.drift.exchange.patience(), handing).await;
}

/// One request on a connection of its own; `None` where the other side is ourselves.
async fn send(
    config: &Config,
    address: SocketAddr,
    method: Method,
    body: Vec<u8>,
    most: usize,
) -> Result<Option<Bytes>, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let stream = TcpStream::connect(address).await.map_err(|e| text(&e))?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|e| text(&e))?;
    let connection = tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(PATH)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/octet-stream");
    if let Some(token) = config.drift.exchange.token()? {
        let token = format!("Bearer {}", token.expose_secret());
        request = request.header(header::AUTHORIZATION, token);
    }
    let request = request.body(axum::body::Body::from(body)).map_err(|e| text(&e))?;
    let response = sender.send_request(request).await.map_err(|e| text(&e))?;
    let status = response.status();
    let body = axum::body::to_bytes(axum::body::Body::new(response.into_body()), most).await;
    connection.abort();
    match status {
        StatusCode::OK => body.map(Some).map_err(|e| text(&e)),
        StatusCode::NO_CONTENT => Ok(None),
        status => Err(format!("it answered {status}")),
    }
}

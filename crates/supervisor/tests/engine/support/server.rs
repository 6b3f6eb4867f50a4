//! What the tests' images run. As a server it honours the engine's socket contract (`LISTEN_FDS`:
//! the shared socket, then its own for probes); as a job it writes a trace. The environment tells
//! it to misbehave.

use std::{
    env,
    fs::OpenOptions,
    io::Write,
    net::TcpListener as StdListener,
    process::exit,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
};

/// Wherever anything waits.
const DEADLINE: Duration = Duration::from_secs(60);

fn told(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn millis(name: &str) -> Duration {
    Duration::from_millis(told(name).and_then(|text| text.parse().ok()).unwrap_or(0))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    eprintln!("version {} starts", told("TEST_VERSION").unwrap_or_default());
    if told("TEST_CRASH").is_some() {
        eprintln!("told to crash");
        exit(7);
    }
    if env::args().nth(1).as_deref() == Some("job") {
        return job().await;
    }
    serve().await;
}

/// Writes `start`/`end` lines to the file TEST_TRACE, and its arguments to standard output.
async fn job() {
    let trace = |word: &str| {
        if let Some(path) = told("TEST_TRACE") {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .expect("TEST_TRACE");
            writeln!(file, "{word} {}", std::process::id()).expect("TEST_TRACE");
        }
    };
    trace("start");
    println!("{{\"args\":{:?}}}", env::args().skip(2).collect::<Vec<_>>());
    eprintln!("extra {}", told("TEST_EXTRA").unwrap_or_default());
    tokio::time::sleep(millis("TEST_SLEEP_MS")).await;
    trace("end");
    exit(told("TEST_EXIT").and_then(|code| code.parse().ok()).unwrap_or(0));
}

struct Server {
    ready: AtomicBool,
    alive: AtomicBool,
    open: AtomicUsize,
}

async fn serve() {
    let (shared, own) = listeners();
    let server = Arc::new(Server {
        ready: AtomicBool::new(false),
        alive: AtomicBool::new(true),
        open: AtomicUsize::new(0),
    });
    tokio::spawn(accept(own, server.clone()));
    tokio::time::sleep(millis("TEST_READY_AFTER_MS")).await;
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM");
    if told("TEST_NEVER_READY").is_some() {
        eprintln!("told never to be ready");
    } else {
        server.ready.store(true, Ordering::SeqCst);
        let accepting = tokio::spawn(accept(shared, server.clone()));
        terminate.recv().await;
        accepting.abort();
        let drained = async {
            while server.open.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(DEADLINE, drained).await;
        exit(0);
    }
    terminate.recv().await;
}

fn listeners() -> (TcpListener, TcpListener) {
    let mut given = listenfd::ListenFd::from_env();
    let mut take = |index| -> Option<StdListener> { given.take_tcp_listener(index).ok().flatten() };
    let (shared, own) = match (take(0), take(1)) {
        (Some(shared), Some(own)) => (shared, own),
        // As a stand-in: its port is its own business.
        _ => {
            let port = told("PORT").expect("LISTEN_FDS or PORT");
            let own = StdListener::bind(format!("127.0.0.1:{port}")).expect("PORT");
            (own.try_clone().expect("PORT"), own)
        }
    };
    let listen = |listener: StdListener| {
        listener.set_nonblocking(true).expect("nonblocking");
        TcpListener::from_std(listener).expect("listener")
    };
    (listen(shared), listen(own))
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    while let Ok((stream, _)) = listener.accept().await {
        let server = server.clone();
        server.open.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let _ = tokio::time::timeout(DEADLINE, answer(stream, &server)).await;
            server.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn answer(mut stream: TcpStream, server: &Server) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split_whitespace().nth(1).unwrap_or("/");
    let yes = |yes: bool| if yes { 200 } else { 503 };
    let (status, body) = match path {
        "/livez" => (yes(server.alive.load(Ordering::SeqCst)), String::new()),
        "/readyz" => (yes(server.ready.load(Ordering::SeqCst)), String::new()),
        "/version" => (200, told("TEST_VERSION").unwrap_or_default()),
        "/env" => (
            200,
            env::vars()
                .map(|(key, value)| format!("{key}={value}\n"))
                .collect(),
        ),
        "/die" => {
            server.alive.store(false, Ordering::SeqCst);
            (200, String::new())
        }
        _ => (404, String::new()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    stream.shutdown().await
}

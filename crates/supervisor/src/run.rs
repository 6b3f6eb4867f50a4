//! The engine's life: take the state folder, listen, loop, leave nothing behind.

use crate::{
    config::Config,
    context::Event,
    door::Door,
    drift_watch,
    home::{Home, random_hex},
    logs, server, state,
    supervisor::{Supervisor, TICK},
};
use anyhow::Context as _;
use engine::Endpoint;
use std::{
    fs::File,
    io::{self, Write},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Mutex,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

/// Events that may wait. Senders of the engine's own events wait for room; clients are refused.
const EVENTS_MAX: usize = 256;
/// Clients at a time: xtask, trainers, tests.
const CONNECTIONS_MAX: usize = 128;

/// Runs the engine on the state folder `home` until it is told to end. `api_key_file`: holds what the API
/// is shown, where it asks for a key, when its drift events are followed.
///
/// # Errors
/// `HomeError::Taken` when another engine runs there, a refused configuration, or whatever keeps
/// it from starting. Once it runs, nothing ends it but SIGTERM, SIGINT or `POST /v1/shutdown`.
pub fn run(home: &Path, config: &Path, api_key_file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = Config::read(config)?;
    let home = Home::take(home)?;
    log_to(&home.path.join("engine/engine.log"))?;
    // One thread for decisions; files, Git and images are read on a few others.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build()?;
    runtime.block_on(serve(&home, config, api_key_file))
}

/// Ends everything that an engine which was killed left running on the state folder `home`.
///
/// # Errors
/// `HomeError::Taken` when an engine runs there: that one is to be asked.
pub fn end(home: &Path) -> anyhow::Result<()> {
    let home = Home::take(home)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let saved = state::read(&home.path).context("the state of the last engine cannot be read")?;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let mut supervisor = Supervisor::new(&home, Config::default(), saved, sender);
        supervisor.end();
        follow(supervisor, events, std::future::pending()).await;
        home.withdraw();
        Ok(())
    })
}

async fn serve(home: &Home, config: Config, api_key_file: Option<PathBuf>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let saved = state::read(&home.path).context("the state of the last engine cannot be read")?;
    let (sender, events) = mpsc::channel::<Event>(EVENTS_MAX);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("cannot listen on 127.0.0.1")?;
    let token = random_hex(32)?;
    let endpoint = Endpoint {
        address: format!("http://{}", listener.local_addr()?),
        token: token.clone(),
        pid: std::process::id(),
        git_url: format!("file://{}", home.path.join("gitops.git").display()),
        engine: "local".to_owned(),
        environment: config.environment.clone(),
    };
    let supervisor = Supervisor::new(home, config, saved, sender.clone());
    tokio::spawn(drift_events::follow(
        drift_watch::Asker(sender.clone()),
        api_key_file,
    ));
    let door = Door::new(listener, CONNECTIONS_MAX);
    tokio::spawn(async move { axum::serve(door, server::router(sender, &token)).await });
    home.announce(&endpoint)?;
    tracing::info!(address = endpoint.address, pid = endpoint.pid, "the engine runs");
    let told_to_end = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    // The terminal it was started from may be closed; that ends nothing.
    tokio::spawn(async move { while hang_up.recv().await.is_some() {} });
    follow(supervisor, events, told_to_end).await;
    home.withdraw();
    tracing::info!("the engine ended");
    Ok(())
}

/// Handles events until everything has ended; begins to end when `told_to_end` is over.
async fn follow(
    mut supervisor: Supervisor,
    mut events: mpsc::Receiver<Event>,
    told_to_end: impl Future<Output = ()>,
) {
    tokio::pin!(told_to_end);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !supervisor.is_over() {
        tokio::select! {
            Some(event) = events.recv() => supervisor.handle(event),
            _ = ticks.tick() => supervisor.tick(),
            () = &mut told_to_end, if !supervisor.ending => supervisor.end(),
        }
    }
    supervisor.end_strays();
}

fn log_to(path: &Path) -> anyhow::Result<()> {
    let file = logs::open(path).with_context(|| format!("cannot write {}", path.display()))?;
    let writer = BoundedLog {
        file,
        path: path.to_owned(),
        written: 0,
    };
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(Mutex::new(writer))
        .try_init()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

/// The engine's own log, cut like those of its processes.
struct BoundedLog {
    file: File,
    path: PathBuf,
    written: u64,
}

impl Write for BoundedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        // Looked at now and then: a look costs a system call.
        if self.written > 64 * 1024 {
            self.written = 0;
            logs::bound(&self.path);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

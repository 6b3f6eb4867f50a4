//! From sockets to exit: accept, load, serve, drain.

mod accept;
mod connection;
mod socket;
mod sockets;
mod stream;
mod tls;

use crate::{
    App, Surface,
    config::Config,
    grpc::Grpc,
    guard::{shed, watch::Watched},
    load, monitor,
    state::State,
};
use accept::Door;
use anyhow::{Context, anyhow};
use socket::Socket;
use std::{sync::Arc, time::Instant};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

pub use sockets::Sockets;
pub use tls::{Tls, TlsError};

/// Most header fields of a request.
const MAX_HEADERS: usize = 100;

/// Stages of the service's socket, in order. Probes are served to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Connections are accepted.
    Open,
    /// They are not; what is open goes on.
    Shut,
    /// Idle connections are closed, the others after their answer.
    CloseIdle,
}

impl Stage {
    /// Done once the socket is there, or its watcher gone.
    async fn reached(mut stages: watch::Receiver<Stage>, wanted: Stage) {
        let _ = stages.wait_for(|stage| *stage >= wanted).await;
    }
}

/// Serves until `terminate` is done and the drain is over.
///
/// Readiness is told on the probe socket from the first moment. A shared service socket is accepted
/// on only once the model has answered: until then another process answers, or the backlog holds
/// the client. A socket of our own is accepted on at once, and says `not_ready`.
///
/// # Errors
/// When the model is refused ([`load::LoadError`]), a socket does not work, or keys, origins or
/// certificates are not what they should be.
pub async fn serve(
    config: Config,
    sockets: Sockets,
    terminate: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let (key_file, certificates) = watched(&config);
    let tls = Tls::read(&config.tls)?.map(Arc::new);
    config.drift.exchange.check(tls.is_some())?;
    let state = Arc::new(State::new(config)?);
    let app = App::new(Arc::clone(&state));
    let (stage, stages) = watch::channel(Stage::Open);
    let (_probe_stage, probe_stages) = watch::channel(Stage::Open);
    let (alive, mut gone) = mpsc::channel::<()>(1);
    let (probe_alive, _probe_gone) = mpsc::channel::<()>(1);
    if let Some(probe) = sockets.probe {
        let door = Door::new(probe, app.clone(), probe_stages.clone(), probe_alive.clone())?;
        tokio::spawn(door.aside().run());
    }
    let mut surface = Surface::Whole;
    if let Some(replicas) = sockets.replicas {
        let door = Door::new(replicas, app.clone(), probe_stages.clone(), probe_alive.clone())?;
        tokio::spawn(door.aside().surface(Surface::Replicas).run());
    }
    if let Some(admin) = sockets.admin {
        let door = Door::new(admin, app.clone(), probe_stages, probe_alive)?;
        tokio::spawn(door.aside().surface(Surface::Admin).run());
        surface = Surface::WithoutMetrics;
    }
    let (grpc_stage, grpc_stages) = watch::channel(Stage::Open);
    let mut grpc = None;
    if let Some(listener) = sockets.grpc {
        let address = listener.local_addr().context("the gRPC socket has no address")?;
        let services = Grpc::new(app.clone()).await?;
        let door = Door::new(listener, app.clone(), grpc_stages, alive.clone())?;
        tokio::spawn(door.speaking(services.clone()).tls(tls.clone()).run());
        tracing::info!(event = "grpc", %address, tls = tls.is_some(), "gRPC is spoken");
        grpc = Some(services);
    }
    let address = sockets
        .service
        .local_addr()
        .context("the service socket has no address")?;
    let door = Door::new(sockets.service, app.clone(), stages, alive)?;
    let mut door = Some(door.surface(surface).tls(tls.clone()));
    if !sockets.shared {
        door.take().map(|door| tokio::spawn(door.run()));
    }

    attend(&state, tls.as_ref(), key_file, certificates);
    let mut terminate = std::pin::pin!(terminate);
    let begun = Instant::now();
    let loading = tokio::task::spawn_blocking({
        let state = Arc::clone(&state);
        move || load::load(&state.config).map(|served| state.serve(served))
    });
    tokio::select! {
        biased;
        () = &mut terminate => {
            tracing::info!(event = "stop", "told to stop before the model was loaded");
            return Ok(());
        }
        loaded = loading => loaded.map_err(|_| anyhow!("loading the model failed: a defect, see the log"))?
            .with_context(|| format!("model {} is refused", state.config.model.display()))?,
    }
    monitor::watch(&state);
    if let Some(door) = door.take() {
        tokio::spawn(door.run());
    }
    if let Some(grpc) = &grpc {
        grpc.set_serving(true).await;
    }
    if let Ok(served) = state.served() {
        let info = served.info();
        let load_ms = begun.elapsed().as_secs_f64() * 1e3;
        tracing::info!(
            event = "ready", %address, shared = sockets.shared, tls = tls.is_some(), keys = state.guard.keys.count(), model = info.name, model_version = info.model_version,
            digest = info.digests.model, load_ms, "the model answers"
        );
    }

    terminate.await;
    let drain = &state.config.drain;
    let connections = || {
        state
            .metrics
            .connections
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    tracing::info!(
        event = "drain",
        connections = connections(),
        drain_seconds = drain.period.as_secs_f64(),
        "told to stop"
    );
    state.drain();
    if let Some(grpc) = &grpc {
        grpc.set_serving(false).await;
    }
    if sockets.shared {
        // Whoever shares the socket accepts from now on.
        stage.send_replace(Stage::Shut);
    }
    // Alone on the socket, clients still come until every proxy has seen that we are not ready.
    tokio::time::sleep(drain.period).await;
    stage.send_replace(Stage::CloseIdle);
    // Nobody shares it: it was open until now.
    grpc_stage.send_replace(Stage::CloseIdle);
    // The channel ends when the door and every connection have dropped their end of it.
    let finished = timeout(drain.deadline, gone.recv()).await.is_ok();
    if finished {
        tracing::info!(event = "stop", "all requests are answered");
    } else {
        tracing::warn!(
            event = "stop",
            connections = connections(),
            "the drain's deadline passed with requests in flight"
        );
    }
    monitor::hand_over(&state).await;
    Ok(())
}

/// The files that may change: of keys, and of certificate and key.
fn watched(config: &Config) -> (Option<Watched>, Option<Watched>) {
    let keys = config.guard.api_keys_file.clone();
    let pair = config.tls.cert.clone().zip(config.tls.key.clone());
    (
        keys.map(|path| Watched::new([path])),
        pair.map(|(cert, key)| Watched::new([cert, key])),
    )
}

/// What goes on beside the requests, as long as the runtime does.
fn attend(
    state: &Arc<State>,
    tls: Option<&Arc<Tls>>,
    key_file: Option<Watched>,
    certificates: Option<Watched>,
) {
    if let Some(files) = key_file {
        let state = Arc::clone(state);
        tokio::spawn(files.run("API keys", move || state.guard.keys.reload()));
    }
    if let Some((files, tls)) = certificates.zip(tls.cloned()) {
        tokio::spawn(files.run("certificate and key", move || tls.reload()));
    }
    if !state.config.guard.shed_after_ms.is_zero() {
        let shedder = Arc::clone(&state.guard.shedder);
        tokio::spawn(async move {
            if let Err(error) = shed::measure(shedder).await {
                tracing::error!(event = "shedding", %error, "the delay cannot be measured, no request is shed");
            }
        });
    }
}

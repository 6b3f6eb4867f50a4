//! A listening socket: every connection a task, within a bound.

use super::{Stage, connection, stream};
use crate::{
    App,
    error::{ApiError, Code},
    grpc::Grpc,
};
use anyhow::Context;
use std::{io, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

/// Pause after an accept that failed for want of something (files, memory): the socket stays
/// readable, and without a pause the loop would spin.
const PAUSE: Duration = Duration::from_millis(50);
/// For the sweep of the backlog before the socket is closed: without anybody coming, and at most.
const SWEEP: Duration = Duration::from_millis(20);
const SWEEP_MOST: Duration = Duration::from_millis(200);

/// Accepts until its stage says otherwise.
pub struct Door {
    listener: TcpListener,
    app: App,
    stage: watch::Receiver<Stage>,
    alive: mpsc::Sender<()>,
    /// What is spoken behind it, where that is not HTTP/1.1.
    grpc: Option<Grpc>,
}

impl Door {
    /// Takes a listening socket into the runtime.
    pub fn new(
        listener: std::net::TcpListener,
        app: App,
        stage: watch::Receiver<Stage>,
        alive: mpsc::Sender<()>,
    ) -> anyhow::Result<Self> {
        listener
            .set_nonblocking(true)
            .context("cannot make the listening socket non-blocking")?;
        let listener = TcpListener::from_std(listener).context("cannot watch the listening socket")?;
        Ok(Door {
            listener,
            app,
            stage,
            alive,
            grpc: None,
        })
    }

    /// The same, with gRPC behind it.
    pub fn speaking(self, grpc: Grpc) -> Self {
        Door {
            grpc: Some(grpc),
            ..self
        }
    }

    /// Runs until the stage leaves [`Stage::Open`].
    pub async fn run(self) {
        let mut stage = self.stage.clone();
        let closed = async move {
            stage
                .wait_for(|stage| *stage > Stage::Open)
                .await
                .map(|stage| *stage)
                .ok()
        };
        let mut closed = std::pin::pin!(closed);
        let last = loop {
            tokio::select! {
                biased;
                last = &mut closed => break last,
                accepted = self.listener.accept() => self.admit(accepted.map(|(socket, _)| socket)).await,
            }
        };
        if last == Some(Stage::CloseIdle) {
            // Nobody else accepts here: whoever the kernel has let in already is still served.
            let end = Instant::now() + SWEEP_MOST;
            while let Ok(Ok((socket, _))) = timeout(SWEEP, self.listener.accept()).await {
                self.admit(Ok(socket)).await;
                if Instant::now() > end {
                    // Clients that never stop coming would hold the socket open.
                    break;
                }
            }
        }
    }

    async fn admit(&self, accepted: io::Result<TcpStream>) {
        let socket = match accepted {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(event = "accept", %error, "a connection could not be accepted");
                return sleep(PAUSE).await;
            }
        };
        let (app, stage, alive) = (self.app.clone(), self.stage.clone(), self.alive.clone());
        let open = Open::count(app.clone());
        let most = app.state().config.limits.max_connections;
        if open.before >= most {
            let message = format!("{most} connections are open already, the most that are taken; try again");
            if self.grpc.is_some() {
                // HTTP/2 has no words before its handshake.
                return;
            }
            // One packet into an empty socket buffer: it either fits at once or is given up.
            let _ = socket.try_write(&stream::raw(&ApiError::new(Code::Overloaded, message)));
            return;
        }
        let grpc = self.grpc.clone();
        tokio::spawn(async move {
            match grpc {
                None => connection::serve(socket, app, stage).await,
                Some(grpc) => grpc.serve(socket, Stage::reached(stage, Stage::CloseIdle)).await,
            }
            drop((open, alive));
        });
    }
}

/// An open connection, counted while it lives.
struct Open {
    app: App,
    before: usize,
}

impl Open {
    fn count(app: App) -> Self {
        let before = app.state().metrics.connections.fetch_add(1, Relaxed);
        Open { app, before }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.app.state().metrics.connections.fetch_sub(1, Relaxed);
    }
}

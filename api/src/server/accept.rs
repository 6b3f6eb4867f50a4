//! A listening socket: every connection a task, within a bound.

use super::{Socket, Stage, Tls, connection, stream, tls::Spoken};
use crate::{
    App,
    error::{ApiError, Code},
    exchange::{Exchange, Surface},
    grpc::Grpc,
};
use anyhow::Context;
use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
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

/// Connections of a door aside: probes and scrapers are few, and must get in when clients fill the
/// service's.
const MOST_ASIDE: usize = 100;

/// Accepts until its stage says otherwise.
pub struct Door {
    listener: TcpListener,
    app: App,
    stage: watch::Receiver<Stage>,
    alive: mpsc::Sender<()>,
    /// What is spoken behind it, where that is not HTTP/1.1.
    grpc: Option<Grpc>,
    surface: Surface,
    tls: Option<Arc<Tls>>,
    aside: Option<Arc<AtomicUsize>>,
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
            surface: Surface::Whole,
            tls: None,
            aside: None,
        })
    }

    /// The same, with gRPC behind it.
    pub fn speaking(self, grpc: Grpc) -> Self {
        Door {
            grpc: Some(grpc),
            ..self
        }
    }

    /// Shows less than everything.
    pub fn surface(self, surface: Surface) -> Self {
        Door { surface, ..self }
    }

    /// Behind TLS.
    pub fn tls(self, tls: Option<Arc<Tls>>) -> Self {
        Door { tls, ..self }
    }

    /// Its connections are not those of clients, and have a bound of their own.
    pub fn aside(self) -> Self {
        Door {
            aside: Some(Arc::default()),
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
                accepted = self.listener.accept() => self.admit(accepted.map(|(socket, peer)| (socket, peer.ip()))).await,
            }
        };
        if last == Some(Stage::CloseIdle) {
            // Nobody else accepts here: whoever the kernel has let in already is still served.
            let end = Instant::now() + SWEEP_MOST;
            while let Ok(Ok((socket, peer))) = timeout(SWEEP, self.listener.accept()).await {
                self.admit(Ok((socket, peer.ip()))).await;
                if Instant::now() > end {
                    // Clients that never stop coming would hold the socket open.
                    break;
                }
            }
        }
    }

    async fn admit(&self, accepted: io::Result<(TcpStream, IpAddr)>) {
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(event = "accept", %error, "a connection could not be accepted");
                return sleep(PAUSE).await;
            }
        };
        let (app, stage, alive) = (self.app.clone(), self.stage.clone(), self.alive.clone());
        let open = Open::count(app.clone(), self.aside.clone());
        let limits = &app.state().config.limits;
        let most = match self.aside {
            Some(_) => MOST_ASIDE,
            None => limits.max_connections,
        };
        if open.before >= most {
            let message = format!("{most} connections are open already, the most that are taken; try again");
            if self.grpc.is_some() {
                // HTTP/2 has no words before its handshake.
                return;
            }
            // In the clear also where TLS is expected: a handshake for each would be the wrong way to save.
            // One packet into an empty socket buffer: it either fits at once or is given up.
            let _ = socket.try_write(&stream::raw(&ApiError::new(Code::Overloaded, message)));
            return;
        }
        // Answers are small and whole: waiting to fill a packet would only add latency.
        let _ = socket.set_nodelay(true);
        let (tls, deadline) = (self.tls.clone(), limits.header_timeout);
        // A task each and not a branch in one, which would be as large as the larger of both.
        if let Some(grpc) = self.grpc.clone() {
            tokio::spawn(async move {
                if let Some(socket) = opened(socket, tls, Spoken::Http2, deadline, stage.clone()).await {
                    grpc.serve(socket, peer, Stage::reached(stage, Stage::CloseIdle))
                        .await;
                }
                drop((open, alive));
            });
            return;
        }
        let exchange = Exchange::new(Some(peer), self.surface);
        tokio::spawn(async move {
            if let Some(socket) = opened(socket, tls, Spoken::Http1, deadline, stage.clone()).await {
                connection::serve(socket, exchange, app, stage).await;
            }
            drop((open, alive));
        });
    }
}

/// The socket as it is, or after a handshake within the deadline of a request's head, for it is as much of an
/// opening; `None` when nothing came of it.
async fn opened(
    socket: TcpStream,
    tls: Option<Arc<Tls>>,
    spoken: Spoken,
    deadline: Duration,
    mut stage: watch::Receiver<Stage>,
) -> Option<Socket> {
    let Some(tls) = tls else {
        return Some(Socket::Plain(socket));
    };
    let closed = async {
        let _ = stage.wait_for(|stage| *stage == Stage::CloseIdle).await;
        sleep(connection::LAST_WORDS).await;
    };
    let result = tokio::select! {
        result = timeout(deadline, tls.accept(socket, spoken)) => result.unwrap_or_else(|late| Err(late.into())),
        () = closed => return None,
    };
    if let Err(error) = &result {
        tracing::debug!(event = "handshake", %error, "no TLS with this client");
    }
    result.ok()
}

/// An open connection, counted while it lives.
struct Open {
    app: App,
    aside: Option<Arc<AtomicUsize>>,
    before: usize,
}

impl Open {
    fn count(app: App, aside: Option<Arc<AtomicUsize>>) -> Self {
        let mut open = Open {
            app,
            aside,
            before: 0,
        };
        open.before = open.counter().fetch_add(1, Relaxed);
        open
    }

    fn counter(&self) -> &AtomicUsize {
        let clients = &self.app.state().metrics.connections;
        self.aside.as_deref().unwrap_or(clients)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counter().fetch_sub(1, Relaxed);
    }
}

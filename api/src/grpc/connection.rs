//! One connection: hyper's HTTP/2 over it, and its deadlines.

use super::{
    Grpc,
    activity::{Activity, Phase},
};
use crate::config::Limits;
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{convert::Infallible, net::IpAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep},
};

/// Calls of one connection at once; more wait in the client.
const CALLS_MOST: u32 = 128;
/// Streams that the client has reset and nobody has looked at yet, before the connection is closed
/// (CVE-2023-44487).
const RESETS_PENDING_MOST: usize = 20;
/// Streams that we had to reset for what the client sent, before the connection is closed
/// (CVE-2025-8671).
const RESETS_OWN_MOST: usize = 256;
/// Answer bytes of one stream that wait for the socket.
const SEND_BUFFER_BYTES: usize = 64 << 10;
/// A client that is there answers a ping.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_DEADLINE: Duration = Duration::from_secs(10);
/// How long after its deadline a call may take to be written, and a farewell to be heard.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Grpc {
    /// Serves one connection, whatever it is encrypted with, until either side ends it. Once `closing` is
    /// done, calls in flight are finished and no others are taken.
    pub async fn serve(
        self,
        socket: impl AsyncRead + AsyncWrite + Unpin,
        peer: IpAddr,
        closing: impl Future<Output = ()>,
    ) {
        let limits = self.app.state().config.limits.clone();
        let activity = Arc::new(Activity::default());
        let service = service_fn(|request| {
            let (grpc, activity) = (self.clone(), Arc::clone(&activity));
            async move { Ok::<_, Infallible>(grpc.answer(request, peer, &activity).await) }
        });
        let header_bytes = u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX);
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(CALLS_MOST)
            .max_header_list_size(header_bytes)
            .max_pending_accept_reset_streams(RESETS_PENDING_MOST)
            .max_local_error_reset_streams(RESETS_OWN_MOST)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_DEADLINE)
            .serve_connection(TokioIo::new(socket), service);
        let (mut connection, mut closing) = (pin!(connection), pin!(closing));
        let mut timer = pin!(sleep(shortest(&limits)));
        let mut leaving = false;
        loop {
            let farewell = tokio::select! {
                biased;
                _ = connection.as_mut() => return,
                () = &mut closing, if !leaving => true,
                () = &mut timer => {
                    let left = left(&limits, activity.phase(), leaving).map(|limit| limit.saturating_sub(activity.age()));
                    let spent = left == Some(Duration::ZERO);
                    if spent && (leaving || activity.phase() != Phase::Idle) {
                        return;
                    }
                    // Never longer than the shortest deadline: a phase that begins meanwhile is not missed.
                    let most = if leaving { LAST_WORDS / 4 } else { shortest(&limits) };
                    let pause = left.unwrap_or(most).clamp(Duration::from_millis(5), most);
                    timer.as_mut().reset(Instant::now() + pause);
                    spent
                }
            };
            if farewell {
                // The client is told which of its calls are still answered, and opens another connection.
                connection.as_mut().graceful_shutdown();
                activity.touch();
                leaving = true;
                timer.as_mut().reset(Instant::now() + LAST_WORDS / 4);
            }
        }
    }
}

/// How long a phase may last; `None` is as long as the client answers pings.
fn left(limits: &Limits, phase: Phase, leaving: bool) -> Option<Duration> {
    match phase {
        Phase::Calls => Some(limits.request_timeout + LAST_WORDS),
        _ if leaving => Some(LAST_WORDS),
        Phase::Streams => None,
        Phase::Idle => Some(limits.idle_timeout),
        Phase::Fresh => Some(limits.header_timeout),
    }
}

/// The shortest of the deadlines.
fn shortest(limits: &Limits) -> Duration {
    limits
        .header_timeout
        .min(limits.idle_timeout)
        .min(limits.request_timeout)
        .max(Duration::from_millis(5))
}

//! One connection: hyper's HTTP/1.1 over it, and a watchdog over both.

use super::{
    MAX_HEADERS, Socket, Stage, endless,
    stream::{self, Stream},
};
use crate::{
    App,
    config::Limits,
    error::{ApiError, Code},
    exchange::{Exchange, Phase},
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    sync::watch,
    time::{Instant, Sleep, sleep, timeout},
};

/// How long a request gets to turn its time-out into an answer, and that answer to be written.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves one connection until either side ends it.
pub async fn serve(socket: Socket, exchange: Exchange, app: App, mut stage: watch::Receiver<Stage>) {
    let exchange = Arc::new(exchange);
    let limits = app.state().config.limits.clone();
    let stream = Stream::new(socket, Arc::clone(&exchange), limits.max_header_bytes);
    let service = service_fn(|request| {
        let (app, exchange) = (app.clone(), Arc::clone(&exchange));
        async move {
            let answer = app.answer(request, &exchange).await;
            Ok::<_, Infallible>(endless::follow(answer, &exchange))
        }
    });
    let mut connection = http1::Builder::new()
        .max_buf_size(limits.max_header_bytes)
        .max_headers(MAX_HEADERS)
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    let mut watchdog = Watchdog::new(&limits);
    let closing = async move { stage.wait_for(|stage| *stage == Stage::CloseIdle).await.is_ok() };
    let mut closing = std::pin::pin!(closing);
    let mut close_idle = false;
    let end = poll_fn(|cx| {
        // hyper first: what has arrived is answered before anything is closed.
        if Pin::new(&mut connection).poll(cx).is_ready() {
            return Poll::Ready(End::Closed);
        }
        if !close_idle && closing.as_mut().poll(cx).is_ready() {
            close_idle = true;
            watchdog.hurry();
        }
        watchdog.poll(cx, &exchange, close_idle)
    })
    .await;
    if end == End::SlowHead {
        let refusal = stream::raw(&ApiError::new(
            Code::RequestTimeout,
            "the request's head did not arrive in time",
        ));
        let mut stream = connection.into_parts().io.into_inner();
        let _ = timeout(LAST_WORDS, async {
            stream.write_all(&refusal).await?;
            stream.shutdown().await
        })
        .await;
    }
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// By hyper, or by a deadline that needs no words.
    Closed,
    /// A head began and was not finished.
    SlowHead,
}

/// Deadlines of a connection's phases over one timer.
struct Watchdog<'l> {
    limits: &'l Limits,
    timer: Pin<Box<Sleep>>,
    /// When idle connections were told to close.
    hurried: Option<Instant>,
}

impl<'l> Watchdog<'l> {
    fn new(limits: &'l Limits) -> Self {
        let timer = Box::pin(sleep(shortest(limits)));
        Watchdog {
            limits,
            timer,
            hurried: None,
        }
    }

    /// The stage has changed: look at once.
    fn hurry(&mut self) {
        self.hurried = Some(Instant::now());
        self.timer.as_mut().reset(Instant::now());
    }

    fn poll(&mut self, cx: &mut Context<'_>, exchange: &Exchange, close_idle: bool) -> Poll<End> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let (phase, age) = (exchange.phase(), exchange.age());
            let limit = match phase {
                Phase::Idle if close_idle => Duration::ZERO,
                // Accepted a moment ago: its first request may be on the way.
                Phase::Fresh if close_idle => LAST_WORDS,
                Phase::Idle => self.limits.idle_timeout,
                Phase::Fresh | Phase::Head => self.limits.header_timeout,
                Phase::Request if exchange.is_expired() => self.limits.request_timeout + LAST_WORDS,
                Phase::Request => self.limits.request_timeout,
                Phase::Stream => endless::STALLED,
            };
            let left = match (phase, self.hurried) {
                // It was ended by the drain; what is left is a client that does not read.
                (Phase::Stream, Some(since)) => LAST_WORDS.saturating_sub(since.elapsed()),
                _ => limit.saturating_sub(age),
            };
            if left.is_zero() {
                match phase {
                    Phase::Head => return Poll::Ready(End::SlowHead),
                    Phase::Request if !exchange.is_expired() => {
                        exchange.expire();
                        // The handler runs on this very task, inside hyper's poll.
                        cx.waker().wake_by_ref();
                    }
                    _ => return Poll::Ready(End::Closed),
                }
            }
            // Never longer than the shortest deadline: a phase that begins meanwhile is not missed.
            let pause = if close_idle {
                LAST_WORDS / 4
            } else {
                shortest(self.limits)
            };
            self.timer
                .as_mut()
                .reset(Instant::now() + left.clamp(Duration::from_millis(5), pause));
        }
        Poll::Pending
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

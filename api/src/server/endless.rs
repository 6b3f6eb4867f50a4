//! Answers without an end of their own: a connection whose answer goes on is not idle.

use crate::exchange::Exchange;
use axum::{
    body::{Body, Bytes},
    http::Response,
};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// A stream says something four times in this time. One that nothing is taken of for so long has lost its client.
pub const STALLED: Duration = Duration::from_secs(60);

/// Marks an answer as a stream.
#[derive(Clone, Copy, Debug)]
pub struct Endless;

/// Lets the exchange know how long the answer goes on, where it is a stream.
pub fn follow(answer: Response<Body>, exchange: &Arc<Exchange>) -> Response<Body> {
    if answer.extensions().get::<Endless>().is_none() {
        return answer;
    }
    exchange.streams();
    let exchange = Arc::clone(exchange);
    answer.map(|body| Body::new(Followed { body, exchange }))
}

struct Followed {
    body: Body,
    exchange: Arc<Exchange>,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    /// Asked for only while there is room in the connection's buffer: a sign that the client reads.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.exchange.streams();
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.exchange.end_stream();
    }
}

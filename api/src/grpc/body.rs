//! Bodies of calls: what comes in, and what goes out.

use super::activity::Turn;
use axum::body::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tonic::body::Body;

/// A request's body that does not end when its client resets the stream: hyper drops the call then, and
/// the call is counted as given up by its client, where tonic would take it for a message cut off.
#[derive(Debug)]
pub struct Asked(pub Incoming);

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match Pin::new(&mut self.0).poll_frame(cx) {
            // hyper looks for the reset whenever the call is pending; were there none, the deadline is.
            Poll::Ready(Some(Err(_))) => Poll::Pending,
            poll => poll,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// An answer's body, whose call ends with it.
#[derive(Debug)]
pub struct Tracked {
    body: Body,
    _turn: Turn,
}

impl Tracked {
    /// The body of the call that `turn` stands for.
    pub fn new(body: Body, turn: Turn) -> Self {
        Tracked { body, _turn: turn }
    }
}

impl HttpBody for Tracked {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

//! The socket as hyper sees it: notes the first byte of each request, and gives hyper's own
//! refusals (malformed or oversized heads, which never reach a handler) the JSON body that every
//! error of this API has.

use super::Socket;
use crate::{
    error::{ApiError, Code, ErrorForm},
    exchange::Exchange,
    guard::headers,
    request_id::{self, RequestIds},
};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection's socket.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    exchange: Arc<Exchange>,
    max_header_bytes: usize,
    /// Our refusal in the place of hyper's, and how much of it was written.
    instead: Option<(Vec<u8>, usize)>,
}

impl Stream {
    /// Wraps a socket.
    pub fn new(socket: Socket, exchange: Arc<Exchange>, max_header_bytes: usize) -> Self {
        Stream {
            socket,
            exchange,
            max_header_bytes,
            instead: None,
        }
    }

    /// The refusal to write instead of `answer`, where hyper wrote it by itself.
    fn refusal(&self, answer: &[u8]) -> Option<Vec<u8>> {
        if self.exchange.writes_answer() {
            return None;
        }
        let code = match answer.get(..12)? {
            b"HTTP/1.1 400" | b"HTTP/1.0 400" => Code::MalformedRequest,
            b"HTTP/1.1 414" | b"HTTP/1.0 414" => Code::UriTooLong,
            b"HTTP/1.1 431" | b"HTTP/1.0 431" => Code::HeadersTooLarge,
            _ => return None,
        };
        let message = match code {
            Code::MalformedRequest => "the request is not HTTP/1.1".into(),
            Code::UriTooLong => "the address is too long".into(),
            _ => format!(
                "the request's head is larger than {} bytes or has more than {} fields",
                self.max_header_bytes,
                super::MAX_HEADERS
            ),
        };
        Some(raw(&ApiError::new(code, message)))
    }

    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((bytes, written)) = &mut self.instead {
            *written += ready!(Pin::new(&mut self.socket).poll_write(cx, &bytes[*written..]))?;
            if *written == bytes.len() {
                self.instead = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A whole answer as bytes, for where there is no handler to give it; the connection ends with it.
pub fn raw(error: &ApiError) -> Vec<u8> {
    let id = RequestIds::default().fresh();
    let id = request_id::text(&id);
    let body = error.body(ErrorForm::Own, id);
    let status = error.code.status();
    let retry = error
        .retry_after_s
        .map_or_else(String::new, |seconds| format!("retry-after: {seconds}\r\n"));
    let guard = headers::TEXT;
    let reason = status.canonical_reason().unwrap_or_default();
    let mut answer = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{retry}{guard}x-request-id: {id}\r\nconnection: close\r\n\r\n",
        status.as_u16(),
        body.len(),
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.exchange.bytes();
        }
        result
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(refusal) = self.refusal(bytes) {
            self.instead = Some((refusal, 0));
            // hyper is told that its own answer went out; ours is written by this and the flush.
            let _ = self.poll_instead(cx)?;
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices
            .iter()
            .find(|slice| !slice.is_empty())
            .map_or(&[][..], |slice| &slice[..]);
        if let Some(refusal) = self.refusal(first) {
            self.instead = Some((refusal, 0));
            let _ = self.poll_instead(cx)?;
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

//! One keep-alive connection.

use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// More than this in one answer is a broken server.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;
const MAX_HEADERS: usize = 64;

/// What went wrong, as a word to count by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No connection could be made.
    Refused,
    /// The connection was reset.
    Reset,
    /// The connection ended in the middle of an exchange, or before the answer began.
    Closed,
    /// No complete answer in time.
    Timeout,
    /// What came was not HTTP.
    Malformed,
    /// An answer with a status other than 200.
    Status,
}

/// A request that got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct RequestError {
    /// What went wrong.
    pub kind: FailureKind,
    /// For a person.
    pub detail: String,
}

impl RequestError {
    fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    fn io(doing: &str, error: &io::Error) -> Self {
        use io::ErrorKind as E;
        let kind = match error.kind() {
            E::ConnectionReset | E::BrokenPipe | E::ConnectionAborted => FailureKind::Reset,
            E::WouldBlock | E::TimedOut => FailureKind::Timeout,
            _ if doing == "connect" => FailureKind::Refused,
            _ => FailureKind::Closed,
        };
        // The system's own word for it, "resource temporarily unavailable", explains nothing.
        let what = if kind == FailureKind::Timeout {
            "timed out".to_owned()
        } else {
            error.to_string()
        };
        Self::new(kind, format!("{doing}: {what}"))
    }
}

/// An answer of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Status code.
    pub status: u16,
    /// Body, without transfer encoding.
    pub body: &'a [u8],
    /// Whether the server ends the connection after it: open another one for the next request.
    pub close: bool,
}

/// How the end of a body is known.
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

struct Head {
    length: usize,
    status: u16,
    close: bool,
    framing: Framing,
}

/// An open connection. After an error it is of no further use.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    timeout: Duration,
    /// Bytes received for the current answer.
    received: Vec<u8>,
    /// Body of a chunked answer.
    unchunked: Vec<u8>,
}

impl Connection {
    /// Connects within `timeout`, which then also bounds each request.
    pub fn open(address: SocketAddr, timeout: Duration) -> Result<Self, RequestError> {
        let connected = TcpStream::connect_timeout(&address, timeout).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            Ok(stream)
        });
        let stream = connected.map_err(|error| RequestError::io("connect", &error))?;
        Ok(Self {
            stream,
            timeout,
            received: Vec::with_capacity(4096),
            unchunked: Vec::new(),
        })
    }

    /// Sends a complete request (see [`crate::Target::requests`]) once and reads its answer.
    pub fn send(&mut self, request: &[u8]) -> Result<Response<'_>, RequestError> {
        let deadline = Instant::now() + self.timeout;
        self.received.clear();
        self.stream
            .write_all(request)
            .map_err(|error| RequestError::io("send", &error))?;
        let head = loop {
            self.receive(deadline)?;
            if let Some(head) = parse_head(&self.received)? {
                break head;
            }
        };
        let start = head.length;
        match head.framing {
            Framing::Length(length) => {
                while self.received.len() < start + length {
                    self.receive(deadline)?;
                }
                if self.received.len() > start + length {
                    return Err(RequestError::new(
                        FailureKind::Malformed,
                        "more bytes than the answer announces",
                    ));
                }
                Ok(Response {
                    status: head.status,
                    body: &self.received[start..],
                    close: head.close,
                })
            }
            Framing::Chunked => {
                while !unchunk(&self.received[start..], &mut self.unchunked)? {
                    self.receive(deadline)?;
                }
                Ok(Response {
                    status: head.status,
                    body: &self.unchunked,
                    close: head.close,
                })
            }
            Framing::UntilClose => {
                while self.read(deadline)? > 0 {}
                Ok(Response {
                    status: head.status,
                    body: &self.received[start..],
                    close: true,
                })
            }
        }
    }

    /// Receives at least one byte.
    fn receive(&mut self, deadline: Instant) -> Result<(), RequestError> {
        if self.read(deadline)? > 0 {
            return Ok(());
        }
        let detail = match self.received.len() {
            0 => "the server closed the connection before it answered".to_owned(),
            bytes => format!("the server closed the connection after {bytes} bytes of its answer"),
        };
        Err(RequestError::new(FailureKind::Closed, detail))
    }

    fn read(&mut self, deadline: Instant) -> Result<usize, RequestError> {
        // A server that sends a byte now and then never runs into the socket's own timeout.
        if Instant::now() > deadline {
            let detail = format!("no complete answer within {} ms", self.timeout.as_millis());
            return Err(RequestError::new(FailureKind::Timeout, detail));
        }
        if self.received.len() > MAX_RESPONSE_BYTES {
            return Err(RequestError::new(
                FailureKind::Malformed,
                "the answer does not end",
            ));
        }
        let mut chunk = [0; 4096];
        let count = loop {
            match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result.map_err(|error| RequestError::io("receive", &error))?,
            }
        };
        self.received.extend_from_slice(&chunk[..count]);
        Ok(count)
    }
}

fn parse_head(received: &[u8]) -> Result<Option<Head>, RequestError> {
    let malformed = |what: &str| RequestError::new(FailureKind::Malformed, what);
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(received) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(malformed(&format!("head of the answer: {error}"))),
    };
    let status = response.code.ok_or_else(|| malformed("no status code"))?;
    let (mut close, mut framing) = (response.version == Some(0), Framing::UntilClose);
    if matches!(status, 100..200 | 204 | 304) {
        framing = Framing::Length(0);
    }
    for header in response.headers.iter() {
        let value = header.value.trim_ascii();
        if header.name.eq_ignore_ascii_case("content-length") {
            let parsed = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            framing = Framing::Length(parsed.ok_or_else(|| malformed("content-length is not a number"))?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            close = value
                .split(|&byte| byte == b',')
                .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"));
        }
    }
    Ok(Some(Head {
        length,
        status,
        close,
        framing,
    }))
}

/// Takes the chunks apart; false if the last one is not there yet.
fn unchunk(mut rest: &[u8], body: &mut Vec<u8>) -> Result<bool, RequestError> {
    body.clear();
    loop {
        match httparse::parse_chunk_size(rest) {
            Err(_) => return Err(RequestError::new(FailureKind::Malformed, "chunk size")),
            Ok(httparse::Status::Partial) => return Ok(false),
            Ok(httparse::Status::Complete((start, size))) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                let Some(after) = rest[start..].get(size..).filter(|after| after.len() >= 2) else {
                    return Ok(false);
                };
                if !after.starts_with(b"\r\n") {
                    return Err(RequestError::new(FailureKind::Malformed, "chunk or trailer"));
                }
                body.extend_from_slice(&rest[start..start + size]);
                if size == 0 {
                    return Ok(true);
                }
                rest = &after[2..];
            }
        }
    }
}

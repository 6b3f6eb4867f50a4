//! A client that sends exactly what it is told, byte by byte where need be.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Security headers.
pub const EVERY_ANSWER: [&str; 4] = [
    "x-content-type-options",
    "referrer-policy",
    "x-frame-options",
    "cache-control",
];

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub bytes: Vec<u8>,
    /// The same as text; empty where it is none.
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// For snapshots: everything but the date, and but what every answer has (see `guard_headers`).
    pub fn text(&self) -> String {
        let headers = self.headers.iter().filter(|(name, _)| {
            !["date", "content-length"].contains(&name.as_str()) && !EVERY_ANSWER.contains(&name.as_str())
        });
        let headers: String = headers
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        format!("{}\n{headers}\n{}", self.status, self.body)
    }
}

/// One connection.
pub struct Client(pub TcpStream);

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client(socket)
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Reads one answer; `None` when the connection ended before a byte came.
    pub fn read(&mut self) -> Option<Answer> {
        self.read_answer(None)
    }

    /// The same of an answer that has no body and does not say how long it is.
    pub fn read_without_body(&mut self) -> Option<Answer> {
        self.read_answer(Some(0))
    }

    fn read_answer(&mut self, length: Option<usize>) -> Option<Answer> {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let mut fields = [httparse::EMPTY_HEADER; 32];
            let mut head = httparse::Response::new(&mut fields);
            if let httparse::Status::Complete(begin) = head.parse(&bytes).expect("an HTTP answer") {
                let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
                let headers: Vec<_> = head
                    .headers
                    .iter()
                    .map(|h| (h.name.to_lowercase(), text(h.value)))
                    .collect();
                let mut answer = Answer {
                    status: head.code.unwrap(),
                    headers,
                    bytes: Vec::new(),
                    body: String::new(),
                };
                let stated = || {
                    answer
                        .header("content-length")
                        .expect("every answer has a length")
                };
                let length = length.unwrap_or_else(|| stated().parse().unwrap());
                while bytes.len() < begin + length {
                    let read = self.0.read(&mut piece).unwrap();
                    assert!(read > 0, "the body ends early: {answer:?}");
                    bytes.extend_from_slice(&piece[..read]);
                }
                assert_eq!(bytes.len(), begin + length, "more than one answer");
                answer.bytes = bytes[begin..].to_vec();
                answer.body = String::from_utf8(bytes[begin..].to_vec()).unwrap_or_default();
                return Some(answer);
            }
            match self.0.read(&mut piece).unwrap() {
                0 if bytes.is_empty() => return None,
                0 => panic!("the head ends early: {:?}", String::from_utf8_lossy(&bytes)),
                read => bytes.extend_from_slice(&piece[..read]),
            }
        }
    }

    /// Sends a request with the usual headers and reads its answer.
    pub fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        let mut bytes =
            format!("{method} {path} HTTP/1.1\r\nhost: test\r\nx-request-id: test\r\n{headers}{length}\r\n")
                .into_bytes();
        bytes.extend_from_slice(body);
        self.write(&bytes);
        self.read().expect("an answer")
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "", b"")
    }

    pub fn predict(&mut self, body: &str) -> Answer {
        self.send(
            "POST",
            "/predict",
            "content-type: application/json\r\n",
            body.as_bytes(),
        )
    }

    /// Whether the peer has closed, waiting for it.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 1]), Ok(0) | Err(_))
    }
}

//! A server that does to each request what a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What to do with a request.
pub enum Act {
    /// Answer with 200 and a model version.
    Answer(&'static str),
    /// The same, and say `Connection: close`, and do it.
    AnswerAndClose(&'static str),
    /// Write these bytes and go on.
    Raw(Vec<u8>),
    /// Write these bytes and end the connection.
    RawAndClose(Vec<u8>),
    /// Reset the connection.
    Reset,
    /// Wait before the answer.
    Slow(Duration),
    /// Answer, then end the connection without having said so.
    AnswerAndVanish(&'static str),
}

pub struct Server {
    pub address: SocketAddr,
    /// Requests read from the wire, whatever became of them.
    pub requests: Arc<AtomicU64>,
    pub connections: Arc<AtomicU64>,
    pub bodies: Arc<std::sync::Mutex<Vec<String>>>,
    stopped: Arc<AtomicBool>,
}

pub fn answer(body: &str, extra: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{extra}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn version(version: &str) -> String {
    format!(r#"{{"prediction":0,"model_version":"{version}"}}"#)
}

/// Starts one; `act` is given the number of the request on this server, from 0.
pub fn start(act: impl Fn(u64) -> Act + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server {
        address: listener.local_addr().unwrap(),
        requests: Arc::default(),
        connections: Arc::default(),
        bodies: Arc::default(),
        stopped: Arc::default(),
    };
    let (act, requests, connections) = (Arc::new(act), server.requests.clone(), server.connections.clone());
    let (bodies, stopped) = (server.bodies.clone(), server.stopped.clone());
    thread::spawn(move || {
        for stream in listener.incoming() {
            if stopped.load(Ordering::SeqCst) {
                return;
            }
            connections.fetch_add(1, Ordering::SeqCst);
            let (act, requests, bodies) = (act.clone(), requests.clone(), bodies.clone());
            thread::spawn(move || serve(stream.unwrap(), &*act, &requests, &bodies));
        }
    });
    server
}

fn serve(
    mut stream: TcpStream,
    act: &dyn Fn(u64) -> Act,
    requests: &AtomicU64,
    bodies: &std::sync::Mutex<Vec<String>>,
) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut length = 0;
        let mut line = String::new();
        // A request's head, line by line; its first line is not looked at.
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let number = requests.fetch_add(1, Ordering::SeqCst);
        let act = act(number);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        bodies.lock().unwrap().push(String::from_utf8(body).unwrap());
        let (bytes, close) = match act {
            Act::Answer(v) => (answer(&version(v), ""), false),
            Act::AnswerAndClose(v) => (answer(&version(v), "Connection: close\r\n"), true),
            Act::AnswerAndVanish(v) => (answer(&version(v), ""), true),
            Act::Raw(bytes) => (bytes, false),
            Act::RawAndClose(bytes) => (bytes, true),
            Act::Slow(wait) => {
                thread::sleep(wait);
                (answer(&version("slow"), ""), false)
            }
            Act::Reset => {
                // Closing a socket that must not linger resets it.
                socket2::SockRef::from(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
                return;
            }
        };
        if stream.write_all(&bytes).is_err() || close {
            return;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

//! `git http-backend` behind a small HTTP server: the real other end of the protocol.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

/// `robot:t0ken-of-the-robot` in base64.
const AUTHORIZATION: &str = "Basic cm9ib3Q6dDBrZW4tb2YtdGhlLXJvYm90";
pub const USER: &str = "robot";
pub const TOKEN: &str = "t0ken-of-the-robot";

/// Serves the repositories below `root`; reading is free, writing needs the robot's token.
/// Returns `http://127.0.0.1:<port>`. Runs until the process ends.
pub fn start(root: &Path) -> String {
    start_at("127.0.0.1:0", root)
}

/// As `start`, at an address of the caller's.
pub fn start_at(address: &str, root: &Path) -> String {
    let listener = TcpListener::bind(address).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let root = root.to_path_buf();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let root = root.clone();
            std::thread::spawn(move || serve(stream, &root));
        }
    });
    address
}

/// Answers one request.
pub fn serve(stream: impl Read + Write, root: &Path) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let found = lines.iter().find_map(|line| {
            line.split_once(':')
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        });
        found
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let mut first = lines[0].split(' ');
    let (method, target) = (first.next().unwrap(), first.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let answer = match path {
        "/moved/info/refs" => b"Status: 301 Moved\r\nLocation: http://elsewhere.invalid/\r\n\r\n".to_vec(),
        "/page/info/refs" => b"Content-Type: text/html\r\n\r\n<html>".to_vec(),
        _ if target.contains("git-receive-pack") && header("authorization") != AUTHORIZATION => {
            b"Status: 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\n\r\nno".to_vec()
        }
        _ => backend(root, method, path, query, &header("content-type"), &body),
    };
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    let rest: String = head
        .lines()
        .filter(|line| !line.starts_with("Status: "))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let content = &answer[end + 4..];
    let head = format!(
        "HTTP/1.1 {status}\r\n{rest}Connection: close\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    let stream = reader.get_mut();
    let sent = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(content));
    // A client that has gone away is its own test's matter.
    let _ = sent.and_then(|()| stream.flush());
}

fn backend(root: &Path, method: &str, path: &str, query: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let mut process = Command::new("git")
        .args(["-c", "http.receivepack=true", "http-backend"])
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ])
        .envs([
            ("REQUEST_METHOD", method),
            ("PATH_INFO", path),
            ("QUERY_STRING", query),
        ])
        .envs([
            ("CONTENT_TYPE", kind),
            ("CONTENT_LENGTH", &body.len().to_string()),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let body = body.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&body));
    let output = process.wait_with_output().unwrap().stdout;
    // The backend may answer before it has read all.
    let _ = writer.join().unwrap();
    output
}

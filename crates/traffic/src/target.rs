//! What is asked of whom.

use std::net::SocketAddr;

/// An address, a path, and the bodies to send there in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Path and query.
    pub path: String,
    /// Bodies of POST requests, sent in a cycle; none means GET.
    pub bodies: Vec<Vec<u8>>,
    /// Headers of POST requests besides `host` and `content-length`.
    pub headers: Vec<(String, String)>,
}

fn json() -> Vec<(String, String)> {
    vec![("content-type".to_owned(), "application/json".to_owned())]
}

impl Target {
    /// GET requests.
    pub fn get(address: SocketAddr, path: impl Into<String>) -> Self {
        Self {
            address,
            path: path.into(),
            bodies: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// POST requests with one JSON body.
    pub fn post(address: SocketAddr, path: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            address,
            path: path.into(),
            bodies: vec![body.into().into_bytes()],
            headers: json(),
        }
    }

    /// POST requests with these JSON bodies in a cycle.
    pub fn cycle(address: SocketAddr, path: impl Into<String>, bodies: Vec<String>) -> Self {
        Self {
            address,
            path: path.into(),
            bodies: bodies.into_iter().map(String::into_bytes).collect(),
            headers: json(),
        }
    }

    /// The same with one header more, or with another value of one that is there.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers
            .retain(|(there, _)| !there.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The requests as bytes, head and body in one, so that each is one write.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        let Self {
            address,
            path,
            bodies,
            headers,
        } = self;
        if bodies.is_empty() {
            return vec![format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes()];
        }
        let request = |body: &Vec<u8>| {
            let mut request = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\n");
            for (name, value) in headers {
                request.push_str(&format!("{name}: {value}\r\n"));
            }
            request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
            let mut request = request.into_bytes();
            request.extend_from_slice(body);
            request
        };
        bodies.iter().map(request).collect()
    }
}

/// The text after `"model_version":` in a JSON answer: found by search, since parsing every answer
/// would cost the machine that also runs the server more than the server.
pub fn model_version(body: &[u8]) -> Option<&[u8]> {
    const KEY: &[u8] = b"\"model_version\":";
    let start = body.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let value = body[start..].trim_ascii_start().strip_prefix(b"\"")?;
    value
        .iter()
        .position(|&byte| byte == b'"')
        .map(|end| &value[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version() {
        let cases: [(&[u8], Option<&[u8]>); 6] = [
            (
                br#"{"prediction":0,"model_version":"12","drift_detected":false}"#,
                Some(b"12"),
            ),
            (br#"{"model_version": "a"}"#, Some(b"a")),
            (br#"{"model_version":""}"#, Some(b"")),
            (br#"{"model_version":12}"#, None),
            (br#"{"model_version":"1"#, None),
            (b"", None),
        ];
        for (body, expected) in cases {
            assert_eq!(model_version(body), expected, "{}", body.escape_ascii());
        }
    }
}

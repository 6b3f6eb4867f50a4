//! What is asked of whom.

use std::net::SocketAddr;

/// An address, a path, and the bodies to send there in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Path and query.
    pub path: String,
    /// JSON bodies of POST requests, sent in a cycle; none means GET.
    pub bodies: Vec<String>,
}

impl Target {
    /// GET requests.
    pub fn get(address: SocketAddr, path: impl Into<String>) -> Self {
        Self {
            address,
            path: path.into(),
            bodies: Vec::new(),
        }
    }

    /// POST requests with one body.
    pub fn post(address: SocketAddr, path: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            address,
            path: path.into(),
            bodies: vec![body.into()],
        }
    }

    /// POST requests with these bodies in a cycle.
    pub fn cycle(address: SocketAddr, path: impl Into<String>, bodies: Vec<String>) -> Self {
        Self {
            address,
            path: path.into(),
            bodies,
        }
    }

    /// The requests as bytes, head and body in one, so that each is one write.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        let Self {
            address,
            path,
            bodies,
        } = self;
        if bodies.is_empty() {
            return vec![format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes()];
        }
        let request = |body: &String| {
            let length = body.len();
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
            format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
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

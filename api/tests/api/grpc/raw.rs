//! Bare HTTP/2: what tonic's client would never send.

use super::*;
use crate::fixture;
use axum::http::{HeaderMap, Request};
use h2::client::{ResponseFuture, SendRequest};
use prost::Message;
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

pub const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

/// One connection and the task that drives it.
pub struct Http2 {
    pub send: SendRequest<axum::body::Bytes>,
    pub task: JoinHandle<Result<(), h2::Error>>,
}

impl Http2 {
    pub async fn connect(address: SocketAddr) -> Http2 {
        Http2::over(TcpStream::connect(address).await.unwrap()).await
    }

    pub async fn over(socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Http2 {
        let (send, connection) = h2::client::handshake(socket).await.unwrap();
        let task = tokio::spawn(connection);
        Http2 { send, task }
    }

    /// Sends a head, and what may be sent after it.
    pub async fn begin(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (ResponseFuture, h2::SendStream<axum::body::Bytes>) {
        let mut request = Request::post(format!("http://test{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut send = self.send.clone().ready().await.unwrap();
        send.send_request(request.body(()).unwrap(), false).unwrap()
    }

    /// A whole call: status of HTTP, headers and trailers together, body.
    pub async fn call(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (u16, HeaderMap, Vec<u8>) {
        let (response, mut stream) = self.begin(path, headers).await;
        stream.send_data(body.into(), true).unwrap();
        finish(response).await
    }
}

/// Waits for an answer.
pub async fn finish(response: ResponseFuture) -> (u16, HeaderMap, Vec<u8>) {
    let answer = timeout(Duration::from_secs(20), response).await.expect("in time");
    let (head, mut body) = answer.unwrap().into_parts();
    let (mut headers, mut bytes) = (head.headers, Vec::new());
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        let _ = body.flow_control().release_capacity(piece.len());
        bytes.extend_from_slice(&piece);
    }
    if let Ok(Some(trailers)) = body.trailers().await {
        headers.extend(trailers);
    }
    (head.status.as_u16(), headers, bytes)
}

pub const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// A message with its frame.
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

pub fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn unknown_fields_do_not_hurt() {
    let directory = fixture::directory();
    let (_server, address) = start(directory.path(), &[]);
    let mut http2 = Http2::connect(address).await;
    let mut message = typed(&ROWS).encode_to_vec();
    // Field 99, a varint; field 100, bytes.
    message.extend([0x98, 0x06, 7, 0xa2, 0x06, 3, b'a', b'b', b'c']);
    let (status, headers, _) = http2.call(INFER, &[GRPC], framed(&message)).await;
    assert_eq!((status, text(&headers, "grpc-status")), (200, "0"));
}

#[tokio::test]
async fn what_is_not_a_call_of_ours() {
    let directory = fixture::directory();
    let (_server, address) = start(directory.path(), &["--max-body-bytes", "20000"]);
    let mut http2 = Http2::connect(address).await;
    let good = framed(&typed(&ROWS).encode_to_vec());
    let mut lines = Vec::new();
    let gzip = ("grpc-encoding", "gzip");
    // Two bytes each, that would be thousands of tensors.
    let many = [0x2a, 0].repeat(5_000);
    for (what, path, headers, body) in [
        (
            "unknown call",
            "/inference.GRPCInferenceService/ModelConfig",
            vec![GRPC],
            good.clone(),
        ),
        (
            "unknown service",
            "/inference.Other/ModelInfer",
            vec![GRPC],
            good.clone(),
        ),
        ("not protobuf", INFER, vec![GRPC], framed(b"\xff\xff\xff")),
        ("another message", INFER, vec![GRPC], framed(b"\x28\x01")),
        ("no message", INFER, vec![GRPC], Vec::new()),
        ("cut off", INFER, vec![GRPC], good[..20].to_vec()),
        ("compressed", INFER, vec![GRPC, gzip], good.clone()),
        (
            "flag without encoding",
            INFER,
            vec![GRPC],
            [&[1], &good[1..]].concat(),
        ),
        ("too many tensors", INFER, vec![GRPC], framed(&many)),
        ("too large", INFER, vec![GRPC], framed(&vec![0; 20_001])),
        (
            "more to come than is taken",
            INFER,
            vec![GRPC],
            vec![0, 0xff, 0xff, 0xff, 0xff],
        ),
        (
            "gRPC-Web",
            INFER,
            vec![("content-type", "application/grpc-web")],
            good.clone(),
        ),
        (
            "JSON",
            "/predict",
            vec![("content-type", "application/json")],
            b"{}".to_vec(),
        ),
    ] {
        let id = ("x-request-id", "test");
        let headers: Vec<_> = headers.into_iter().chain([id]).collect();
        let (status, headers, body) = http2.call(path, &headers, body).await;
        let (code, word) = (text(&headers, "grpc-status"), text(&headers, "error-code"));
        let words = match code {
            "" => String::from_utf8(body).unwrap(),
            _ => text(&headers, "grpc-message").to_owned(),
        };
        lines.push(format!("{what}: {status} {code} {word} {words}"));
    }
    insta::assert_snapshot!(lines.join("\n"));
    let (_, headers, _) = http2.call(INFER, &[GRPC], good).await;
    assert_eq!(text(&headers, "grpc-status"), "0", "the connection goes on");
}

//! TLS on the gRPC port: the pair of files of the service's port, and its reloads.

use super::{clients, raw::*, *};
use crate::{
    fixture,
    guard_tls::{Pair, is_shown, trusting, wait_ready},
    server::eventually,
};
use prost::Message;
use rustls::{
    SupportedProtocolVersion,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use std::{
    fs,
    io::{Read, Write},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Ready, and shown to those who trust the pair.
fn start_with(model: &Path, pair: &Pair) -> (Server, SocketAddr) {
    let (cert, key) = pair.write(model);
    let flags = [
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let (server, address) = begin(model, &flags);
    wait_ready(server.address, pair);
    (server, address)
}

async fn secured(
    address: SocketAddr,
    trusted: &Pair,
    version: &'static SupportedProtocolVersion,
    spoken: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    let socket = TcpStream::connect(address).await?;
    TlsConnector::from(trusting(trusted, version, spoken))
        .connect(name, socket)
        .await
}

async fn is_answered(http2: &mut Http2) -> bool {
    let body = framed(&typed(&ROWS).encode_to_vec());
    let (_, headers, _) = http2.call(INFER, &[GRPC], body).await;
    text(&headers, "grpc-status") == "0"
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_spoken_and_nothing_else() {
    let directory = fixture::directory();
    let pair = Pair::new();
    let (server, address) = start_with(directory.path(), &pair);
    for version in [&TLS12, &TLS13] {
        let socket = secured(address, &pair, version, &["http/1.1", "h2"])
            .await
            .unwrap();
        let session = socket.get_ref().1;
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.alpn_protocol(), Some(&b"h2"[..]));
        assert!(is_answered(&mut Http2::over(socket).await).await);
        // A client that names nothing is taken to know what it does.
        let socket = secured(address, &pair, version, &[]).await.unwrap();
        assert!(is_answered(&mut Http2::over(socket).await).await);
        let other = secured(address, &pair, version, &["http/1.1"]).await;
        let refused = other.err().unwrap().to_string();
        assert!(refused.contains("NoApplicationProtocol"), "{refused}");
    }
    // Neither port speaks what the other does.
    let other = secured(server.address, &pair, &TLS13, &["h2"]).await;
    assert!(other.is_err());
    assert!(secured(address, &Pair::new(), &TLS13, &["h2"]).await.is_err());

    let plain = client(address).await.model_infer(typed(&ROWS)).await;
    assert!(plain.is_err());
    let mut plain = std::net::TcpStream::connect(address).unwrap();
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let mut said = Vec::new();
    // What we did not read of the client's makes the end a reset.
    let _ = plain.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.starts_with("HTTP/1.1 400") && said.contains("this port speaks TLS"),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_without_a_restart() {
    let directory = fixture::directory();
    let (old, new) = (Pair::new(), Pair::new());
    let (server, address) = start_with(directory.path(), &old);
    let mut open = Http2::over(secured(address, &old, &TLS13, &["h2"]).await.unwrap()).await;
    assert!(is_answered(&mut open).await);
    new.write(directory.path());
    eventually("the new one is shown", || is_shown(address, &new));
    assert!(!is_shown(address, &old));
    // One pair for both ports, never one port with another's.
    assert!(is_shown(server.address, &new) && !is_shown(server.address, &old));
    assert!(is_answered(&mut open).await, "what was open goes on");
    let mut fresh = Http2::over(secured(address, &new, &TLS13, &["h2"]).await.unwrap()).await;
    assert!(is_answered(&mut fresh).await);
}

#[test]
fn the_protocols_clients_read_what_is_answered() {
    let Some(python) = clients::python() else { return };
    let directory = fixture::directory();
    let (old, new) = (Pair::new(), Pair::new());
    let (_server, address) = start_with(directory.path(), &old);
    let trusted = directory.path().join("trusted.pem");
    // The certificate is that of a name.
    let at = format!("localhost:{}", address.port());
    for (pair, shown) in [(&old, "the first"), (&new, "another")] {
        pair.write(directory.path());
        fs::write(&trusted, &pair.0).unwrap();
        eventually(shown, || is_shown(address, pair));
        for client in clients::CLIENTS {
            clients::is_answered(&python, client, &[&at, trusted.to_str().unwrap()]);
        }
    }
}

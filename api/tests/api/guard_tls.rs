//! TLS on the service's socket.

use crate::{
    fixture,
    server::{Server, eventually},
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

const ROW: &str = r#"{"features":[5.1,3.5,1.4,0.2]}"#;

/// A certificate of its own, and its key, both PEM.
pub struct Pair(pub String, pub String);

impl Pair {
    pub fn new() -> Pair {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Pair(made.cert.pem(), made.signing_key.serialize_pem())
    }

    pub fn write(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        fs::write(&cert, &self.0).unwrap();
        fs::write(&key, &self.1).unwrap();
        (cert, key)
    }
}

fn start(model: &Path, (cert, key): (&Path, &Path), more: &[&str]) -> Server {
    let flags = [
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    Server::start_on(
        TcpListener::bind("127.0.0.1:0").unwrap(),
        false,
        model,
        &[&flags, more].concat(),
    )
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A client that trusts this certificate alone, and says that it speaks these.
pub fn trusting(
    trusted: &Pair,
    version: &'static SupportedProtocolVersion,
    spoken: &[&str],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.0.as_bytes()).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = spoken.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

fn connect(
    address: SocketAddr,
    trusted: &Pair,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<Stream> {
    let config = trusting(trusted, version, &["h2", "http/1.1"]);
    let name = ServerName::try_from("localhost").unwrap();
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut connection = ClientConnection::new(config, name).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// The status of a prediction; the connection goes on.
fn predict(stream: &mut Stream) -> String {
    let length = ROW.len();
    let head = format!(
        "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{ROW}").as_bytes()).unwrap();
    let mut text = String::new();
    // Whole by its stated length, whatever it says: a busy machine may shed it.
    let whole = |text: &str| {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let stated = head
            .split("\r\n")
            .find_map(|line| line.strip_prefix("content-length: "))?;
        (body.len() >= stated.parse().ok()?).then_some(())
    };
    while whole(&text).is_none() {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "{text}");
        text += std::str::from_utf8(&piece[..read]).unwrap();
    }
    text[..12].to_owned()
}

pub fn is_shown(address: SocketAddr, trusted: &Pair) -> bool {
    connect(address, trusted, &TLS13).is_ok()
}

fn is_ready(stream: &mut Stream) -> bool {
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    let mut piece = [0; 4096];
    let read = stream.read(&mut piece).unwrap();
    piece[..read].starts_with(b"HTTP/1.1 200")
}

pub fn wait_ready(address: SocketAddr, shown: &Pair) {
    eventually("ready", || {
        connect(address, shown, &TLS13).is_ok_and(|mut stream| is_ready(&mut stream))
    });
}

#[test]
fn both_versions_are_spoken_and_plain_text_is_told() {
    let directory = fixture::directory();
    let pair = Pair::new();
    let (cert, key) = pair.write(directory.path());
    let server = start(directory.path(), (&cert, &key), &[]);
    eventually("the handshake is done", || is_shown(server.address, &pair));
    for version in [&TLS12, &TLS13] {
        let mut stream = connect(server.address, &pair, version).unwrap();
        assert_eq!(stream.conn.protocol_version(), Some(version.version));
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        eventually("loaded", || is_ready(&mut stream));
        for _ in 0..3 {
            assert_eq!(predict(&mut stream), "HTTP/1.1 200");
        }
        // What hyper refuses by itself has our body here too.
        stream.write_all(b"nonsense\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(
            text.starts_with("HTTP/1.1 400") && text.contains("malformed_request"),
            "{text}"
        );
    }
    assert!(!is_shown(server.address, &Pair::new()), "another certificate");
    let mut plain = server.client();
    let answer = plain.get("/livez");
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (400, Some("malformed_request"))
    );
    assert!(answer.body.contains("https://"), "{answer:?}");
    assert!(plain.is_closed());
}

#[test]
fn a_new_certificate_is_shown_without_a_restart() {
    let directory = fixture::directory();
    let (old, new) = (Pair::new(), Pair::new());
    let (cert, key) = old.write(directory.path());
    let server = start(directory.path(), (&cert, &key), &[]);
    eventually("the handshake is done", || is_shown(server.address, &old));
    let mut open = connect(server.address, &old, &TLS13).unwrap();
    eventually("loaded", || predict(&mut open) == "HTTP/1.1 200");
    // A certificate without its key is no pair: the old one stays.
    fs::write(&cert, &new.0).unwrap();
    // Two looks at the files each: that nothing happens takes its time.
    std::thread::sleep(Duration::from_millis(2500));
    assert!(is_shown(server.address, &old));
    fs::write(
        &key,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    assert!(is_shown(server.address, &old));
    fs::write(&key, &new.1).unwrap();
    eventually("the new one is shown", || is_shown(server.address, &new));
    assert!(!is_shown(server.address, &old));
    assert_eq!(predict(&mut open), "HTTP/1.1 200", "what was open goes on");
}

#[test]
fn a_client_that_does_not_finish_its_handshake_is_let_go() {
    let directory = fixture::directory();
    let pair = Pair::new();
    let (cert, key) = pair.write(directory.path());
    let server = start(
        directory.path(),
        (&cert, &key),
        &["--header-timeout-seconds", "0.5"],
    );
    eventually("the handshake is done", || is_shown(server.address, &pair));
    let begun = Instant::now();
    // One says nothing, one half a record, one a record that is none.
    let mut slow: Vec<_> = (0..30).map(|_| server.client()).collect();
    for client in &mut slow[10..20] {
        client.write(&[22, 3, 1, 2, 0, 1]);
    }
    for client in &mut slow[20..] {
        client.write(&[22, 3, 1, 0, 1, 7]);
    }
    let mut stream = connect(server.address, &pair, &TLS13).unwrap();
    eventually("others are served meanwhile", || {
        predict(&mut stream) == "HTTP/1.1 200"
    });
    for client in &mut slow {
        let mut rest = Vec::new();
        // An alert may come before the end.
        let _ = client.0.read_to_end(&mut rest);
        assert!(rest.len() < 64, "{rest:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn wrong_files_are_named_with_what_was_expected() {
    let directory = fixture::directory();
    let (pair, other) = (Pair::new(), Pair::new());
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let cert = file("cert.pem", &pair.0);
    let key = file("key.pem", &pair.1);
    let other = file("other.pem", &other.1);
    let empty = file("empty.pem", "");
    let encrypted = file(
        "encrypted.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let torn = file("torn.pem", &pair.1[..pair.1.len() / 2]);
    let missing = directory.path().join("missing.pem");
    for ((cert, key), named, why) in [
        ((&missing, &key), &missing, "(--tls-cert, TLS_CERT): No such file"),
        ((&cert, &missing), &missing, "(--tls-key, TLS_KEY): No such file"),
        (
            (&empty, &key),
            &empty,
            "there is no certificate, expected PEM with one -----BEGIN CERTIFICATE-----",
        ),
        ((&key, &cert), &key, "there is a private key and no certificate"),
        (
            (&cert, &cert),
            &cert,
            "there is a certificate and no private key, expected PEM with one -----BEGIN PRIVATE KEY-----",
        ),
        ((&cert, &encrypted), &encrypted, "the private key is encrypted"),
        ((&cert, &torn), &torn, "what is there is not PEM"),
        (
            (&cert, &other),
            &other,
            "the private key is not that of the first certificate",
        ),
    ] {
        let error = start(directory.path(), (cert, key), &[]).join().unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains(why) && error.contains(named.to_str().unwrap()),
            "{error}"
        );
        let secret = pair.1.lines().nth(1).unwrap();
        assert!(!error.contains(secret) && !error.contains("c2Vj"), "{error}");
    }
}

//! TLS 1.2 and 1.3 on the service's socket and that of gRPC; certificate and key are replaced without a restart.

mod files;

use super::{Socket, stream};
use crate::{
    error::{ApiError, Code},
    guard::config::TlsConfig,
};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore};
use tokio_rustls::TlsAcceptor;

pub use files::TlsError;

/// Handshakes under way; more are turned away. A client that has not sent a byte is none.
const MOST_HANDSHAKES: usize = 1024;
/// First byte of every TLS record that begins a conversation (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// What follows the handshake. A client that names its protocols (ALPN) and not this one is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// On the service's socket.
    Http1,
    /// On that of gRPC.
    Http2,
}

/// Certificate and key of one pair of files, for each that is spoken.
#[derive(Debug)]
struct Current {
    http1: Arc<ServerConfig>,
    http2: Arc<ServerConfig>,
}

impl Current {
    fn read(cert: &Path, key: &Path) -> Result<Current, TlsError> {
        let config = files::read(cert, key)?;
        let speaking = |name: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![name.to_vec()];
            Arc::new(config)
        };
        Ok(Current {
            http1: speaking(b"http/1.1"),
            http2: speaking(b"h2"),
        })
    }
}

/// Certificate, key, and who is being shown them.
#[derive(Debug)]
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    /// One value: a connection never sees the certificate of one pair with the key of another.
    current: ArcSwap<Current>,
    handshakes: Semaphore,
}

impl Tls {
    /// Reads both files, where they are given.
    ///
    /// # Errors
    /// [`TlsError`], which names the file and what was expected of it.
    pub fn read(config: &TlsConfig) -> Result<Option<Tls>, TlsError> {
        let (Some(cert), Some(key)) = (&config.cert, &config.key) else {
            return Ok(None);
        };
        Ok(Some(Tls {
            current: ArcSwap::from_pointee(Current::read(cert, key)?),
            cert: cert.clone(),
            key: key.clone(),
            handshakes: Semaphore::new(MOST_HANDSHAKES),
        }))
    }

    /// Reads both files again; open connections go on with what they began with.
    ///
    /// # Errors
    /// As [`Tls::read`]; what was read before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.current
            .store(Arc::new(Current::read(&self.cert, &self.key)?));
        Ok(())
    }

    /// The handshake. The caller sees to the deadline.
    ///
    /// # Errors
    /// When the client does not speak TLS, speaks it wrongly, hangs up, or too many are at it.
    pub async fn accept(&self, mut socket: TcpStream, spoken: Spoken) -> io::Result<Socket> {
        let mut first = [0];
        if socket.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first[0] != HANDSHAKE {
            // The same to clients of gRPC: they see HTTP/1.1, give up and wait longer each time. After a GOAWAY,
            // the words of HTTP/2, they take the server for one and try again at once, hundreds of times a second.
            let message = "this port speaks TLS, expected https:// in the address";
            let refusal = stream::raw(&ApiError::new(Code::MalformedRequest, message));
            socket.write_all(&refusal).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let _permit = self
            .handshakes
            .try_acquire()
            .map_err(|_| io::Error::other("too many handshakes are under way"))?;
        let current = self.current.load_full();
        let acceptor = TlsAcceptor::from(Arc::clone(match spoken {
            Spoken::Http1 => &current.http1,
            Spoken::Http2 => &current.http2,
        }));
        Ok(Socket::Tls(Box::new(acceptor.accept(socket).await?)))
    }
}

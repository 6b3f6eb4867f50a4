//! TLS 1.2 and 1.3 on the service's socket; certificate and key are replaced without a restart.

mod files;

use super::{Socket, stream};
use crate::{
    error::{ApiError, Code},
    guard::config::TlsConfig,
};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::{io, path::PathBuf};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore};
use tokio_rustls::TlsAcceptor;

pub use files::TlsError;

/// Handshakes under way; more are turned away. A client that has not sent a byte is none.
const MOST_HANDSHAKES: usize = 1024;
/// First byte of every TLS record that begins a conversation (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// Certificate, key, and who is being shown them.
#[derive(Debug)]
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    /// One value: a connection never sees the certificate of one pair with the key of another.
    current: ArcSwap<ServerConfig>,
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
            current: ArcSwap::new(files::read(cert, key)?),
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
        self.current.store(files::read(&self.cert, &self.key)?);
        Ok(())
    }

    /// The handshake. The caller sees to the deadline.
    ///
    /// # Errors
    /// When the client does not speak TLS, speaks it wrongly, hangs up, or too many are at it.
    pub async fn accept(&self, mut socket: TcpStream) -> io::Result<Socket> {
        let mut first = [0];
        if socket.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first[0] != HANDSHAKE {
            let message = "this port speaks TLS, expected https:// in the address";
            let refusal = stream::raw(&ApiError::new(Code::MalformedRequest, message));
            socket.write_all(&refusal).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let _permit = self
            .handshakes
            .try_acquire()
            .map_err(|_| io::Error::other("too many handshakes are under way"))?;
        let acceptor = TlsAcceptor::from(self.current.load_full());
        Ok(Socket::Tls(Box::new(acceptor.accept(socket).await?)))
    }
}

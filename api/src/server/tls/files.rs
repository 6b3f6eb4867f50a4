//! PEM files to a configuration. Errors quote paths and never a file's content.

use crate::guard::small_file;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file system's words.
    #[error("cannot read {0}: {1}")]
    Unreadable(Which, #[source] io::Error),
    /// Nothing of the expected kind, or not PEM.
    #[error("{which}: {found}, expected {expected}", expected = .which.expected())]
    Content {
        /// Of which file.
        which: Which,
        /// What is there instead.
        found: &'static str,
    },
    /// Both are good and do not belong together.
    #[error("{key}: the private key is not that of the first certificate of {cert}, expected a pair")]
    NoPair {
        /// The certificate's file.
        cert: Which,
        /// The key's file.
        key: Which,
    },
    /// Another objection of the TLS library.
    #[error("{cert}, {key}: {why}")]
    Refused {
        /// The certificate's file.
        cert: Which,
        /// The key's file.
        key: Which,
        /// Its words.
        why: Box<rustls::Error>,
    },
}

/// One of the two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The certificate chain.
    Cert(PathBuf),
    /// The private key.
    Key(PathBuf),
}

impl Which {
    fn expected(&self) -> &'static str {
        match self {
            Which::Cert(_) => {
                "PEM with one -----BEGIN CERTIFICATE----- for each of the chain, the server's own first"
            }
            Which::Key(_) => {
                "PEM with one -----BEGIN PRIVATE KEY-----, RSA PRIVATE KEY or EC PRIVATE KEY, not encrypted"
            }
        }
    }

    fn read(&self) -> Result<Vec<u8>, TlsError> {
        let (Which::Cert(path) | Which::Key(path)) = self;
        small_file(path).map_err(|error| TlsError::Unreadable(self.clone(), error))
    }

    fn content(&self, found: &'static str) -> TlsError {
        TlsError::Content {
            which: self.clone(),
            found,
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Cert(path) => write!(f, "{} (--tls-cert, TLS_CERT)", path.display()),
            Which::Key(path) => write!(f, "{} (--tls-key, TLS_KEY)", path.display()),
        }
    }
}

/// Both files as one configuration.
pub fn read(cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let (cert, key) = (Which::Cert(cert.to_owned()), Which::Key(key.to_owned()));
    let chain = chain(&cert)?;
    let private = private_key(&key)?;
    let refused = |why: rustls::Error| {
        let (cert, key) = (cert.clone(), key.clone());
        match why {
            rustls::Error::InconsistentKeys(_) => TlsError::NoPair { cert, key },
            why => TlsError::Refused {
                cert,
                key,
                why: Box::new(why),
            },
        }
    };
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(refused)
}

fn chain(which: &Which) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = which.read()?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.map_err(|_| which.content("what is there is not PEM"))?;
    if chain.is_empty() {
        return Err(which.content(match has(&bytes, b"PRIVATE KEY-----") {
            true => "there is a private key and no certificate",
            false => "there is no certificate",
        }));
    }
    Ok(chain)
}

fn private_key(which: &Which) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = which.read()?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        which.content(match error {
            pem::Error::NoItemsFound if has(&bytes, b"ENCRYPTED PRIVATE KEY-----") => {
                "the private key is encrypted"
            }
            pem::Error::NoItemsFound if has(&bytes, b"BEGIN CERTIFICATE-----") => {
                "there is a certificate and no private key"
            }
            pem::Error::NoItemsFound => "there is no private key",
            _ => "what is there is not PEM",
        })
    })
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

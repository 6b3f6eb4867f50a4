//! Calls to a registry: one runtime, deadlines, retries. Everything here is addressed by content or
//! read-only, or puts the same bytes at the same place, so a repeated call does no harm.

use super::address::{Address, Credentials};
use crate::Error;
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol},
    errors::{OciDistributionError as Fault, OciErrorCode},
    manifest::OciDescriptor,
    secrets::RegistryAuth,
};
use secrecy::ExposeSecret;
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, mpsc},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{io::AsyncWrite, runtime::Runtime};

const CONNECT: Duration = Duration::from_secs(5);
/// Silence on an open connection.
const READ: Duration = Duration::from_secs(30);
/// One call with all its retries; a large blob over a slow line.
const CALL: Duration = Duration::from_secs(600);
/// Some six seconds in all: a registry's pod that is replaced is away for about as long.
const ATTEMPTS: u32 = 6;
const BACK_OFF: Duration = Duration::from_millis(200);
const BLOB_LIMIT: usize = 2 << 30;

pub(super) struct Wire {
    /// `None` only while dropping.
    runtime: Option<Runtime>,
    client: Arc<Client>,
    auth: RegistryAuth,
    host: String,
}

impl Wire {
    pub fn new(address: &Address, credentials: &Credentials) -> Result<Self, Error> {
        // Fails when the program has installed a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let host = address.host.clone();
        let failed = |reason: String| Error::Registry {
            action: "prepare a connection".to_owned(),
            registry: host.clone(),
            reason,
        };
        // oci-client builds a default TLS client whatever its configuration says, and panics where
        // that fails: on a machine without CA certificates, be it for plain http. So ask first.
        reqwest::Client::builder().build().map_err(|error| {
            failed(format!(
                "{} (install ca-certificates, or set SSL_CERT_FILE)",
                chain(&error)
            ))
        })?;
        let mut config = ClientConfig {
            connect_timeout: Some(CONNECT),
            read_timeout: Some(READ),
            user_agent: concat!("driftless/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        if address.plain_http {
            config.protocol = ClientProtocol::HttpsExcept(vec![host.clone()]);
        }
        let auth = match credentials {
            Credentials::Anonymous => RegistryAuth::Anonymous,
            Credentials::Basic { username, password } => {
                RegistryAuth::Basic(username.clone(), password.expose_secret().to_owned())
            }
            Credentials::Token(token) => RegistryAuth::Bearer(token.expose_secret().to_owned()),
        };
        let client = Client::try_from(config).map_err(|fault| failed(chain(&fault)))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("registry")
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            runtime: Some(runtime),
            client: Arc::new(client),
            auth,
            host,
        })
    }

    /// `None` when there is no such manifest.
    pub fn manifest(
        &self,
        target: &Reference,
        accepted: &'static [&'static str],
    ) -> Result<Option<Vec<u8>>, Error> {
        self.call(
            format!("read manifest {}", target.whole()),
            target,
            move |client, target, auth| async move {
                let read = client.pull_manifest_raw(&target, &auth, accepted).await;
                absent_is_none(read.map(|(bytes, _)| bytes.to_vec()))
            },
        )
    }

    /// `None` when there is no such blob.
    pub fn blob(&self, target: &Reference, digest: &str) -> Result<Option<Vec<u8>>, Error> {
        let descriptor = OciDescriptor {
            digest: digest.to_owned(),
            ..OciDescriptor::default()
        };
        self.call(
            format!("read blob {}", target.whole()),
            target,
            move |client, target, _| {
                let descriptor = descriptor.clone();
                async move {
                    let mut bytes = Bounded(Vec::new());
                    let read = client.pull_blob(&target, &descriptor, &mut bytes).await;
                    absent_is_none(read.map(|()| bytes.0))
                }
            },
        )
    }

    pub fn has_blob(&self, target: &Reference, digest: &str) -> Result<bool, Error> {
        let digest = digest.to_owned();
        self.call(
            format!("look for blob {}", target.whole()),
            target,
            move |client, target, _| {
                let digest = digest.clone();
                async move { client.blob_exists(&target, &digest).await }
            },
        )
    }

    pub fn put_blob(&self, target: &Reference, digest: &str, bytes: &[u8]) -> Result<(), Error> {
        let (digest, bytes) = (digest.to_owned(), bytes.to_vec());
        self.call(
            format!("write blob {}", target.whole()),
            target,
            move |client, target, _| {
                let (digest, bytes) = (digest.clone(), bytes.clone());
                async move { client.push_blob(&target, bytes, &digest).await.map(drop) }
            },
        )
    }

    pub fn put_manifest(&self, target: &Reference, media_type: &str, bytes: &[u8]) -> Result<(), Error> {
        let action = format!("write manifest {}", target.whole());
        let kind = media_type
            .parse()
            .map_err(|_| Error::malformed(&action, format!("media type {media_type:?}")))?;
        let bytes = bytes.to_vec();
        self.call(action, target, move |client, target, _| {
            let put = (bytes.clone(), Clone::clone(&kind));
            async move { client.push_manifest_raw(&target, put.0, put.1).await.map(drop) }
        })
    }

    /// Runs on our own runtime and waits on a channel, so that callers inside another runtime do
    /// not panic, as a nested `block_on` would.
    fn call<T, F, Work>(&self, action: String, target: &Reference, work: Work) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send,
        Work: Fn(Arc<Client>, Reference, RegistryAuth) -> F + Send + 'static,
    {
        let failed = |reason: String| Error::Registry {
            action: action.clone(),
            registry: self.host.clone(),
            reason,
        };
        let Some(runtime) = &self.runtime else {
            return Err(failed("the connection is closed".to_owned()));
        };
        let (client, target, auth) = (self.client.clone(), target.clone(), self.auth.clone());
        let (sender, receiver) = mpsc::sync_channel(1);
        let task = runtime.spawn(async move {
            client
                .store_auth_if_needed(target.resolve_registry(), &auth)
                .await;
            let mut attempt = 1;
            let outcome = loop {
                match work(client.clone(), target.clone(), auth.clone()).await {
                    Err(fault) if attempt < ATTEMPTS && passing(&fault) => {
                        tokio::time::sleep(BACK_OFF * 2u32.pow(attempt - 1)).await;
                        attempt += 1;
                    }
                    outcome => break outcome.map_err(|fault| chain(&fault)),
                }
            };
            // The caller is gone when its deadline has passed.
            let _ = sender.send(outcome);
        });
        match receiver.recv_timeout(CALL) {
            Ok(outcome) => outcome.map_err(failed),
            Err(_) => {
                task.abort();
                Err(failed(format!("no answer within {} s", CALL.as_secs())))
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The default drop blocks, which async callers may not do.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn absent_is_none<T>(read: Result<T, Fault>) -> Result<Option<T>, Fault> {
    use OciErrorCode::{BlobUnknown, ManifestUnknown, NameUnknown, NotFound};
    match read {
        Ok(found) => Ok(Some(found)),
        Err(Fault::ImageManifestNotFoundError(_) | Fault::ServerError { code: 404, .. }) => Ok(None),
        Err(Fault::RegistryError { envelope, .. })
            if envelope.errors.iter().any(|error| {
                matches!(error.code, BlobUnknown | ManifestUnknown | NameUnknown | NotFound)
            }) =>
        {
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// Whether another try may end differently.
fn passing(fault: &Fault) -> bool {
    match fault {
        Fault::RequestError(error) => {
            error
                .status()
                .is_none_or(|status| status.is_server_error() || status.as_u16() == 429)
                && !error.is_builder()
        }
        Fault::ServerError { code, .. } => *code >= 500 || *code == 429,
        Fault::RegistryError { envelope, .. } => envelope
            .errors
            .iter()
            .any(|error| error.code == OciErrorCode::Toomanyrequests),
        _ => false,
    }
}

/// The fault with its causes, which reqwest keeps out of its own message.
fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut source = fault.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Memory that a registry cannot fill without end.
struct Bounded(Vec<u8>);

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.0.len() + bytes.len() > BLOB_LIMIT {
            return Poll::Ready(Err(io::Error::other("the blob is larger than 2 GiB")));
        }
        self.0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

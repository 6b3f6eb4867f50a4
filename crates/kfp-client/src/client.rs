//! Transport: one place that sends, retries, bounds and reads answers.

use crate::{answer, error::Error};
use backon::{ExponentialBuilder, Retryable};
use reqwest::{Method, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use std::{path::PathBuf, time::Duration};

/// An answer longer than this is not one of Kubeflow Pipelines'.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Settings of a [`Client`].
pub struct ClientBuilder {
    base: String,
    token_file: Option<PathBuf>,
    deadline: Duration,
    start_deadline: Duration,
    settle: Duration,
    attempts: usize,
}

/// A server, reached over http or https. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    base: Url,
    http: reqwest::Client,
    token_file: Option<PathBuf>,
    deadline: Duration,
    pub(crate) start_deadline: Duration,
    pub(crate) settle: Duration,
    pub(crate) attempts: usize,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.address())
    }
}

impl ClientBuilder {
    /// File with a bearer token. Read anew for each call, since tokens of pods are replaced hourly.
    #[must_use]
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.token_file = Some(path.into());
        self
    }

    /// Time for one call with all its retries; 30 s where not said.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Time for the call that starts a run; 90 s where not said, since the server's MLflow plugin
    /// keeps that call waiting for up to a minute when its MLflow is not there.
    #[must_use]
    pub fn start_deadline(mut self, deadline: Duration) -> Self {
        self.start_deadline = deadline;
        self
    }

    /// For how long an effect whose answer was lost is looked for; 5 s where not said.
    #[must_use]
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// How often a call that may be repeated is made at most; 5 where not said.
    #[must_use]
    pub fn attempts(mut self, attempts: usize) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Checks the address and prepares the connection pool; does not connect.
    ///
    /// # Errors
    /// `Address` when it is not http(s), holds credentials, or for https where this machine has no
    /// CA certificates.
    pub fn build(self) -> Result<Client, Error> {
        let refuse = |address: String, reason: &str| Error::Address {
            address,
            reason: reason.to_owned(),
        };
        let mut base = Url::parse(self.base.trim_end_matches('/'))
            .map_err(|e| refuse("(not shown)".to_owned(), &e.to_string()))?;
        // They would be repeated in every message.
        let credentials = !base.username().is_empty() || base.password().is_some() || base.query().is_some();
        let _ = (base.set_username(""), base.set_password(None));
        base.set_query(None);
        base.set_fragment(None);
        if credentials {
            let reason = "it holds credentials or a query; give a token by a file";
            return Err(refuse(base.to_string(), reason));
        }
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(refuse(
                base.to_string(),
                "expected http://HOST:PORT or https://HOST",
            ));
        }
        // Another part of the program may have chosen a provider already: then that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none());
        if base.scheme() == "http" {
            // Without this a client cannot be built in an image that has no CA bundle.
            http = http.tls_certs_only([]);
        }
        let http = http
            .build()
            .map_err(|e| refuse(base.to_string(), &answer::chain(&e)))?;
        Ok(Client {
            base,
            http,
            token_file: self.token_file,
            deadline: self.deadline,
            start_deadline: self.start_deadline,
            settle: self.settle,
            attempts: self.attempts,
        })
    }
}

impl Client {
    /// A client of `base` (e.g. `http://ml-pipeline.kubeflow:8888`) with the usual deadlines.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn new(base: &str) -> Result<Self, Error> {
        Self::builder(base).build()
    }

    /// Settings other than the usual.
    pub fn builder(base: &str) -> ClientBuilder {
        ClientBuilder {
            base: base.to_owned(),
            token_file: None,
            deadline: Duration::from_secs(30),
            start_deadline: Duration::from_secs(90),
            settle: Duration::from_secs(5),
            attempts: 5,
        }
    }

    /// Base address.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Time for one call with all its retries.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The token as it is in its file now.
    fn token(&self) -> Result<Option<SecretString>, Error> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let refuse = |reason: String| Error::Token {
            path: path.clone(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|e| refuse(e.to_string()))?;
        let token = SecretString::from(text.trim());
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if !visible(token.expose_secret()) {
            return Err(refuse(
                "expected one line of visible characters and nothing else".to_owned(),
            ));
        }
        Ok(Some(token))
    }

    /// A request for the path made of `segments`, each escaped, below `/apis/<version>`.
    pub(crate) fn request(&self, method: Method, version: &str, segments: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["apis", version]).extend(segments);
        }
        self.http.request(method, url)
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, Error> {
        let name = format!("GET {}", segments.join("/"));
        let make = || self.request(Method::GET, "v2beta1", segments).query(query);
        let bytes = self.send(&name, true, make).await?;
        answer::read(&name, &bytes)
    }

    /// Sends a JSON body once, or again where that certainly did not reach the server.
    pub(crate) async fn post_once<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        deadline: Duration,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Error> {
        let name = format!("POST {}", segments.join("/"));
        let make = || self.request(Method::POST, "v2beta1", segments).json(body);
        let bytes = self.send_within(deadline, &name, false, make).await?;
        answer::read(&name, &bytes)
    }

    /// A call without a body whose answer says nothing (`{}`).
    pub(crate) async fn order(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        idempotent: bool,
    ) -> Result<(), Error> {
        let name = format!("{method} {}", segments.join("/"));
        let make = || self.request(method.clone(), "v2beta1", segments).query(query);
        let bytes = self.send(&name, idempotent, make).await?;
        // An empty answer is as good as `{}`; a page is not.
        if bytes.is_empty() {
            return Ok(());
        }
        answer::read::<serde_json::Value>(&name, &bytes).map(|_| ())
    }

    /// Sends what `make` makes until it is answered, cannot be repeated or the deadline passes.
    pub(crate) async fn send(
        &self,
        name: &str,
        idempotent: bool,
        make: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, Error> {
        self.send_within(self.deadline, name, idempotent, make).await
    }

    pub(crate) async fn send_within(
        &self,
        deadline: Duration,
        name: &str,
        idempotent: bool,
        make: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, Error> {
        let attempt = async || {
            let response = self.begin(name, make()).await?;
            let status = response.status().as_u16();
            let location = answer::location(response.headers());
            let bytes = self.body(name, response).await?;
            answer::judge(self.address(), name, status, location.as_deref(), bytes)
        };
        self.repeat(deadline, name, idempotent, attempt).await
    }

    /// Makes `attempt` until it succeeds, cannot be repeated or the deadline passes.
    pub(crate) async fn repeat<T>(
        &self,
        deadline: Duration,
        name: &str,
        idempotent: bool,
        attempt: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let back_off = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(self.attempts - 1)
            .with_jitter();
        let tries = (|| attempt())
            .retry(back_off)
            .when(|e: &Error| e.may_retry(idempotent));
        tokio::time::timeout(deadline, tries).await.unwrap_or_else(|_| {
            Err(Error::Deadline {
                address: self.address().to_owned(),
                request: name.to_owned(),
                deadline,
            })
        })
    }

    /// Sends the request with the token, and waits for the head of the answer.
    pub(crate) async fn begin(&self, name: &str, mut request: RequestBuilder) -> Result<Response, Error> {
        if let Some(token) = self.token()? {
            request = request.bearer_auth(token.expose_secret());
        }
        request.send().await.map_err(|e| self.transport(name, &e))
    }

    pub(crate) fn transport(&self, name: &str, e: &reqwest::Error) -> Error {
        let (address, request, cause) = (self.address().to_owned(), name.to_owned(), answer::chain(e));
        if e.is_connect() {
            Error::Unreachable {
                address,
                request,
                cause,
            }
        } else {
            Error::Broken {
                address,
                request,
                cause,
            }
        }
    }

    pub(crate) async fn body(&self, name: &str, mut response: Response) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.transport(name, &e))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Error::Answer {
                    request: name.to_owned(),
                    cause: format!("longer than {ANSWER_BYTES_MAX} bytes"),
                });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

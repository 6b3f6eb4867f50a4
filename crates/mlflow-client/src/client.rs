//! Transport: one place that sends, retries, bounds and reads answers.

use crate::error::Error;
use backon::{ExponentialBuilder, Retryable};
use reqwest::{Method, RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// An answer longer than this is not one of MLflow's.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Settings of a [`Client`].
pub struct ClientBuilder {
    base: String,
    credentials: Option<(String, SecretString)>,
    token: Option<SecretString>,
    deadline: Duration,
    attempts: usize,
}

/// A server, reached over http or https. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    base: Url,
    http: reqwest::Client,
    credentials: Option<(String, SecretString)>,
    token: Option<SecretString>,
    deadline: Duration,
    attempts: usize,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.address())
    }
}

impl ClientBuilder {
    /// User and password of MLflow's basic-auth app.
    #[must_use]
    pub fn basic_auth(mut self, user: String, password: SecretString) -> Self {
        self.credentials = Some((user, password));
        self
    }

    /// Bearer token of a proxy in front of MLflow.
    #[must_use]
    pub fn token(mut self, token: SecretString) -> Self {
        self.token = Some(token);
        self
    }

    /// Time for one call with all its retries; 30 s where not said.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
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
    /// `Address` when it is not http(s), or for https where this machine has no CA certificates.
    pub fn build(self) -> Result<Client, Error> {
        let mut credentials = self.credentials;
        let refuse = |address: String, reason: &str| Error::Address {
            address,
            reason: reason.to_owned(),
        };
        let mut base = Url::parse(self.base.trim_end_matches('/'))
            .map_err(|e| refuse("(not shown)".to_owned(), &e.to_string()))?;
        // Credentials inside the address would be repeated in every message; they move to a header.
        if !base.username().is_empty() {
            let password = SecretString::from(base.password().unwrap_or_default().to_owned());
            credentials.get_or_insert((base.username().to_owned(), password));
        }
        let _ = (base.set_username(""), base.set_password(None));
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
        let http = http.build().map_err(|e| refuse(base.to_string(), &chain(&e)))?;
        Ok(Client {
            base,
            http,
            credentials,
            token: self.token,
            deadline: self.deadline,
            attempts: self.attempts,
        })
    }
}

impl Client {
    /// A client of `base` (e.g. `http://127.0.0.1:30500`) with the usual deadline and retries.
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
            credentials: None,
            token: None,
            deadline: Duration::from_secs(30),
            attempts: 5,
        }
    }

    /// Base address, without credentials.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The server's version, e.g. `3.17.2`. Also the cheapest proof that it answers.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn version(&self) -> Result<String, Error> {
        let bytes = self
            .send("GET /version", true, || self.request(Method::GET, &["version"]))
            .await?;
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        // The page of some other server is not a version.
        if text.is_empty() || text.len() > 40 || text.contains('<') {
            return Err(Error::Answer {
                request: "GET /version".to_owned(),
                cause: "not a version: is this an MLflow server?".to_owned(),
            });
        }
        Ok(text)
    }

    /// A request for the path made of `segments`, each escaped.
    pub(crate) fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        let mut request = self.http.request(method, url);
        if let Some((user, password)) = &self.credentials {
            request = request.basic_auth(user, Some(password.expose_secret()));
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        request
    }

    /// `/api/2.0/mlflow/<path>`.
    fn api(&self, method: Method, path: &str) -> RequestBuilder {
        let segments: Vec<&str> = ["api", "2.0", "mlflow"]
            .into_iter()
            .chain(path.split('/'))
            .collect();
        self.request(method, &segments)
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        let name = format!("GET {path}");
        let bytes = self
            .send(&name, true, || self.api(Method::GET, path).query(query))
            .await?;
        read(&name, &bytes)
    }

    /// Sends a JSON body. `idempotent`: whether a second time has no second effect.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        idempotent: bool,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Error> {
        let name = format!("{method} {path}");
        let bytes = self
            .send(&name, idempotent, || self.api(method.clone(), path).json(body))
            .await?;
        read(&name, &bytes)
    }

    /// Sends what `make` makes until it is answered, cannot be repeated or the deadline passes.
    pub(crate) async fn send(
        &self,
        name: &str,
        idempotent: bool,
        make: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, Error> {
        let back_off = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(self.attempts - 1)
            .with_jitter();
        let tries = (|| self.once(name, make()))
            .retry(back_off)
            .when(|e| e.may_retry(idempotent));
        tokio::time::timeout(self.deadline, tries)
            .await
            .unwrap_or_else(|_| {
                Err(Error::Deadline {
                    address: self.address().to_owned(),
                    request: name.to_owned(),
                    deadline: self.deadline,
                })
            })
    }

    async fn once(&self, name: &str, request: RequestBuilder) -> Result<Vec<u8>, Error> {
        let transport = |e: reqwest::Error| {
            let (address, request, cause) = (self.address().to_owned(), name.to_owned(), chain(&e));
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
        };
        let mut response = request.send().await.map_err(transport)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Error::Answer {
                    request: name.to_owned(),
                    cause: format!("longer than {ANSWER_BYTES_MAX} bytes"),
                });
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(bytes);
        }
        Err(refused(name, status.as_u16(), &bytes))
    }
}

fn refused(request: &str, status: u16, bytes: &[u8]) -> Error {
    #[derive(serde::Deserialize)]
    struct Said {
        error_code: String,
        #[serde(default)]
        message: String,
    }
    let (code, message) = match serde_json::from_slice::<Said>(bytes) {
        Ok(said) => (said.error_code, said.message),
        // Unknown routes and proxies answer with a page.
        Err(_) => ("HTML".to_owned(), String::from_utf8_lossy(bytes).into_owned()),
    };
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    Error::Refused {
        request: request.to_owned(),
        status,
        code,
        message: message.chars().take(600).collect(),
    }
}

fn read<T: DeserializeOwned>(request: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|e| Error::Answer {
        request: request.to_owned(),
        cause: e.to_string(),
    })
}

/// The error with its causes in one line; reqwest's own text leaves the cause out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
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

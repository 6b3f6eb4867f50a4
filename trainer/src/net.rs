//! HTTP for what is neither MLflow nor the engine: data files, the inference API.

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// A client that can be built where there is no CA bundle (plain http needs none).
///
/// # Errors
/// For https where this machine has no CA certificates.
pub fn client(https: bool, read_timeout: Duration) -> reqwest::Result<reqwest::Client> {
    // Another part of the program may have chosen a provider already: then that one stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(read_timeout);
    if !https {
        builder = builder
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none());
    }
    builder.build()
}

/// GETs a JSON answer, with `key` as a bearer token; for steps that are not async. The error is for people.
///
/// # Errors
/// Transport, status or a body that is something else.
pub fn get_json<T: DeserializeOwned>(
    url: &str,
    key: Option<&SecretString>,
    deadline: Duration,
) -> Result<T, String> {
    send(
        url,
        key,
        deadline,
        |client| client.get(url),
        async |response| response.json().await,
    )
}

/// POSTs a JSON body; otherwise as [`get_json`].
///
/// # Errors
/// As [`get_json`].
pub fn post_json<T: DeserializeOwned>(
    url: &str,
    key: Option<&SecretString>,
    body: &impl Serialize,
    deadline: Duration,
) -> Result<T, String> {
    send(
        url,
        key,
        deadline,
        |client| client.post(url).json(body),
        async |response| response.json().await,
    )
}

/// GETs an answer of which only the status matters.
///
/// # Errors
/// Transport, or a status that is no success.
pub fn get_status(url: &str, key: Option<&SecretString>, deadline: Duration) -> Result<(), String> {
    send(url, key, deadline, |client| client.get(url), async |_| Ok(()))
}

fn send<T>(
    url: &str,
    key: Option<&SecretString>,
    deadline: Duration,
    make: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
    read: impl AsyncFnOnce(reqwest::Response) -> reqwest::Result<T>,
) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    let plain = |e: reqwest::Error| format!("{url}: {}", crate::failure::chain(&e.without_url()));
    let ask = async {
        let client = client(url.starts_with("https:"), deadline).map_err(plain)?;
        let mut request = make(&client);
        if let Some(key) = key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await.map_err(plain)?;
        let status = response.status();
        if status == reqwest::StatusCode::UNAUTHORIZED {
            let text = "expected --api-key-file (API_KEY_FILE) with one of its keys";
            return Err(format!("{url}: the answer is {status}: {text}"));
        }
        if !status.is_success() {
            return Err(format!("{url}: the answer is {status}"));
        }
        read(response).await.map_err(plain)
    };
    runtime
        .block_on(async { tokio::time::timeout(deadline, ask).await })
        .unwrap_or_else(|_| Err(format!("{url}: no answer within {:.1} s", deadline.as_secs_f64())))
}

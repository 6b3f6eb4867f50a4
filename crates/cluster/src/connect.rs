//! The client of one cluster, and the deadline of each request.

use crate::{Error, Kind, Result};
use kube::{
    Api, Client, Config,
    api::{ListParams, ObjectList, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, future::Future, time::Duration};

/// Longest wait for one answer of the API server.
pub const REQUEST: Duration = Duration::from_secs(8);
const CONNECT: Duration = Duration::from_secs(4);

/// Reads the kubeconfig (`KUBECONFIG`, or the file in the home folder) and makes a client of the
/// context of that name. Asks nobody yet.
///
/// # Errors
/// `NoContext`, or `Other` where the context cannot be used.
pub async fn client(context: &str) -> Result<Client> {
    install_tls();
    let no = |error: &dyn std::fmt::Display| {
        // The parser shows the lines around a mistake, which may be keys and tokens.
        let error = error.to_string();
        let first = error.lines().next().unwrap_or_default();
        Error::new(Kind::NoContext, format!("context {context:?}: {first}"))
    };
    let kubeconfig = Kubeconfig::read().map_err(|error| no(&error))?;
    if !kubeconfig.contexts.iter().any(|known| known.name == context) {
        let known: Vec<&str> = kubeconfig
            .contexts
            .iter()
            .map(|known| known.name.as_str())
            .collect();
        let known = match known.is_empty() {
            true => "none".to_owned(),
            false => known.join(", "),
        };
        return Err(no(&format!("the kubeconfig does not have it; it has: {known}")));
    }
    let options = KubeConfigOptions {
        context: Some(context.to_owned()),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| no(&error))?;
    #[cfg(feature = "bridge")]
    refuse_expired(&config, context)?;
    of_config(config, context)
}

/// The API server answers an expired client certificate with nothing but `Unauthorized`.
#[cfg(feature = "bridge")]
fn refuse_expired(config: &Config, context: &str) -> Result<()> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let user = &config.auth_info;
    let data = user.client_certificate_data.as_ref();
    let pem = match (data, &user.client_certificate) {
        (Some(data), _) => BASE64_STANDARD.decode(data).ok(),
        (None, Some(path)) => std::fs::read(path).ok(),
        (None, None) => None,
    };
    let pem = pem.and_then(|bytes| String::from_utf8(bytes).ok());
    match pem.as_deref().and_then(crate::certificate::not_after) {
        Some(end) if end < jiff::Timestamp::now() => Err(Error::new(
            Kind::Certificate,
            format!("context {context:?}: its client certificate expired at {end}: get a new kubeconfig"),
        )),
        _ => Ok(()),
    }
}

/// A client for a program that runs in a pod, as the pod's service account.
///
/// # Errors
/// `NoContext` outside a pod.
pub fn in_pod() -> Result<Client> {
    install_tls();
    let config = Config::incluster()
        .map_err(|error| Error::new(Kind::NoContext, format!("not inside a cluster: {error}")))?;
    of_config(config, "of this pod")
}

fn of_config(mut config: Config, context: &str) -> Result<Client> {
    config.connect_timeout = Some(CONNECT);
    Client::try_from(config).map_err(|error| {
        let mut error = Error::of_kube(&format!("context {context:?}"), &error);
        if error.kind == Kind::Other {
            error.kind = Kind::NoContext;
        }
        error
    })
}

/// The whole program uses ring; a second call does nothing.
fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// `future` with the deadline of one request; `what` is what is attempted, e.g. `list pods in x`.
///
/// # Errors
/// What the API server said, or `Timeout`.
pub async fn within<T>(
    what: &str,
    future: impl Future<Output = std::result::Result<T, kube::Error>>,
) -> Result<T> {
    within_for(REQUEST, what, future).await
}

/// As [`within`], with another deadline.
///
/// # Errors
/// As [`within`].
pub async fn within_for<T>(
    deadline: Duration,
    what: &str,
    future: impl Future<Output = std::result::Result<T, kube::Error>>,
) -> Result<T> {
    match tokio::time::timeout(deadline, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::of_kube(what, &error)),
        Err(_) => Err(Error::timeout(what, deadline)),
    }
}

/// The object, or `None` where there is none.
///
/// # Errors
/// As [`within`], less `NotFound`.
pub async fn get_opt<K>(api: &Api<K>, what: &str, name: &str) -> Result<Option<K>>
where
    K: Clone + DeserializeOwned + Debug,
{
    within(&format!("get {what}"), api.get_opt(name)).await
}

/// All objects that `params` selects.
///
/// # Errors
/// As [`within`].
pub async fn list<K>(api: &Api<K>, what: &str, params: &ListParams) -> Result<ObjectList<K>>
where
    K: Clone + DeserializeOwned + Debug,
{
    within(&format!("list {what}"), api.list(params)).await
}

/// A merge patch.
///
/// # Errors
/// As [`within`].
pub async fn merge<K, P>(api: &Api<K>, what: &str, name: &str, patch: &P) -> Result<K>
where
    K: Clone + DeserializeOwned + Debug,
    P: Serialize + Debug,
{
    let params = PatchParams::default();
    within(
        &format!("patch {what}"),
        api.patch(name, &params, &Patch::Merge(patch)),
    )
    .await
}

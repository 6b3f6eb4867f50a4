//! Where a registry is, who we are there, and whether plain http will do.

use crate::Error;
use secrecy::SecretString;
use std::{env, fmt, net::IpAddr};

/// Minikube's registry addon inside the cluster. It speaks nothing else, and its name leads nowhere
/// but into the cluster that asks.
const ADDON: &str = "registry.kube-system.svc.cluster.local";

/// Who we are at a registry. Never printed.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Nobody.
    #[default]
    Anonymous,
    /// User name and password (or access token as password).
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// A bearer token that the registry takes as it is.
    Token(SecretString),
}

/// How to talk to registries.
#[derive(Clone, Debug, Default)]
pub struct RegistryOptions {
    /// Who we are.
    pub credentials: Credentials,
    /// Hosts (`host` or `host:port`) that are spoken to in plain http, besides loopback ones.
    pub plain_http: Vec<String>,
}

impl RegistryOptions {
    /// From `REGISTRY_USERNAME` and `REGISTRY_PASSWORD`, or `REGISTRY_TOKEN`, and `REGISTRY_PLAIN_HTTP`
    /// (hosts separated by commas). Empty variables count as absent.
    pub fn from_env() -> Self {
        let set = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
        let credentials = match (
            set("REGISTRY_USERNAME"),
            set("REGISTRY_PASSWORD"),
            set("REGISTRY_TOKEN"),
        ) {
            (Some(username), Some(password), _) => Credentials::Basic {
                username,
                password: password.into(),
            },
            (_, _, Some(token)) => Credentials::Token(token.into()),
            _ => Credentials::Anonymous,
        };
        let hosts = set("REGISTRY_PLAIN_HTTP").unwrap_or_default();
        Self {
            credentials,
            plain_http: hosts
                .split(',')
                .map(|host| host.trim().to_owned())
                .filter(|h| !h.is_empty())
                .collect(),
        }
    }
}

/// A registry and the path that our images lie below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `host` or `host:port`.
    pub host: String,
    /// Path without slashes at its ends; may be empty.
    path: String,
    pub plain_http: bool,
}

impl Address {
    pub fn parse(text: &str, allowed: &[String]) -> Result<Self, Error> {
        // Whatever stands before an @ may be a password: it is not repeated.
        if let Some((_, rest)) = text.rsplit_once('@') {
            return Err(Error::Text {
                text: format!("…@{rest}"),
                expected: "a registry without credentials (they go into REGISTRY_USERNAME and REGISTRY_PASSWORD)",
            });
        }
        let refused = |expected| Error::Text {
            text: text.to_owned(),
            expected,
        };
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) => return Err(refused("oci-layout:/path, http(s)://host/path or host:port/path")),
            None => (None, text),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_matches('/');
        let plain = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        };
        if !(path.is_empty() || path.split('/').all(plain)) {
            return Err(refused("a registry path of lower-case names"));
        }
        let named = host.contains(['.', ':']) || host == "localhost" || scheme.is_some();
        let proper = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
        if host.is_empty() || !named || !host.bytes().all(proper) {
            return Err(refused("oci-layout:/path, http(s)://host/path or host:port/path"));
        }
        let trusted = is_loopback(host)
            || without_port(host) == ADDON
            || allowed
                .iter()
                .any(|name| name == host || name == without_port(host));
        if scheme == Some("http") && !trusted {
            return Err(refused(
                "https, a loopback host, Minikube's registry addon, or a host listed in REGISTRY_PLAIN_HTTP",
            ));
        }
        Ok(Self {
            host: host.to_owned(),
            path: path.to_owned(),
            plain_http: scheme != Some("https") && trusted,
        })
    }

    /// Repository of an image name below the path.
    pub fn repository(&self, name: &str) -> String {
        [self.path.as_str(), name]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("/")
    }

    /// How a manifest writes it: host, path and name.
    pub fn prefix(&self, name: &str) -> String {
        let parts = [self.host.as_str(), self.path.as_str()];
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .chain([name])
            .collect();
        parts.join("/")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plain_http { "http" } else { "https" };
        write!(f, "{scheme}://{}", self.prefix("").trim_end_matches('/'))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_loopback(host: &str) -> bool {
    let name = without_port(host).trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        let allowed = ["other:5001".to_owned()];
        for (text, shown, image) in [
            (
                "http://127.0.0.1:5000/a/b",
                "http://127.0.0.1:5000/a/b",
                "127.0.0.1:5000/a/b/n",
            ),
            ("localhost:5000", "http://localhost:5000", "localhost:5000/n"),
            ("http://[::1]:5000", "http://[::1]:5000", "[::1]:5000/n"),
            (
                "https://localhost:5000/",
                "https://localhost:5000",
                "localhost:5000/n",
            ),
            ("ghcr.io/someone", "https://ghcr.io/someone", "ghcr.io/someone/n"),
            (
                "registry.kube-system.svc.cluster.local",
                "http://registry.kube-system.svc.cluster.local",
                "registry.kube-system.svc.cluster.local/n",
            ),
            (
                "http://registry.kube-system.svc.cluster.local:80/a",
                "http://registry.kube-system.svc.cluster.local:80/a",
                "registry.kube-system.svc.cluster.local:80/a/n",
            ),
            ("http://other:5001/x", "http://other:5001/x", "other:5001/x/n"),
        ] {
            let address = Address::parse(text, &allowed).unwrap();
            assert_eq!(
                (address.to_string().as_str(), address.prefix("n").as_str()),
                (shown, image)
            );
        }
    }

    #[test]
    fn refuses_plain_http_elsewhere_and_hides_passwords() {
        let refusal = |text: &str| {
            Address::parse(text, &["other:5001".to_owned()])
                .unwrap_err()
                .to_string()
        };
        says(&refusal("http://registry.example/a"), "REGISTRY_PLAIN_HTTP");
        says(&refusal("http://other:5002"), "REGISTRY_PLAIN_HTTP");
        says(
            &refusal("http://registry.kube-system.svc.cluster.local.example/a"),
            "REGISTRY_PLAIN_HTTP",
        );
        says(
            &refusal("http://registry.other.svc.cluster.local"),
            "REGISTRY_PLAIN_HTTP",
        );
        says(&refusal("ftp://x/y"), "oci-layout:");
        says(&refusal("images"), "oci-layout:");
        says(&refusal("localhost:5000/UPPER"), "lower-case");
        let hidden = refusal("https://me:s3cret@registry.example/a");
        assert!(!hidden.contains("s3cret"), "{hidden}");
    }

    fn says(text: &str, part: &str) {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }

    #[test]
    fn credentials_are_not_printed() {
        let options = RegistryOptions {
            credentials: Credentials::Basic {
                username: "me".to_owned(),
                password: "s3cret".to_owned().into(),
            },
            plain_http: Vec::new(),
        };
        assert!(!format!("{options:?}").contains("s3cret"));
    }
}

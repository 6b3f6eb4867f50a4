//! Pure: Services and the ports they have on this machine.
//!
//! In Kubernetes a name such as `http://mlflow.training:5000` is resolved by cluster DNS. Here
//! there is none, so such addresses in env values and arguments are rewritten to the loopback port.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One port of a Service that is reachable on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePort {
    /// Namespace of the Service.
    pub namespace: String,
    /// Its name.
    pub service: String,
    /// The port clients in the cluster use.
    pub port: u16,
    /// The port on 127.0.0.1.
    pub host_port: u16,
    /// Pods it selects.
    pub selector: BTreeMap<String, String>,
}

impl ServicePort {
    /// Whether pods of that namespace with these labels are behind it.
    pub fn selects(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.namespace == namespace
            && !self.selector.is_empty()
            && self
                .selector
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
    }

    /// Base address for clients on this machine.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.host_port)
    }
}

/// Replaces every `http://<service>[.<namespace>[.svc[.cluster.local]]][:<port>]` in `text` that
/// names one of `services` by its loopback address; a bare name means `namespace`, no port means 80.
pub fn rewrite(text: &str, namespace: &str, services: &[ServicePort]) -> String {
    const SCHEME: &str = "http://";
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(SCHEME) {
        let (before, address) = rest.split_at(at);
        written.push_str(before);
        let authority = &address[SCHEME.len()..];
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let host = &authority[..authority.find(|c| !in_name(c)).unwrap_or(authority.len())];
        let after_host = &authority[host.len()..];
        let digits = after_host.strip_prefix(':').map_or("", |port| {
            &port[..port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len())]
        });
        let port = if digits.is_empty() {
            Some(80)
        } else {
            digits.parse().ok()
        };
        let consumed = host.len() + if digits.is_empty() { 0 } else { 1 + digits.len() };
        match find(host, port, namespace, services) {
            Some(found) => written.push_str(&found.address()),
            None => written.push_str(&address[..SCHEME.len() + consumed]),
        }
        rest = &authority[consumed..];
    }
    written.push_str(rest);
    written
}

fn find<'a>(
    host: &str,
    port: Option<u16>,
    namespace: &str,
    services: &'a [ServicePort],
) -> Option<&'a ServicePort> {
    let mut parts = host.splitn(3, '.');
    let service = parts.next()?;
    let named = parts.next().unwrap_or(namespace);
    if !matches!(parts.next(), None | Some("svc" | "svc.cluster.local")) {
        return None;
    }
    services
        .iter()
        .find(|s| s.service == service && s.namespace == named && Some(s.port) == port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> Vec<ServicePort> {
        let of = |namespace: &str, service: &str, port, host_port| ServicePort {
            namespace: namespace.into(),
            service: service.into(),
            port,
            host_port,
            selector: BTreeMap::new(),
        };
        vec![
            of("training", "mlflow", 5000, 30500),
            of("serving", "inference-api", 8000, 30080),
            of("serving", "web", 80, 30081),
        ]
    }

    #[test]
    fn rewrites_what_names_a_service() {
        for (text, expected) in [
            ("http://mlflow.training:5000", "http://127.0.0.1:30500"),
            (
                "http://mlflow.training.svc:5000/api?x=1",
                "http://127.0.0.1:30500/api?x=1",
            ),
            (
                "http://mlflow.training.svc.cluster.local:5000",
                "http://127.0.0.1:30500",
            ),
            (
                "http://inference-api:8000/predict",
                "http://127.0.0.1:30080/predict",
            ),
            ("http://web", "http://127.0.0.1:30081"),
            (
                "--a=http://web/x,http://mlflow.training:5000",
                "--a=http://127.0.0.1:30081/x,http://127.0.0.1:30500",
            ),
            // Left alone: another namespace, another port, no Service, another scheme.
            ("http://mlflow:5000", "http://mlflow:5000"),
            ("http://mlflow.training:5001", "http://mlflow.training:5001"),
            (
                "http://mlflow.training.example.org:5000",
                "http://mlflow.training.example.org:5000",
            ),
            ("http://inference-api:80000", "http://inference-api:80000"),
            ("https://mlflow.training:5000", "https://mlflow.training:5000"),
            ("http://", "http://"),
            ("http://:8000", "http://:8000"),
        ] {
            assert_eq!(rewrite(text, "serving", &table()), expected);
        }
    }

    #[test]
    fn selects_by_all_labels_of_the_selector() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
        };
        let mut service = table().remove(0);
        assert!(
            !service.selects("training", &labels(&[("a", "b")])),
            "an empty selector selects nothing"
        );
        service.selector = labels(&[("a", "b")]);
        assert!(service.selects("training", &labels(&[("a", "b"), ("c", "d")])));
        assert!(!service.selects("training", &labels(&[("a", "x")])));
        assert!(!service.selects("serving", &labels(&[("a", "b")])));
    }

    proptest! {
        #[test]
        fn text_without_services_is_untouched(text in ".*") {
            prop_assert_eq!(rewrite(&text, "serving", &[]), text);
        }
    }
}

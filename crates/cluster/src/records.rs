//! Texts kept for runs, each in a ConfigMap of its own beside the templates. State and not
//! configuration: they are not in Git, and Argo CD does not track them.

use crate::{
    Error, Kind, Result,
    connect::{get_opt, merge, within},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, api::PostParams};
use serde_json::json;

/// Key of the text inside the ConfigMap.
const KEY: &str = "record";
/// A ConfigMap holds 1 MiB with all that is around its data.
const BYTES_MAX: usize = 900 * 1024;

/// The records of a namespace.
#[derive(Clone)]
pub struct Records {
    api: Api<ConfigMap>,
    namespace: String,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Records({})", self.namespace)
    }
}

impl Records {
    /// Those in `namespace`.
    pub fn new(client: &Client, namespace: &str) -> Self {
        Records {
            api: Api::namespaced(client.clone(), namespace),
            namespace: namespace.to_owned(),
        }
    }

    fn what(&self, name: &str) -> String {
        format!("ConfigMap {name} in namespace {}", self.namespace)
    }

    /// Version and text; an empty version where there is none. Needs `get`.
    ///
    /// # Errors
    /// What the API server said.
    pub async fn read(&self, name: &str) -> Result<(String, Option<String>)> {
        Ok(content(get_opt(&self.api, &self.what(name), name).await?))
    }

    /// Writes it if it still has that version (the object's resourceVersion, which the API server compares);
    /// whether it did. Needs `patch`, and `create` the first time.
    ///
    /// # Errors
    /// What the API server said, `Other` for a text that does not fit.
    pub async fn write(&self, name: &str, expected: &str, text: &str) -> Result<bool> {
        let what = self.what(name);
        if text.len() > BYTES_MAX {
            let bytes = text.len();
            return Err(Error::other(format!(
                "{what}: {bytes} bytes, expected at most {BYTES_MAX}"
            )));
        }
        let written = match expected {
            "" => {
                let map = new(name, text).map_err(|error| Error::other(format!("{what}: {error}")))?;
                let params = PostParams::default();
                within(&format!("create {what}"), self.api.create(&params, &map)).await
            }
            version => {
                let patch = json!({"metadata": {"resourceVersion": version}, "data": {KEY: text}});
                merge(&self.api, &what, name, &patch).await
            }
        };
        match written {
            Ok(_) => Ok(true),
            // Somebody else wrote first, or removed it.
            Err(error) if matches!(error.kind, Kind::Conflict | Kind::NotFound) && !is_namespace(&error) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// A namespace that is missing will not be there the next time.
fn is_namespace(error: &Error) -> bool {
    error.kind == Kind::NotFound && error.message.contains("namespaces ")
}

fn new(name: &str, text: &str) -> serde_json::Result<ConfigMap> {
    serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "driftless"}},
        "data": {KEY: text},
    }))
}

fn content(map: Option<ConfigMap>) -> (String, Option<String>) {
    let Some(map) = map else {
        return (String::new(), None);
    };
    let text = map.data.and_then(|mut data| data.remove(KEY));
    (map.metadata.resource_version.unwrap_or_default(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_and_what_is_not() {
        assert_eq!(content(None), (String::new(), None));
        let mut map = new("drift-ledger", "{}").unwrap();
        map.metadata.resource_version = Some("41".to_owned());
        assert_eq!(
            content(Some(map.clone())),
            ("41".to_owned(), Some("{}".to_owned()))
        );
        // Emptied by hand: written again, under its version.
        map.data = None;
        assert_eq!(content(Some(map)), ("41".to_owned(), None));
    }

    #[test]
    fn a_missing_namespace_is_no_race() {
        let missing = Error::new(
            Kind::NotFound,
            "create ConfigMap a in namespace b: namespaces \"b\" not found",
        );
        let removed = Error::new(
            Kind::NotFound,
            "patch ConfigMap a in namespace b: configmaps \"a\" not found",
        );
        assert!(is_namespace(&missing) && !is_namespace(&removed));
    }
}

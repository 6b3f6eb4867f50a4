//! The data place: one ConfigMap, one key a batch. It is data and not configuration, so it is not in
//! Git, and Argo CD does not track it.

mod copy;

use crate::{
    Error, Kind, Result,
    connect::{get_opt, merge, within},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, api::PostParams};
use serde_json::json;
use std::collections::BTreeMap;

/// Its namespace and name.
pub const NAMESPACE: &str = "training";
/// See [`NAMESPACE`].
pub const NAME: &str = "training-data";
/// A ConfigMap holds 1 MiB with all that is around its data.
pub const BYTES_MAX: usize = 900 * 1024;
/// Writers that come between, one after the other.
const ATTEMPTS: u32 = 20;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is there now.
    Added,
    /// It was there, with this very text.
    Already,
}

/// The data place of a cluster.
#[derive(Clone)]
pub struct DataPlace {
    api: Api<ConfigMap>,
    what: String,
}

impl std::fmt::Debug for DataPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataPlace({})", self.what)
    }
}

impl DataPlace {
    /// The one of this project.
    pub fn new(client: &Client) -> Self {
        Self::at(client, NAMESPACE, NAME)
    }

    /// Another one, for tests.
    pub fn at(client: &Client, namespace: &str, name: &str) -> Self {
        DataPlace {
            api: Api::namespaced(client.clone(), namespace),
            what: format!("ConfigMap {name} in namespace {namespace}"),
        }
    }

    async fn read(&self) -> Result<Option<ConfigMap>> {
        get_opt(&self.api, &self.what, self.name()).await
    }

    fn name(&self) -> &str {
        self.what.split(' ').nth(1).unwrap_or(NAME)
    }

    /// Names of the batches, in order.
    ///
    /// # Errors
    /// What the API server said.
    pub async fn names(&self) -> Result<Vec<String>> {
        Ok(batches(self.read().await?).into_keys().collect())
    }

    /// Text of a batch.
    ///
    /// # Errors
    /// `NotFound`, or what the API server said.
    pub async fn get(&self, name: &str) -> Result<String> {
        batches(self.read().await?).remove(name).ok_or_else(|| {
            let what = format!("batch {name}: the data place ({}) has no such batch", self.what);
            Error::new(Kind::NotFound, what)
        })
    }

    /// Adds a batch whole or not at all. What is there is never changed.
    ///
    /// # Errors
    /// `Conflict` for a name that is taken by another text, `Other` for one that no batch can have
    /// or for more than fits, or what the API server said.
    pub async fn put(&self, name: &str, text: &str) -> Result<Put> {
        check_name(name)?;
        for _ in 0..ATTEMPTS {
            let there = self.read().await?;
            let version = there
                .as_ref()
                .and_then(|map| map.metadata.resource_version.clone());
            let exists = there.is_some();
            if let Some(put) = admit(&batches(there), name, text)? {
                return Ok(put);
            }
            let written = match exists {
                true => {
                    let patch = json!({"metadata": {"resourceVersion": version}, "data": {name: text}});
                    merge(&self.api, &self.what, self.name(), &patch)
                        .await
                        .map(|_| ())
                }
                false => self.create(name, text).await,
            };
            match written {
                Ok(()) => return Ok(Put::Added),
                // Somebody else wrote first: looked at again.
                Err(error) if error.kind == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        let text = format!("add {name} to {}: others write to it all the time", self.what);
        Err(Error::new(Kind::Conflict, text))
    }

    async fn create(&self, name: &str, text: &str) -> Result<()> {
        let map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self.name(), "labels": {"app.kubernetes.io/part-of": "driftless"}},
            "data": {name: text},
        });
        let map: ConfigMap =
            serde_json::from_value(map).map_err(|error| Error::other(format!("{}: {error}", self.what)))?;
        let what = format!("create {}", self.what);
        within(&what, self.api.create(&PostParams::default(), &map))
            .await
            .map(|_| ())
    }
}

fn batches(map: Option<ConfigMap>) -> BTreeMap<String, String> {
    map.and_then(|map| map.data).unwrap_or_default()
}

/// Whether it is there already; an error where it cannot be added.
fn admit(there: &BTreeMap<String, String>, name: &str, text: &str) -> Result<Option<Put>> {
    if let Some(known) = there.get(name) {
        return match known == text {
            true => Ok(Some(Put::Already)),
            false => Err(Error::new(
                Kind::Conflict,
                format!("batch {name}: the name is taken by another text"),
            )),
        };
    }
    let bytes: usize = there.iter().map(|(name, text)| name.len() + text.len()).sum();
    match bytes + name.len() + text.len() <= BYTES_MAX {
        true => Ok(None),
        false => Err(Error::other(format!(
            "batch {name} ({} bytes) does not fit beside the {bytes} bytes that are there: this data place is a ConfigMap \
             and holds {BYTES_MAX} bytes. Give larger data to the trainer by DATA: a mounted PersistentVolumeClaim or an \
             http(s) or s3 address",
            text.len()
        ))),
    }
}

/// The engine's rule for names of batches, which is that of ConfigMap keys.
fn check_name(name: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let fits =
        name.len() <= 200 && name.ends_with(".csv") && !name.starts_with('.') && name.bytes().all(plain);
    match fits {
        true => Ok(()),
        false => Err(Error::other(format!(
            "batch {name:?}: expected a file name of letters, digits, - _ . that ends in .csv"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays() {
        let there = BTreeMap::from([("a.csv".to_owned(), "1".to_owned())]);
        assert_eq!(admit(&there, "b.csv", "2").unwrap(), None);
        assert_eq!(admit(&there, "a.csv", "1").unwrap(), Some(Put::Already));
        assert_eq!(admit(&there, "a.csv", "2").unwrap_err().kind, Kind::Conflict);
    }

    #[test]
    fn too_much_is_refused_with_the_way_out() {
        let there = BTreeMap::from([("a.csv".to_owned(), "1".repeat(BYTES_MAX - 20))]);
        assert_eq!(admit(&there, "b.csv", "1234567890").unwrap(), None);
        let refused = admit(&there, "b.csv", "12345678901").unwrap_err().message;
        assert!(refused.contains("PersistentVolumeClaim"), "{refused}");
    }

    #[test]
    fn names_of_batches() {
        for good in ["batch-0001.csv", "a.b_c-1.csv"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = format!("{}.csv", "a".repeat(200));
        for bad in [
            "", ".csv", ".a.csv", "a.txt", "a/b.csv", "../a.csv", "ä.csv", &long,
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}

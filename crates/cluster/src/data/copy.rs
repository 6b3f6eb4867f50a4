//! The same batches for the steps of pipelines: a pod mounts no ConfigMap of another namespace.
//!
//! The data place counts; this is a copy of it, made when Kubeflow Pipelines is installed and from then on kept.

use super::{DataPlace, NAME, batches};
use crate::{
    Error, Kind, Result,
    connect::{get_opt, merge, within},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::PostParams};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Where steps run.
pub const PIPELINES: &str = "kubeflow";
/// Others copy too, at the same moment.
const ATTEMPTS: u32 = 5;

impl DataPlace {
    fn copy_api(&self) -> (Api<ConfigMap>, String) {
        let api = Api::namespaced(self.api.clone().into_client(), PIPELINES);
        (api, format!("ConfigMap {NAME} in namespace {PIPELINES}"))
    }

    /// Whether the copy is there, with the same batches. Where there is no batch yet, none is missed.
    ///
    /// # Errors
    /// What the API server said.
    pub async fn is_copied(&self) -> Result<bool> {
        let (api, what) = self.copy_api();
        let there = get_opt(&api, &what, NAME).await?;
        let wanted = batches(self.read().await?);
        Ok(there.is_some() && batches(there) == wanted)
    }

    /// Makes the copy, or brings it up to the data place; how many batches there are.
    ///
    /// # Errors
    /// `Conflict` where others do the same all the time, or what the API server said.
    pub async fn copy(&self) -> Result<usize> {
        let (api, what) = self.copy_api();
        for _ in 0..ATTEMPTS {
            let there = get_opt(&api, &what, NAME).await?;
            // Read after the copy: a batch that comes in between is missed by neither.
            let wanted = batches(self.read().await?);
            let written = match there {
                None => {
                    let map = new(&wanted)?;
                    let params = PostParams::default();
                    within(&format!("create {what}"), api.create(&params, &map)).await
                }
                Some(map) => {
                    let version = map.metadata.resource_version.clone();
                    let changes = changes(&batches(Some(map)), &wanted);
                    if changes.is_empty() {
                        return Ok(wanted.len());
                    }
                    let patch = json!({"metadata": {"resourceVersion": version}, "data": changes});
                    merge(&api, &what, NAME, &patch).await
                }
            };
            match written {
                Ok(_) => return Ok(wanted.len()),
                // Somebody else wrote first: looked at again.
                Err(error) if error.kind == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        let text = format!("copy the batches to {what}: others write to it all the time");
        Err(Error::new(Kind::Conflict, text))
    }

    /// Brings the copy up to the data place where one was made.
    ///
    /// # Errors
    /// As [`Self::copy`]; says that the batch itself is there.
    pub async fn copy_where_wanted(&self) -> Result<()> {
        let (api, what) = self.copy_api();
        let copied = async {
            match get_opt(&api, &what, NAME).await? {
                Some(_) => self.copy().await.map(drop),
                None => Ok(()),
            }
        };
        copied.await.map_err(|error: Error| {
            let text = format!(
                "the batch is in the data place, and pipelines do not find it yet (cargo xtask up --from data): {}",
                error.message
            );
            Error::new(error.kind, text)
        })
    }
}

fn new(batches: &BTreeMap<String, String>) -> Result<ConfigMap> {
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/part-of": "driftless"}},
        "data": batches,
    });
    serde_json::from_value(map).map_err(|error| Error::other(format!("{NAME}: {error}")))
}

/// A merge patch of the data; null removes.
fn changes(there: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> Map<String, Value> {
    let gone = there.keys().filter(|name| !wanted.contains_key(*name));
    let new = wanted
        .iter()
        .filter(|(name, text)| there.get(*name) != Some(text));
    gone.map(|name| (name.clone(), Value::Null))
        .chain(new.map(|(name, text)| (name.clone(), Value::from(text.as_str()))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_makes_both_the_same() {
        let of = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            all.iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect()
        };
        let there = of(&[("a.csv", "1"), ("b.csv", "2"), ("c.csv", "3")]);
        let wanted = of(&[("a.csv", "1"), ("b.csv", "changed"), ("d.csv", "4")]);
        let changes = Value::Object(changes(&there, &wanted));
        assert_eq!(changes, json!({"b.csv": "changed", "c.csv": null, "d.csv": "4"}));
    }
}

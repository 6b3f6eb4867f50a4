//! Pure: rendered YAML -> typed Kubernetes objects.

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        batch::v1::{CronJob, Job},
        core::v1::{ConfigMap, Service},
    },
    serde_json::Value,
};
use kube::{Resource, ResourceExt, core::DynamicObject};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The objects of one rendered overlay.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Run as processes.
    pub deployments: Vec<Read<Deployment>>,
    /// Started on their schedule or on request.
    pub cron_jobs: Vec<Read<CronJob>>,
    /// Run once.
    pub jobs: Vec<Read<Job>>,
    /// Sockets and addresses.
    pub services: Vec<Read<Service>>,
    /// Variables.
    pub config_maps: Vec<Read<ConfigMap>>,
    /// `Kind/name` of what has no meaning without a Kubernetes API.
    pub others: Vec<String>,
}

/// A typed object beside the document it was read from, which may hold more than the type knows.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// As this version of Kubernetes understands it.
    pub object: T,
    /// As it was written.
    pub document: Value,
}

/// The rendered text is not a list of Kubernetes objects.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// Not YAML.
    #[error("document {index} of the rendered overlay is not YAML")]
    Yaml {
        /// Counted from 1.
        index: usize,
        /// Line and column.
        source: serde_yaml::Error,
    },
    /// YAML, but not an object with `apiVersion`, `kind` and `metadata.name`.
    #[error("document {index} of the rendered overlay is not a Kubernetes object: {reason}")]
    Shape {
        /// Counted from 1.
        index: usize,
        /// What is missing.
        reason: String,
    },
    /// A field has the wrong type.
    #[error("{object} cannot be read")]
    Typed {
        /// `Kind/name`.
        object: String,
        /// Field and type.
        source: k8s_openapi::serde_json::Error,
    },
}

/// Reads every document of `text`.
///
/// # Errors
/// See [`ObjectsError`]; nothing is taken from a text with an unreadable part.
pub fn read(text: &str) -> Result<Objects, ObjectsError> {
    let mut objects = Objects::default();
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let index = index + 1;
        let document = Value::deserialize(document).map_err(|source| ObjectsError::Yaml { index, source })?;
        if document.is_null() {
            continue;
        }
        let shape = |reason: String| ObjectsError::Shape { index, reason };
        let object: DynamicObject = Deserialize::deserialize(document.clone())
            .map_err(|e: k8s_openapi::serde_json::Error| shape(e.to_string()))?;
        let types = object
            .types
            .clone()
            .ok_or_else(|| shape("no apiVersion and kind".to_owned()))?;
        if object.meta().name.is_none() {
            return Err(shape(format!("{} without metadata.name", types.kind)));
        }
        let named = format!("{}/{}", types.kind, object.name_any());
        match (types.api_version.as_str(), types.kind.as_str()) {
            ("apps/v1", "Deployment") => objects.deployments.push(typed(object, document, named)?),
            ("batch/v1", "CronJob") => objects.cron_jobs.push(typed(object, document, named)?),
            ("batch/v1", "Job") => objects.jobs.push(typed(object, document, named)?),
            ("v1", "Service") => objects.services.push(typed(object, document, named)?),
            ("v1", "ConfigMap") => objects.config_maps.push(typed(object, document, named)?),
            _ => objects.others.push(named),
        }
    }
    Ok(objects)
}

fn typed<T>(object: DynamicObject, document: Value, named: String) -> Result<Read<T>, ObjectsError>
where
    T: Resource + DeserializeOwned + Serialize,
{
    // Through the document, whose numbers and texts kept the types they were written with.
    drop(object);
    let object = T::deserialize(&document).map_err(|source| ObjectsError::Typed {
        object: named,
        source,
    })?;
    Ok(Read { object, document })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_kinds_apart_and_names_the_rest() {
        let objects = read(
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n---\n---\n\
             apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\n",
        )
        .unwrap();
        assert_eq!(
            objects.services[0]
                .object
                .spec
                .as_ref()
                .unwrap()
                .ports
                .as_ref()
                .unwrap()[0]
                .port,
            80
        );
        assert_eq!(objects.others, ["PodDisruptionBudget/b"]);
    }

    #[test]
    fn says_what_is_wrong_where() {
        let text = |error: ObjectsError| {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error} {}", source.unwrap_or_default())
        };
        for (yaml, expected) in [
            ("a: [", "document 1 of the rendered overlay is not YAML"),
            (
                "- a",
                "document 1 of the rendered overlay is not a Kubernetes object",
            ),
            ("metadata: {name: a}", "no apiVersion and kind"),
            (
                "apiVersion: v1\nkind: Service\nmetadata: {}",
                "Service without metadata.name",
            ),
            (
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: many}",
                "Deployment/a cannot be read",
            ),
        ] {
            let error = text(read(yaml).unwrap_err());
            assert!(error.contains(expected), "{yaml}: {error}");
        }
    }
}

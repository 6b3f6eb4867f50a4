//! Pure: the variables and the command line of a container, as Kubernetes makes them.

use crate::services::{ServicePort, rewrite};
use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource};
use std::collections::BTreeMap;

/// What a container's process is started with, besides the manifest.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Name of the replica or attempt (`metadata.name`).
    pub pod_name: &'a str,
    /// `metadata.namespace`.
    pub namespace: &'a str,
    /// Labels of the pod template.
    pub labels: &'a BTreeMap<String, String>,
    /// Annotations of the pod template.
    pub annotations: &'a BTreeMap<String, String>,
    /// ConfigMaps of the namespace by name.
    pub config_maps: &'a BTreeMap<String, BTreeMap<String, String>>,
    /// Variables of the image.
    pub image: &'a BTreeMap<String, String>,
    /// Variables of the engine (`DRIFTLESS_HOME` and the configured ones).
    pub engine: &'a BTreeMap<String, String>,
    /// Set over everything, for one run.
    pub overrides: &'a BTreeMap<String, String>,
    /// For rewriting addresses.
    pub services: &'a [ServicePort],
}

/// A variable cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Names a ConfigMap the overlay does not have.
    #[error("{variable} refers to ConfigMap {config_map:?}, which the overlay does not have")]
    NoConfigMap {
        /// Variable, or `envFrom`.
        variable: String,
        /// Name in the manifest.
        config_map: String,
    },
    /// Names a key the ConfigMap does not have.
    #[error("{variable} refers to key {key:?} of ConfigMap {config_map:?}, which has no such key")]
    NoKey {
        /// Variable.
        variable: String,
        /// Name in the manifest.
        config_map: String,
        /// Key in the manifest.
        key: String,
    },
}

/// All variables of the container, later sources winning: image, engine, `envFrom`, `env`, overrides.
///
/// # Errors
/// A reference to something that is not there and not optional.
pub fn variables(
    container: &Container,
    around: &Surroundings<'_>,
) -> Result<BTreeMap<String, String>, EnvironmentError> {
    let mut variables = around.image.clone();
    variables.extend(around.engine.clone());
    for source in container.env_from.iter().flatten() {
        // Secrets do not exist here; `status` lists the reference.
        let Some(reference) = &source.config_map_ref else {
            continue;
        };
        let prefix = source.prefix.as_deref().unwrap_or("");
        match around.config_maps.get(&reference.name) {
            Some(data) => {
                variables.extend(
                    data.iter()
                        .map(|(key, value)| (format!("{prefix}{key}"), value.clone())),
                );
            }
            None if reference.optional == Some(true) => {}
            None => {
                return Err(EnvironmentError::NoConfigMap {
                    variable: "envFrom".to_owned(),
                    config_map: reference.name.clone(),
                });
            }
        }
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = value_of(variable, &variables, around)? {
            variables.insert(variable.name.clone(), value);
        }
    }
    variables.extend(around.overrides.clone());
    for value in variables.values_mut() {
        *value = rewrite(value, around.namespace, around.services);
    }
    Ok(variables)
}

fn value_of(
    variable: &EnvVar,
    known: &BTreeMap<String, String>,
    around: &Surroundings<'_>,
) -> Result<Option<String>, EnvironmentError> {
    let Some(source) = &variable.value_from else {
        return Ok(Some(expand(variable.value.as_deref().unwrap_or(""), known)));
    };
    if let Some(reference) = &source.config_map_key_ref {
        let optional = reference.optional == Some(true);
        let map = around.config_maps.get(&reference.name);
        return match (map, map.and_then(|data| data.get(&reference.key))) {
            (_, Some(value)) => Ok(Some(value.clone())),
            _ if optional => Ok(None),
            (None, _) => Err(EnvironmentError::NoConfigMap {
                variable: variable.name.clone(),
                config_map: reference.name.clone(),
            }),
            (Some(_), None) => Err(EnvironmentError::NoKey {
                variable: variable.name.clone(),
                config_map: reference.name.clone(),
                key: reference.key.clone(),
            }),
        };
    }
    Ok(field(source, around))
}

/// Value of a `fieldRef`; `None` where this engine has no such fact (`status` lists it).
fn field(source: &EnvVarSource, around: &Surroundings<'_>) -> Option<String> {
    let path = source.field_ref.as_ref()?.field_path.as_str();
    let keyed = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']").map(str::to_owned);
    // Kubernetes gives an absent annotation or label as an empty text.
    if let Some(key) = keyed("metadata.annotations['") {
        return Some(around.annotations.get(&key).cloned().unwrap_or_default());
    }
    if let Some(key) = keyed("metadata.labels['") {
        return Some(around.labels.get(&key).cloned().unwrap_or_default());
    }
    match path {
        "metadata.name" => Some(around.pod_name.to_owned()),
        "metadata.namespace" => Some(around.namespace.to_owned()),
        "status.podIP" | "status.hostIP" => Some("127.0.0.1".to_owned()),
        _ => None,
    }
}

/// Whether [`variables`] can give that `fieldRef` a value.
pub fn field_is_known(path: &str) -> bool {
    ["metadata.annotations['", "metadata.labels['"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
        || matches!(
            path,
            "metadata.name" | "metadata.namespace" | "status.podIP" | "status.hostIP"
        )
}

/// Kubernetes' expansion: `$(NAME)` of a known name is replaced, of an unknown one is left,
/// `$$` is one dollar that starts nothing.
pub fn expand(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        written.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            written.push('$');
            rest = escaped;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|open| open.split_once(')'));
        match name {
            Some((name, tail)) => {
                match known.get(name) {
                    Some(value) => written.push_str(value),
                    None => written.push_str(&rest[at..at + name.len() + 3]),
                }
                rest = tail;
            }
            None => {
                written.push('$');
                rest = after;
            }
        }
    }
    written.push_str(rest);
    written
}

/// The argument vector: `command` replaces the image's entrypoint (and drops its cmd), `args`
/// replaces its cmd; `extra` is appended. `$(NAME)` expands and Service addresses are rewritten.
pub fn command_line(
    entrypoint: &[String],
    cmd: &[String],
    container: &Container,
    extra: &[String],
    variables: &BTreeMap<String, String>,
    around: &Surroundings<'_>,
) -> Vec<String> {
    let given = |list: &Option<Vec<String>>| list.clone().filter(|list| !list.is_empty());
    let made = |text: &String| rewrite(&expand(text, variables), around.namespace, around.services);
    let (program, arguments) = match (given(&container.command), given(&container.args)) {
        (Some(command), args) => (command, args.unwrap_or_default()),
        (None, Some(args)) => (entrypoint.to_vec(), args),
        (None, None) => (entrypoint.to_vec(), cmd.to_vec()),
    };
    let mut line: Vec<String> = program.iter().chain(&arguments).map(made).collect();
    line.extend(extra.iter().cloned());
    line
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;

//! `engine.yaml`: what the local engine is told, read once at start.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The engine's whole configuration. `xtask` writes it; every path is absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Renders `kustomize/overlays/<environment>/*` of `main`.
    #[serde(default = "local")]
    pub environment: String,
    /// Absolute path of a kubectl; used as `kubectl kustomize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubectl: Option<PathBuf>,
    /// Program and first arguments that render a folder given as last argument; wins over `kubectl`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kustomize: Vec<String>,
    /// Added to a Service's `nodePort` to get the port on 127.0.0.1.
    #[serde(default)]
    pub port_offset: i32,
    /// Variables every process gets and `$(NAME)` expands to, besides `DRIFTLESS_HOME`.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// By name of a Deployment: a program of this machine that runs instead of its image.
    #[serde(default)]
    pub stand_ins: BTreeMap<String, StandIn>,
}

/// A program that stands in for a Deployment's image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandIn {
    /// Absolute path.
    pub program: PathBuf,
    /// Arguments; `$(PORT)`, `$(DRIFTLESS_HOME)` and `variables` expand.
    #[serde(default)]
    pub args: Vec<String>,
    /// Its variables; the same names expand.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// For `status`, e.g. `mlflow 3.17.2 from PyPI`.
    pub description: String,
}

fn local() -> String {
    "local".to_owned()
}

/// Why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the engine's configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Not YAML of this shape.
    #[error("{} is not an engine configuration", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and field.
        source: serde_yaml::Error,
    },
    /// A value cannot be used.
    #[error("{field} = {value:?} in the engine's configuration: expected {expected}")]
    Value {
        /// Name of the field.
        field: String,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let config: Config = serde_yaml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source,
        })?;
        config.check()?;
        Ok(config)
    }

    /// Program and first arguments of the renderer.
    pub fn renderer(&self) -> Vec<String> {
        match (&self.kubectl, self.kustomize.is_empty()) {
            (Some(kubectl), true) => vec![kubectl.display().to_string(), "kustomize".to_owned()],
            _ => self.kustomize.clone(),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |field: &str, value: String, expected| ConfigError::Value {
            field: field.to_owned(),
            value,
            expected,
        };
        // It becomes part of a path inside the repository.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.environment.is_empty() || !self.environment.chars().all(plain) {
            return Err(refuse(
                "environment",
                self.environment.clone(),
                "a folder name of letters, digits and dashes",
            ));
        }
        let renderer = self.renderer();
        if !renderer
            .first()
            .is_some_and(|program| Path::new(program).is_absolute())
        {
            return Err(refuse(
                "kubectl",
                renderer.join(" "),
                "an absolute path (or `kustomize` as a list that starts with one)",
            ));
        }
        for (name, stand_in) in &self.stand_ins {
            if !stand_in.program.is_absolute() {
                let value = stand_in.program.display().to_string();
                return Err(refuse(
                    &format!("stand_ins.{name}.program"),
                    value,
                    "an absolute path",
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, String> {
        let config: Config = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
        config.check().map_err(|e| e.to_string())?;
        Ok(config)
    }

    #[test]
    fn reads_the_smallest_and_a_full_one() {
        let small = check("kubectl: /usr/bin/kubectl").unwrap();
        assert_eq!(small.renderer(), ["/usr/bin/kubectl", "kustomize"]);
        let full = check(
            "environment: local\nkustomize: [/opt/kustomize, build]\nport_offset: 1000\nvariables: {A: b}\n\
             stand_ins: {mlflow: {program: /v/bin/mlflow, args: [server], description: m}}",
        )
        .unwrap();
        assert_eq!(full.renderer(), ["/opt/kustomize", "build"]);
        assert_eq!(full.port_offset, 1000);
    }

    #[test]
    fn names_what_is_wrong() {
        for (text, expected) in [
            ("{}", "kubectl = \"\""),
            ("kubectl: kubectl", "an absolute path"),
            ("{kubectl: /k, environment: ../x}", "environment = \"../x\""),
            ("{kubectl: /k, enviroment: x}", "unknown field"),
            (
                "{kubectl: /k, stand_ins: {m: {program: m, description: d}}}",
                "stand_ins.m.program",
            ),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}

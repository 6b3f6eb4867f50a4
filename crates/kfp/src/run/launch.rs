//! A step that can start: its command line, what the launcher tells it, and by what its result is known again.

use super::values::shown;
use crate::argument::{Argument, Piece, Template};
use crate::container::{Container, Retry};
use crate::model::{Cache, Face};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An artifact.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Artifact {
    /// Where it is on this machine.
    pub path: String,
    /// Where it is kept.
    pub uri: String,
    /// Digest of its content.
    pub digest: String,
    /// Title of its type.
    pub title: String,
    /// What its step said of it.
    pub metadata: Map<String, Value>,
}

/// A step that can start.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// Keys of the tasks that it is in and its own, with a loop's number: `sweep[0]/train`.
    pub path: String,
    /// Name of the component.
    pub component: String,
    /// What is started.
    pub container: Container,
    /// Inputs and outputs that the component has.
    pub face: Face,
    /// What the task was given.
    pub parameters: BTreeMap<String, Value>,
    /// What the task was given; several for an input that is a list.
    pub artifacts: BTreeMap<String, Vec<Artifact>>,
    /// When it is started again.
    pub retry: Option<Retry>,
    /// Whether an earlier result is taken.
    pub cache: Cache,
}

/// Where a step writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// File of each output parameter.
    pub files: BTreeMap<String, String>,
    /// Path and address of each output artifact.
    pub artifacts: BTreeMap<String, (String, String)>,
    /// `executor_output.json`.
    pub executor_output: String,
}

impl Launch {
    /// The program and its arguments.
    ///
    /// # Errors
    /// Names the input that a placeholder needs and the task was not given: the launcher fails, too.
    pub fn command(&self, places: &Places) -> Result<Vec<String>, String> {
        let mut words = Vec::new();
        for argument in self.container.command.iter().chain(&self.container.args) {
            let templates: Vec<&Template> = match argument {
                Argument::Text(one) => vec![one],
                Argument::IfPresent {
                    input,
                    then,
                    otherwise,
                } => {
                    let there = self.parameters.contains_key(input) || self.artifacts.contains_key(input);
                    if there {
                        then.iter().collect()
                    } else {
                        otherwise.iter().collect()
                    }
                }
            };
            for template in templates {
                let pieces = template.pieces().iter().map(|piece| self.piece(piece, places));
                words.push(pieces.collect::<Result<String, String>>()?);
            }
        }
        Ok(words)
    }

    fn piece(&self, piece: &Piece, places: &Places) -> Result<String, String> {
        let missing = |name: &str| format!("{}: {name} is needed, but was not given", self.path);
        let artifact = |name: &str| {
            let first = self.artifacts.get(name).and_then(|all| all.first());
            first.ok_or_else(|| missing(name))
        };
        let product = |name: &str| places.artifacts.get(name).ok_or_else(|| missing(name));
        Ok(match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Parameter(name) => shown(self.parameters.get(name).ok_or_else(|| missing(name))?),
            Piece::InputPath(name) => artifact(name)?.path.clone(),
            Piece::InputUri(name) => artifact(name)?.uri.clone(),
            Piece::OutputPath(name) => product(name)?.0.clone(),
            Piece::OutputUri(name) => product(name)?.1.clone(),
            Piece::OutputFile(name) => places.files.get(name).ok_or_else(|| missing(name))?.clone(),
            Piece::ExecutorInput => shown(&self.executor_input(places)),
        })
    }

    /// What `{{$}}` is: the launcher's `ExecutorInput`.
    pub fn executor_input(&self, places: &Places) -> Value {
        let typed = |title: &str| json!({"schemaTitle": title, "schemaVersion": "0.0.1"});
        let inputs: Map<String, Value> = self
            .artifacts
            .iter()
            .map(|(name, all)| {
                let one = |artifact: &Artifact| {
                    json!({
                        "name": name, "uri": artifact.uri, "type": typed(&artifact.title),
                        "metadata": artifact.metadata,
                    })
                };
                (
                    name.clone(),
                    json!({"artifacts": all.iter().map(one).collect::<Value>()}),
                )
            })
            .collect();
        let outputs: Map<String, Value> = places
            .artifacts
            .iter()
            .map(|(name, (_, uri))| {
                let title = self
                    .face
                    .products
                    .get(name)
                    .map_or("", |product| &product.kind.title);
                let one = json!({"name": name, "uri": uri, "type": typed(title), "metadata": {}});
                (name.clone(), json!({"artifacts": [one]}))
            })
            .collect();
        let files: Map<String, Value> = places
            .files
            .iter()
            .map(|(name, file)| (name.clone(), json!({"outputFile": file})))
            .collect();
        json!({
            "inputs": {"parameterValues": self.parameters, "artifacts": inputs},
            "outputs": {"parameters": files, "artifacts": outputs, "outputFile": places.executor_output},
        })
    }

    /// By what the result is known again: what runs and what it is given, artifacts by content. Unlike the
    /// server's, the key has the environment in it; `image` is the image's digest where it is known.
    pub fn cache_key(&self, pipeline: &str, image: &str) -> Option<String> {
        let content = match &self.cache {
            Cache::Off => return None,
            Cache::Key(key) => json!({"pipeline": pipeline, "key": key}),
            Cache::On => {
                let words =
                    |all: &[Argument]| all.iter().map(|one| Value::from(one.render())).collect::<Value>();
                let digests =
                    |all: &Vec<Artifact>| all.iter().map(|one| Value::from(one.digest.as_str())).collect();
                let artifacts: BTreeMap<&String, Value> = self
                    .artifacts
                    .iter()
                    .map(|(name, all)| (name, digests(all)))
                    .collect();
                let parameters: BTreeMap<&String, String> = self
                    .parameters
                    .iter()
                    .map(|(name, value)| (name, shown(value)))
                    .collect();
                json!({
                    "pipeline": pipeline,
                    "image": image,
                    "command": words(&self.container.command),
                    "args": words(&self.container.args),
                    "env": self.container.env,
                    "parameters": parameters,
                    "artifacts": artifacts,
                    "outputs": [
                        self.face.results.keys().collect::<Vec<_>>(),
                        self.face.products.keys().collect::<Vec<_>>(),
                    ],
                })
            }
        };
        Some(contract::sha256_hex(shown(&content).as_bytes()))
    }
}

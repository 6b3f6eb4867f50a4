//! IR 2.1.0 as YAML: the pipeline, then the platform document.

mod container;
mod dag;
mod platform;
mod yaml;

pub(crate) use yaml::quoted;

use crate::check::{Level, check};
use crate::model::{Body, Face, Input, Pipeline};
use crate::problem::Problems;
use crate::value;
use serde_json::{Map, Value, json};

/// A pipeline as it is uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Two YAML documents, or one where there is nothing about Kubernetes.
    pub text: String,
    /// Name of the version: the first 12 digits of the text's SHA-256, after `sha256-`.
    pub version: String,
}

impl Pipeline {
    /// Writes the pipeline. The same pipeline is the same bytes.
    ///
    /// # Errors
    /// What no engine could run ([`Level::Runnable`]); what is built by [`crate::build`] has been checked
    /// for more.
    pub fn emit(&self) -> Result<Document, Problems> {
        check(self, Level::Runnable)?;
        let mut text = yaml::document(&pipeline(self));
        if let Some(platform) = platform::document(self) {
            text += "---\n";
            text += &yaml::document(&platform);
        }
        let digest = contract::sha256_hex(text.as_bytes());
        let digits = digest.trim_start_matches("sha256:");
        let version = format!("sha256-{}", &digits[..12]);
        Ok(Document { text, version })
    }
}

fn pipeline(pipeline: &Pipeline) -> Value {
    let mut components = Map::new();
    let mut executors = Map::new();
    for (name, component) in &pipeline.components {
        let mut said = face(&component.face);
        match &component.body {
            Body::Dag(dag) => {
                said.insert("dag".to_owned(), dag::dag(dag, pipeline));
            }
            Body::Container(container) => {
                let label = executor(name);
                said.insert("executorLabel".to_owned(), json!(label));
                executors.insert(label, json!({"container": container::container(container)}));
            }
        }
        components.insert(self::component(name), Value::Object(said));
    }
    let mut info = Map::from_iter([("name".to_owned(), json!(pipeline.name))]);
    put(&mut info, "displayName", pipeline.display_name.as_ref());
    put(&mut info, "description", pipeline.description.as_ref());
    let mut root = face(&pipeline.face);
    root.insert("dag".to_owned(), dag::dag(&pipeline.dag, pipeline));
    json!({
        "components": components,
        "deploymentSpec": {"executors": executors},
        "pipelineInfo": info,
        "root": root,
        "schemaVersion": "2.1.0",
    })
}

/// As IR names a component.
fn component(name: &str) -> String {
    format!("comp-{name}")
}

/// As IR names its executor.
fn executor(name: &str) -> String {
    format!("exec-{name}")
}

/// A field, where there is one.
fn put<T: Into<Value> + Clone>(object: &mut Map<String, Value>, field: &str, value: Option<&T>) {
    if let Some(value) = value {
        object.insert(field.to_owned(), value.clone().into());
    }
}

/// A field, where it is not empty.
fn fill(object: &mut Map<String, Value>, field: &str, inner: Map<String, Value>) {
    if !inner.is_empty() {
        object.insert(field.to_owned(), Value::Object(inner));
    }
}

/// Entries of a map, each made by `make`.
fn entries<'a, T: 'a>(
    all: impl IntoIterator<Item = (&'a String, &'a T)>,
    make: impl Fn(&T) -> Value,
) -> Map<String, Value> {
    all.into_iter()
        .map(|(name, one)| (name.clone(), make(one)))
        .collect()
}

fn face(face: &Face) -> Map<String, Value> {
    let mut inputs = Map::new();
    fill(&mut inputs, "parameters", entries(&face.parameters, parameter));
    let artifacts = entries(&face.artifacts, |one| {
        artifact(&one.kind, one.list, one.optional, one.description.as_ref())
    });
    fill(&mut inputs, "artifacts", artifacts);
    let mut outputs = Map::new();
    let results = entries(&face.results, |one| {
        let mut said = Map::from_iter([("parameterType".to_owned(), json!(one.kind.word()))]);
        put(&mut said, "description", one.description.as_ref());
        Value::Object(said)
    });
    fill(&mut outputs, "parameters", results);
    let products = entries(&face.products, |one| {
        artifact(&one.kind, one.list, false, one.description.as_ref())
    });
    fill(&mut outputs, "artifacts", products);
    let mut said = Map::new();
    fill(&mut said, "inputDefinitions", inputs);
    fill(&mut said, "outputDefinitions", outputs);
    said
}

fn parameter(input: &Input) -> Value {
    let mut said = Map::from_iter([("parameterType".to_owned(), json!(input.kind.word()))]);
    if let Some(default) = &input.default {
        said.insert("defaultValue".to_owned(), value::doubles(default));
    }
    if input.optional {
        said.insert("isOptional".to_owned(), json!(true));
    }
    if !input.literals.is_empty() {
        let literals = input.literals.iter().map(value::doubles).collect();
        said.insert("literals".to_owned(), literals);
    }
    put(&mut said, "description", input.description.as_ref());
    Value::Object(said)
}

fn artifact(
    kind: &crate::kind::ArtifactType,
    list: bool,
    optional: bool,
    description: Option<&String>,
) -> Value {
    let kind = json!({"schemaTitle": kind.title, "schemaVersion": kind.version});
    let mut said = Map::from_iter([("artifactType".to_owned(), kind)]);
    for (field, yes) in [("isArtifactList", list), ("isOptional", optional)] {
        if yes {
            said.insert(field.to_owned(), json!(true));
        }
    }
    put(&mut said, "description", description);
    Value::Object(said)
}

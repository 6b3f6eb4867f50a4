//! IR read back into the definition: ours, and what the Python SDK compiles.

mod container;
mod dag;
mod face;
mod fields;
mod platform;
mod yaml;

use crate::check::{Level, check};
use crate::kubernetes::Kubernetes;
use crate::model::{Body, Component, Lifetime, Pipeline};
use crate::problem::{Problem, Problems};
use fields::Fields;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Largest text that is read, as large as the server takes.
const BYTES_MAX: usize = 32 << 20;

/// Why a text is no pipeline that can be run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is no YAML. It must never be sent: the 2.17.0 server would loop on it for ever.
    #[error("line {line}, column {column}: {what}")]
    Syntax {
        /// From 1; 0 where the reader does not say.
        line: usize,
        /// From 1.
        column: usize,
        /// What the reader found.
        what: String,
    },
    /// It is larger than the server takes.
    #[error("{bytes} bytes; the server takes {BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It is no pipeline, or one with parts that we do not run: each by its path in the document.
    #[error("{0}")]
    Unsupported(Problems),
    /// It can be read, but no engine could run it.
    #[error("{0}")]
    Wrong(Problems),
}

impl Pipeline {
    /// Reads a pipeline: one YAML document, or two with Kubernetes' part.
    ///
    /// # Errors
    /// Bad YAML with its line; everything that is unknown or not supported by its path.
    pub fn read(text: &str) -> Result<Pipeline, ReadError> {
        if text.len() > BYTES_MAX {
            return Err(ReadError::TooLarge { bytes: text.len() });
        }
        let mut found = Vec::new();
        let documents = yaml::documents(text, &mut found)?;
        let pipeline = sorted(documents, &mut found)
            .and_then(|(pipeline, platform)| self::pipeline(pipeline, platform, &mut found));
        match pipeline {
            Some(pipeline) if found.is_empty() => {
                check(&pipeline, Level::Runnable).map_err(ReadError::Wrong)?;
                Ok(pipeline)
            }
            _ => Err(ReadError::Unsupported(Problems(found))),
        }
    }
}

/// The pipeline's document and the platform's, in either order.
fn sorted(documents: Vec<Value>, found: &mut Vec<Problem>) -> Option<(Value, Option<Value>)> {
    let (mut pipelines, mut platforms) = (Vec::new(), Vec::new());
    for document in documents {
        if document.get("platforms").is_some() {
            platforms.push(document);
        } else {
            pipelines.push(document);
        }
    }
    if pipelines.len() == 1 && platforms.len() < 2 {
        return Some((pipelines.remove(0), platforms.pop()));
    }
    found.push(Problem {
        path: Vec::new(),
        what: format!(
            "{} documents with a pipeline and {} with a platform; expected one, and one at most",
            pipelines.len(),
            platforms.len()
        ),
    });
    None
}

/// Keeps what is wrong, and goes on.
fn kept<T>(result: Result<T, Problem>, found: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|problem| found.push(problem)).ok()
}

fn pipeline(document: Value, platform: Option<Value>, found: &mut Vec<Problem>) -> Option<Pipeline> {
    let mut fields = kept(Fields::new(String::new(), document), found)?;
    let (pods, lifetime) = match platform {
        Some(platform) => kept(platform::read(platform, found), found)?,
        None => (BTreeMap::new(), Lifetime::default()),
    };
    let head = head(&mut fields);
    let (name, display_name, description) = kept(head, found)?;
    let components = kept(fields.entries("components"), found)?;
    let executors = kept(executors(&mut fields), found)?;
    let root = kept(
        fields
            .required("root")
            .and_then(|(path, value)| Fields::new(path, value)),
        found,
    );
    kept(fields.end(), found);
    let components = self::components(components, executors, pods, found);
    let (face, body) = kept(component(root?, found), found)?;
    match body {
        Read::Dag(dag) => Some(Pipeline {
            name,
            display_name,
            description,
            face,
            dag,
            components,
            lifetime,
        }),
        Read::Executor(_) => {
            found.push(fields::problem("root", "expected `dag`"));
            None
        }
    }
}

type Head = (String, Option<String>, Option<String>);

fn head(fields: &mut Fields) -> Result<Head, Problem> {
    let version = fields.text("schemaVersion")?;
    if version != "2.1.0" {
        let what = format!("{version:?} is not supported; expected 2.1.0");
        return Err(fields::problem("schemaVersion", what));
    }
    fields.optional_text("sdkVersion")?;
    fields.optional_text("defaultPipelineRoot")?;
    let mut info = fields.object("pipelineInfo")?;
    let head = (
        info.text("name")?,
        info.note("displayName")?,
        info.note("description")?,
    );
    info.end()?;
    Ok(head)
}

fn executors(fields: &mut Fields) -> Result<BTreeMap<String, (String, Value)>, Problem> {
    let Some(mut spec) = fields.optional_object("deploymentSpec")? else {
        return Ok(BTreeMap::new());
    };
    let executors = spec.entries("executors")?;
    spec.end()?;
    Ok(executors
        .into_iter()
        .map(|(label, path, value)| (label, (path, value)))
        .collect())
}

enum Read {
    Dag(crate::model::Dag),
    Executor(String),
}

/// A component, or the root.
fn component(mut fields: Fields, found: &mut Vec<Problem>) -> Result<(crate::model::Face, Read), Problem> {
    let face = face::face(&mut fields)?;
    let path = fields.path.clone();
    let body = match (
        fields.optional_object("dag")?,
        fields.optional_text("executorLabel")?,
    ) {
        (Some(dag), None) => Read::Dag(dag::dag(dag, found)?),
        (None, Some(label)) => Read::Executor(label),
        _ => {
            return Err(fields::problem(
                &path,
                "expected one of `dag` and `executorLabel`",
            ));
        }
    };
    fields.end()?;
    Ok((face, body))
}

type Entry = (String, String, Value);

fn components(
    all: Vec<Entry>,
    mut executors: BTreeMap<String, (String, Value)>,
    mut pods: BTreeMap<String, Kubernetes>,
    found: &mut Vec<Problem>,
) -> BTreeMap<String, Component> {
    let mut components = BTreeMap::new();
    let mut used = BTreeSet::new();
    for (name, path, value) in all {
        let read = Fields::new(path.clone(), value).and_then(|fields| component(fields, found));
        let Some((face, body)) = kept(read, found) else {
            continue;
        };
        let body = match body {
            Read::Dag(dag) => Body::Dag(dag),
            Read::Executor(label) => {
                let Some((path, executor)) = executors.get(&label).cloned() else {
                    let what = format!("there is no executor {label:?}");
                    found.push(fields::problem(&format!("{path}.executorLabel"), what));
                    continue;
                };
                let container = kept(container::executor(path, executor), found);
                let Some(mut container) = container else { continue };
                container.kubernetes = pods.get(&label).cloned().unwrap_or_default();
                used.insert(label);
                Body::Container(Box::new(container))
            }
        };
        let short = dag::component_name(&name);
        if components.insert(short, Component { face, body }).is_some() {
            found.push(fields::problem(
                &path,
                "another component has this name without its prefix",
            ));
        }
    }
    executors.retain(|label, _| !used.contains(label));
    pods.retain(|label, _| !used.contains(label));
    // A component that could not be read leaves its executor over: one line is enough.
    if found.is_empty() {
        for label in executors.keys() {
            let path = format!("deploymentSpec.executors.{label}");
            found.push(fields::problem(&path, "no component has this executor"));
        }
        for label in pods.keys() {
            let path = format!("platforms.kubernetes.deploymentSpec.executors.{label}");
            found.push(fields::problem(&path, "no component has this executor"));
        }
    }
    components
}

//! Makes a [`Pipeline`] from typed handles.
//!
//! A value can only be had from where it comes from: a parameter of the run, or an output of a task that has
//! been added. Types of inputs and what they are given are compared by the compiler:
//!
//! ```
//! use kfp::build::{Builder, Step};
//! use kfp::kind::{Dataset, Integer};
//!
//! let mut load = Step::new("load", "trainer:1", 600);
//! let seed = load.input::<Integer>("seed");
//! let rows = load.output_artifact::<Dataset>("rows");
//! load.command(["/trainer", "load", "--seed"]).arg(&seed).arg("--out").arg(&rows);
//!
//! let mut pipeline = Builder::new("retrain");
//! let number = pipeline.parameter_or::<Integer>("seed", 42);
//! let loaded = pipeline.task("load", &load).set(&seed, &number).add();
//! let _table = loaded.artifact(&rows);
//! let document = pipeline.build().unwrap().emit().unwrap();
//! assert!(document.text.contains("componentInputParameter: seed"));
//! ```
//!
//! ```compile_fail
//! # use kfp::build::{Builder, Step};
//! # use kfp::kind::{Integer, Text};
//! # let mut load = Step::new("load", "trainer:1", 600);
//! # let seed = load.input::<Integer>("seed");
//! # let mut pipeline = Builder::new("retrain");
//! let word = pipeline.parameter::<Text>("word");
//! pipeline.task("load", &load).set(&seed, &word).add(); // a text is no number
//! ```

mod branches;
mod groups;
mod handle;
mod step;
mod task;
mod test;

pub use branches::Branches;
pub use handle::{Art, Given, Group, Param, TaskHandle};
pub use step::{ArtIn, ArtOut, In, Out, Step, if_present, text};
pub use task::TaskBuilder;
pub use test::{Constant, Test, all, any, not};

use crate::check::{Level, check};
use crate::kind::{Dynamic, Kind, Parameter};
use crate::model::{
    ArtifactSource, Component, Dag, Face, Input, Lifetime, Pipeline, Selected, Source, TaskOutput,
};
use crate::problem::{Problem, Problems};
use handle::{Origin, Place};
use serde_json::Value;
use std::collections::BTreeMap;

/// A DAG that is being made.
struct Scope {
    id: usize,
    /// Key of the task that it will be.
    key: String,
    face: Face,
    dag: Dag,
    /// Where what it takes from around it comes from.
    parameters: BTreeMap<String, Source>,
    artifacts: BTreeMap<String, ArtifactSource>,
    looped: bool,
}

/// Makes a pipeline.
pub struct Builder {
    name: String,
    display_name: Option<String>,
    description: Option<String>,
    lifetime: Lifetime,
    components: BTreeMap<String, Component>,
    scopes: Vec<Scope>,
    made: usize,
    problems: Vec<Problem>,
}

impl Builder {
    /// A pipeline of this name: lower-case letters, digits and '-'.
    pub fn new(name: &str) -> Self {
        let mut builder = Builder {
            name: name.to_owned(),
            display_name: None,
            description: None,
            lifetime: Lifetime::default(),
            components: BTreeMap::new(),
            scopes: Vec::new(),
            made: 0,
            problems: Vec::new(),
        };
        builder.open("", false);
        builder
    }

    /// Names it for people.
    pub fn display_name(&mut self, text: &str) -> &mut Self {
        self.display_name = said(text);
        self
    }

    /// Says what it does.
    pub fn description(&mut self, text: &str) -> &mut Self {
        self.description = said(text);
        self
    }

    /// How long runs are kept.
    pub fn lifetime(&mut self, lifetime: Lifetime) -> &mut Self {
        self.lifetime = lifetime;
        self
    }

    /// A parameter that every run must give.
    pub fn parameter<K: Parameter>(&mut self, name: &str) -> Param<K> {
        self.root_input(name, Input::new(K::KIND))
    }

    /// A parameter with a default.
    pub fn parameter_or<K: Parameter>(&mut self, name: &str, default: impl Into<K::Constant>) -> Param<K> {
        let default: K::Constant = default.into();
        self.root_input(name, Input::or(K::KIND, default.into()))
    }

    /// A parameter whose type is known at run time only.
    pub fn parameter_of(&mut self, name: &str, kind: Kind, default: Option<Value>) -> Param<Dynamic> {
        let input = default.map_or_else(|| Input::new(kind), |default| Input::or(kind, default));
        self.root_input(name, input)
    }

    /// Says what a parameter of the run is.
    pub fn describe<K>(&mut self, parameter: &Param<K>, text: &str) -> &mut Self {
        match &parameter.place.origin {
            Origin::Input(name) if parameter.place.scope == self.scopes[0].id => {
                if let Some(input) = self.scopes[0].face.parameters.get_mut(name) {
                    input.description = said(text);
                }
            }
            _ => self.problem("describe", "expected a parameter of the run"),
        }
        self
    }

    /// The pipeline, checked for all that we know of.
    ///
    /// # Errors
    /// Everything that is wrong, with paths.
    pub fn build(mut self) -> Result<Pipeline, Problems> {
        let root = self.scopes.pop().expect("the root is never closed");
        let pipeline = Pipeline {
            name: self.name,
            display_name: self.display_name,
            description: self.description,
            face: root.face,
            dag: root.dag,
            components: self.components,
            lifetime: self.lifetime,
        };
        if !self.problems.is_empty() {
            return Err(Problems(self.problems));
        }
        check(&pipeline, Level::Ours)?;
        Ok(pipeline)
    }

    fn root_input<K>(&mut self, name: &str, input: Input) -> Param<K> {
        let kind = input.kind;
        let root = &mut self.scopes[0];
        if root.face.parameters.insert(name.to_owned(), input).is_some() {
            self.problem(&format!("input {name}"), "there are two of this name");
        }
        let origin = Origin::Input(name.to_owned());
        Param::new(
            Place {
                scope: self.scopes[0].id,
                origin,
            },
            kind,
        )
    }

    fn problem(&mut self, place: &str, what: &str) {
        let mut path = vec![format!("pipeline {}", self.name)];
        path.extend(
            self.scopes
                .iter()
                .skip(1)
                .map(|scope| format!("task {}", scope.key)),
        );
        path.push(place.to_owned());
        self.problems.push(Problem {
            path,
            what: what.to_owned(),
        });
    }

    fn open(&mut self, key: &str, looped: bool) -> usize {
        let id = self.made;
        self.made += 1;
        self.scopes.push(Scope {
            id,
            key: key.to_owned(),
            face: Face::default(),
            dag: Dag::default(),
            parameters: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            looped,
        });
        id
    }

    fn here(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("the root is never closed")
    }

    /// Where a parameter comes from, seen from the scope at `level`; scopes between pass it on.
    fn resolve(&mut self, level: usize, place: &Place, kind: Kind) -> Option<Source> {
        if self.scopes[level].id == place.scope {
            return Some(match &place.origin {
                Origin::Input(input) => Source::Parent {
                    input: input.clone(),
                    field: None,
                },
                Origin::Output(from) => Source::Task {
                    from: from.clone(),
                    field: None,
                },
            });
        }
        if level == 0 {
            return self.unreachable(place);
        }
        let outer = self.resolve(level - 1, place, kind)?;
        let scope = &mut self.scopes[level];
        let channel = free(&place.channel(), |name| {
            scope.parameters.get(name).is_some_and(|other| *other != outer)
                || (scope.face.parameters.contains_key(name) && !scope.parameters.contains_key(name))
                || scope.artifacts.contains_key(name)
        });
        scope
            .face
            .parameters
            .entry(channel.clone())
            .or_insert_with(|| Input::new(kind));
        scope.parameters.insert(channel.clone(), outer);
        Some(Source::Parent {
            input: channel,
            field: None,
        })
    }

    fn resolve_artifact(&mut self, level: usize, art: &handle::AnyArt) -> Option<ArtifactSource> {
        if self.scopes[level].id == art.place.scope {
            return Some(match &art.place.origin {
                Origin::Input(input) => ArtifactSource::Parent(input.clone()),
                Origin::Output(from) => ArtifactSource::Task(from.clone()),
            });
        }
        if level == 0 {
            return self.unreachable(&art.place);
        }
        let outer = self.resolve_artifact(level - 1, art)?;
        let scope = &mut self.scopes[level];
        let channel = free(&art.place.channel(), |name| {
            scope.artifacts.get(name).is_some_and(|other| *other != outer)
                || scope.face.parameters.contains_key(name)
        });
        scope
            .face
            .artifacts
            .entry(channel.clone())
            .or_insert_with(|| art.input());
        scope.artifacts.insert(channel.clone(), outer);
        Some(ArtifactSource::Parent(channel))
    }

    fn unreachable<T>(&mut self, place: &Place) -> Option<T> {
        let what = format!(
            "{} is not to be had here: it is inside of a condition or loop (export it), or of another pipeline",
            place.shown()
        );
        self.problem("value", &what);
        None
    }

    fn level(&self) -> usize {
        self.scopes.len() - 1
    }

    /// Makes an output of the DAG that is being made come from there.
    fn leave(&mut self, name: &str, from: Selected, artifact: bool) {
        let dag = &mut self.here().dag;
        let all = if artifact {
            &mut dag.products
        } else {
            &mut dag.results
        };
        if all.insert(name.to_owned(), from).is_some() {
            self.problem(&format!("output {name}"), "there are two of this name");
        }
    }

    /// The task's output that a place of this very scope is.
    fn own_output(&mut self, place: &Place) -> Option<TaskOutput> {
        match &place.origin {
            Origin::Output(from) if place.scope == self.here().id => Some(from.clone()),
            _ => {
                let what = format!("{} is not left by a task right here", place.shown());
                self.problem("export", &what);
                None
            }
        }
    }
}

/// An empty text is none: the messages cannot tell them apart.
fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The name, or the name with the first number that is free.
fn free(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .find(|name| !taken(name))
        .expect("numbers do not end")
}

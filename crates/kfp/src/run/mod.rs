//! Runs a pipeline, as a value: which steps can start, given how others ended. Who starts them is elsewhere.
//!
//! All that a run knows is how its steps ended, so a run that was cut off goes on when it is told that again.

mod condition;
mod launch;
mod values;
mod walk;

pub use launch::{Artifact, Launch, Places};
pub use values::{parse, shown};

use crate::check::{Level, check};
use crate::kind::Kind;
use crate::model::Pipeline;
use crate::problem::{Found, Problem, Problems};
use crate::value;
use serde_json::Value;
use std::collections::BTreeMap;

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// With what it left.
    Succeeded(Left),
    /// For good, after all its attempts; with the last thing it said.
    Failed(String),
}

/// What a step, a group or a run left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Left {
    /// Output parameters.
    pub parameters: BTreeMap<String, Value>,
    /// Output artifacts; several where a loop left them.
    pub artifacts: BTreeMap<String, Vec<Artifact>>,
}

/// What the run knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its id.
    pub run_id: String,
    /// Its name for people.
    pub run_name: String,
    /// When it began, RFC 3339.
    pub created: String,
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Some steps have not ended.
    Running,
    /// All is done.
    Succeeded(Left),
    /// Steps have failed: by path, with what they said. All that could still run has run.
    Failed(Vec<(String, String)>),
}

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    pipeline: Pipeline,
    parameters: BTreeMap<String, Value>,
    facts: Facts,
    ended: BTreeMap<String, End>,
}

impl Run {
    /// A run with these parameters, of which none has ended.
    ///
    /// # Errors
    /// What no engine could run; a parameter that is unknown, missing or of another type.
    pub fn new(pipeline: Pipeline, given: BTreeMap<String, Value>, facts: Facts) -> Result<Run, Problems> {
        check(&pipeline, Level::Runnable)?;
        let parameters = parameters(&pipeline, given)?;
        Ok(Run {
            pipeline,
            parameters,
            facts,
            ended: BTreeMap::new(),
        })
    }

    /// Says how a step ended; the path is its [`Launch::path`].
    pub fn end(&mut self, path: &str, end: End) {
        self.ended.insert(path.to_owned(), end);
    }

    /// How steps have ended so far, by path.
    pub fn ended(&self) -> &BTreeMap<String, End> {
        &self.ended
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Steps that can run now and have not ended, and how the run stands.
    pub fn look(&self) -> (Vec<Launch>, State) {
        walk::walk(self)
    }
}

/// The parameters of a run, with defaults, checked as the server does and more strictly.
///
/// # Errors
/// A parameter that is unknown, missing or of another type.
pub fn parameters(
    pipeline: &Pipeline,
    given: BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, Problems> {
    let mut all: Vec<Problem> = Vec::new();
    let mut found = Found::new(format!("run of {}", pipeline.name), &mut all);
    let mut parameters = BTreeMap::new();
    for (name, input) in &pipeline.face.parameters {
        if let Some(default) = &input.default {
            parameters.insert(name.clone(), default.clone());
        } else if !input.optional && !given.contains_key(name) {
            let what = format!("is required; expected {}", input.kind);
            found.at(format!("parameter {name}")).say(what);
        }
    }
    for (name, value) in given {
        let mut found = found.at(format!("parameter {name}"));
        let Some(input) = pipeline.face.parameters.get(&name) else {
            let known: Vec<&str> = pipeline.face.parameters.keys().map(String::as_str).collect();
            found.say(format!("is unknown; expected one of {}", known.join(", ")));
            continue;
        };
        let value = value::canonical(value);
        if !input.kind.fits(&value) {
            found.say(format!("expects {}, is given {value}", input.kind));
        }
        if let Some(why) = value::trouble(&value) {
            found.say(why);
        }
        if !input.literals.is_empty() && !input.literals.contains(&value) {
            found.say(format!("{value} is none of its values"));
        }
        parameters.insert(name, value);
    }
    if all.is_empty() {
        Ok(parameters)
    } else {
        Err(Problems(all))
    }
}

/// Kind of an output, as an error says it.
fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::FinalStatus => "text",
        Kind::Integer => "a whole number",
        Kind::Double => "a number",
        Kind::Boolean => "true or false",
        Kind::List => "a list as JSON",
        Kind::Struct => "an object as JSON",
    }
}

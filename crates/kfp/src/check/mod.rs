//! What is wrong with a pipeline, before anything is sent. The server takes nearly every broken document and
//! fails when it runs, or hangs.

mod container;
mod dag;
mod sources;

pub(crate) use dag::before;

use crate::model::{Body, Component, Dag, Face, Input, Pipeline};
use crate::problem::{Found, Problem, Problems};
use crate::{names, value};
use std::collections::BTreeSet;

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What any engine needs to run it.
    Runnable,
    /// What we need besides, of pipelines that are ours: what Kubeflow Pipelines 2.17 does wrong silently.
    /// Deadlines, all inputs passed, equal types, retries that happen, a /tmp, no root.
    Ours,
}

/// Checks a pipeline.
///
/// # Errors
/// Everything that is wrong, with paths.
pub fn check(pipeline: &Pipeline, level: Level) -> Result<(), Problems> {
    let mut all: Vec<Problem> = Vec::new();
    let mut found = Found::new(format!("pipeline {}", pipeline.name), &mut all);
    if let Err(why) = names::pipeline(&pipeline.name) {
        found.say(why);
    } else if level == Level::Ours
        && let Err(why) = names::upload(&pipeline.name)
    {
        found.say(why);
    }
    for (field, text) in [
        ("display name", &pipeline.display_name),
        ("description", &pipeline.description),
    ] {
        if let Some(why) = text.as_deref().and_then(value::braces) {
            found.at(field).say(why);
        }
    }
    face(&pipeline.face, &mut found);
    let world = World { pipeline, level };
    world.dag(&pipeline.face, &pipeline.dag, &mut found);
    for (name, component) in &pipeline.components {
        let mut found = found.at(format!("component {name}"));
        if let Err(why) = names::slot(name) {
            found.say(why);
        }
        face(&component.face, &mut found);
        match &component.body {
            Body::Dag(dag) => world.dag(&component.face, dag, &mut found),
            Body::Container(container) => container::check(container, &component.face, level, &mut found),
        }
    }
    world.nesting(&mut found);
    if all.is_empty() {
        return Ok(());
    }
    Err(Problems(all))
}

/// What every check sees.
#[derive(Clone, Copy)]
struct World<'a> {
    pipeline: &'a Pipeline,
    level: Level,
}

impl World<'_> {
    fn component(&self, name: &str) -> Option<&Component> {
        self.pipeline.components.get(name)
    }

    /// A component that is inside of itself would never end; one that is nowhere is a mistake.
    fn nesting(&self, found: &mut Found<'_>) {
        let mut seen = BTreeSet::new();
        self.descend(&self.pipeline.dag, &mut Vec::new(), &mut seen, found);
        for name in self
            .pipeline
            .components
            .keys()
            .filter(|name| !seen.contains(*name))
        {
            found
                .at(format!("component {name}"))
                .say("no task runs it; expected one, or no such component");
        }
    }

    fn descend<'a>(
        &'a self,
        dag: &'a Dag,
        above: &mut Vec<&'a str>,
        seen: &mut BTreeSet<String>,
        found: &mut Found<'_>,
    ) {
        for task in dag.tasks.values() {
            let name = task.component.as_str();
            if above.contains(&name) {
                found
                    .at(format!("component {name}"))
                    .say(format!("is inside of itself: {} → {name}", above.join(" → ")));
                continue;
            }
            // A second look at the same component finds nothing new, unless it is above itself.
            if !seen.insert(name.to_owned()) {
                continue;
            }
            if let Some(Body::Dag(inner)) = self.component(name).map(|component| &component.body) {
                above.push(name);
                self.descend(inner, above, seen, found);
                above.pop();
            }
        }
    }
}

fn face(face: &Face, found: &mut Found<'_>) {
    for (name, input) in &face.parameters {
        let mut found = found.at(format!("input {name}"));
        self::name(name, &mut found);
        input_parameter(input, &mut found);
    }
    for (name, input) in &face.artifacts {
        let mut found = found.at(format!("input {name}"));
        self::name(name, &mut found);
        if face.parameters.contains_key(name) {
            found.say("is a parameter and an artifact; expected one of both");
        }
        title(&input.kind.title, &mut found);
        text(input.description.as_deref(), &mut found);
    }
    for (name, output) in &face.results {
        let mut found = found.at(format!("output {name}"));
        self::name(name, &mut found);
        text(output.description.as_deref(), &mut found);
    }
    for (name, output) in &face.products {
        let mut found = found.at(format!("output {name}"));
        self::name(name, &mut found);
        if face.results.contains_key(name) {
            found.say("is a parameter and an artifact; expected one of both");
        }
        title(&output.kind.title, &mut found);
        text(output.description.as_deref(), &mut found);
    }
}

fn input_parameter(input: &Input, found: &mut Found<'_>) {
    if let Some(default) = &input.default {
        if !input.kind.fits(default) {
            found.say(format!("the default {default} is no {}", input.kind));
        }
        if !input.optional {
            found.say("has a default but is required; expected it to be optional");
        }
        if let Some(why) = value::trouble(default) {
            found.say(why);
        }
    }
    for literal in &input.literals {
        if !input.kind.fits(literal) {
            found.say(format!("the literal {literal} is no {}", input.kind));
        }
        if let Some(why) = value::trouble(literal) {
            found.say(why);
        }
    }
    text(input.description.as_deref(), found);
}

fn name(name: &str, found: &mut Found<'_>) {
    if let Err(why) = names::slot(name) {
        found.say(why);
    }
}

fn title(title: &str, found: &mut Found<'_>) {
    if title.is_empty() || title.contains("{{") {
        found.say(format!(
            "{title:?} is no type of artifact; expected e.g. system.Dataset"
        ));
    }
}

fn text(text: Option<&str>, found: &mut Found<'_>) {
    if let Some(why) = text.and_then(value::braces) {
        found.say(why);
    }
}

//! Checks of where a task's inputs come from.

use super::Level;
use super::dag::Inside;
use crate::argument::{Argument, Piece, Template};
use crate::container::Container;
use crate::kind::Kind;
use crate::kubernetes::Named;
use crate::model::{ArtifactOutput, ArtifactSource, Body, Component, Source, Task, TaskOutput};
use crate::problem::Found;
use crate::{names, value};

pub(super) fn inputs(inside: &Inside<'_>, task: &Task, component: &Component, found: &mut Found<'_>) {
    for (name, input) in &component.face.parameters {
        let mut found = found.at(format!("input {name}"));
        let item = task.each.as_ref().is_some_and(|each| each.item == *name);
        match task.parameters.get(name) {
            Some(_) if item => found.say("is the loop's item; expected nothing else for it"),
            Some(source) => parameter(inside, task, source, Some(input.kind), &mut found),
            None if item => {}
            None if !input.optional => found.say("is required, but the task is not given it"),
            None => omitted(inside, name, component, &mut found),
        }
    }
    for (name, source) in &task.parameters {
        if component.face.parameters.contains_key(name) {
            continue;
        }
        let mut found = found.at(format!("input {name}"));
        // The SDK passes what a text needs beside the text, undeclared.
        let used = |source: &Source| matches!(source, Source::Text(text) if mentions(text, name));
        if task.parameters.values().any(used) {
            parameter(inside, task, source, None, &mut found);
        } else {
            found.say(format!("component {} has no such input", task.component));
        }
    }
    for (name, input) in &component.face.artifacts {
        let mut found = found.at(format!("input {name}"));
        match task.artifacts.get(name) {
            None if input.optional => {}
            None => found.say("is required, but the task is not given it"),
            Some(source) => {
                let given = match source {
                    ArtifactSource::Parent(outer) => {
                        let outer_input = inside.face.artifacts.get(outer);
                        if outer_input.is_none() {
                            found.say(format!("there is no input artifact {outer:?} around it"));
                        }
                        outer_input.map(|outer| outer.kind.clone())
                    }
                    ArtifactSource::Task(from) => product(inside, from, &mut found).map(|one| one.kind),
                };
                if let Some(given) = given.filter(|given| !input.kind.takes(given)) {
                    found.say(format!("expects {}, is given {}", input.kind.title, given.title));
                }
            }
        }
    }
    for name in task.artifacts.keys() {
        if !component.face.artifacts.contains_key(name) {
            found
                .at(format!("input {name}"))
                .say(format!("component {} has no such input", task.component));
        }
    }
    if let Body::Container(container) = &component.body {
        objects(inside, container, found);
    }
}

/// What another task leaves.
pub(super) fn product(
    inside: &Inside<'_>,
    from: &TaskOutput,
    found: &mut Found<'_>,
) -> Option<ArtifactOutput> {
    let component = inside.producer(&from.task, found)?;
    let output = component.face.products.get(&from.output);
    if output.is_none() {
        found.say(format!(
            "task {} has no output artifact {:?}",
            from.task, from.output
        ));
    }
    output.cloned()
}

/// `expected` is none where the component does not say.
fn parameter(
    inside: &Inside<'_>,
    task: &Task,
    source: &Source,
    expected: Option<Kind>,
    found: &mut Found<'_>,
) {
    let given = match source {
        Source::Constant(constant) => {
            if let Some(why) = value::trouble(constant) {
                found.say(why);
            }
            if let Some(expected) = expected.filter(|expected| !expected.fits(constant)) {
                found.say(format!("expects {expected}, is given {constant}"));
            }
            None
        }
        Source::Text(text) => {
            self::text(task, text, found);
            Some(Kind::Text)
        }
        Source::Runtime(_) => Some(Kind::Text),
        Source::Parent { input, field } => {
            let outer = inside.face.parameters.get(input);
            if outer.is_none() {
                found.say(format!("there is no input parameter {input:?} around it"));
            }
            self::field(field.as_deref(), found);
            outer.map(|outer| outer.kind).filter(|_| field.is_none())
        }
        Source::Task { from, field } => {
            self::field(field.as_deref(), found);
            inside.result(from, found).filter(|_| field.is_none())
        }
        Source::FinalStatus(of) => {
            if !inside.dag.tasks.contains_key(of) {
                found.say(format!("there is no task {of:?} here"));
            }
            if !task.even_if_failed {
                found.say("only a task that runs even if others failed is told how one ended");
            }
            Some(Kind::FinalStatus)
        }
    };
    // The SDK takes a loop's items, whose types it does not know, for text.
    if inside.world.level == Level::Ours
        && let (Some(expected), Some(given)) = (expected, given)
        && expected != given
    {
        found.say(format!("expects {expected}, is given {given}"));
    }
}

fn text(task: &Task, text: &Template, found: &mut Found<'_>) {
    for piece in text.pieces() {
        match piece {
            Piece::Literal(text) => {
                if let Some(why) = value::braces(text) {
                    found.say(why);
                }
            }
            Piece::Parameter(name) if task.parameters.contains_key(name) => {}
            Piece::Parameter(name) => {
                found.say(format!("the text needs {name:?}, which the task is not given"))
            }
            _ => found.say("expected parameters alone inside of a text"),
        }
    }
    let parameters = text
        .pieces()
        .iter()
        .any(|piece| matches!(piece, Piece::Parameter(_)));
    if !parameters {
        found.say("is text without a parameter; expected a constant");
    }
}

fn field(field: Option<&str>, found: &mut Found<'_>) {
    if let Some(Err(why)) = field.map(names::slot) {
        found.say(why);
    }
}

fn mentions(text: &Template, name: &str) -> bool {
    text.pieces()
        .iter()
        .any(|piece| matches!(piece, Piece::Parameter(found) if found == name))
}

/// An optional input that nobody gave: the launcher fails on its placeholder, default or not.
fn omitted(inside: &Inside<'_>, name: &str, component: &Component, found: &mut Found<'_>) {
    let Body::Container(container) = &component.body else {
        return;
    };
    let needs = |word: &Argument| match word {
        Argument::Text(text) => mentions(text, name),
        Argument::IfPresent {
            input,
            then,
            otherwise,
        } => {
            (input != name && then.iter().any(|one| mentions(one, name)))
                || otherwise.iter().any(|one| mentions(one, name))
        }
    };
    if inside.world.level == Level::Ours && container.command.iter().chain(&container.args).any(needs) {
        found.say("is left out, but the command needs it: defaults of a container are never applied");
    }
}

/// Objects that are named by something around the task.
fn objects(inside: &Inside<'_>, container: &Container, found: &mut Found<'_>) {
    let pod = &container.kubernetes;
    let all = (pod
        .secret_env
        .iter()
        .chain(&pod.config_map_env)
        .map(|keys| &keys.object))
    .chain(
        pod.secret_volumes
            .iter()
            .chain(&pod.config_map_volumes)
            .map(|volume| &volume.object),
    )
    .chain(pod.claims.iter().map(|claim| &claim.object))
    .chain(&pod.pull_secrets);
    for object in all {
        let mut found = found.at("kubernetes");
        match object {
            Named::Constant(_) => {}
            Named::Parent(name) if inside.face.parameters.contains_key(name) => {}
            Named::Parent(name) => found.say(format!("there is no input parameter {name:?} around it")),
            Named::Task(from) => {
                inside.result(from, &mut found);
            }
        }
    }
}

//! Checks of tasks that depend on each other.

use super::{Level, World, sources};
use crate::condition::{Compare, DEPTH_MAX, Operand};
use crate::container::Retry;
use crate::kind::Kind;
use crate::model::{ArtifactSource, Body, Component, Dag, Face, Items, Selected, Source, Task, TaskOutput};
use crate::problem::Found;
use crate::{names, value};
use std::collections::{BTreeMap, BTreeSet};

/// A DAG with its inputs.
#[derive(Clone, Copy)]
pub(super) struct Inside<'a> {
    pub(super) world: World<'a>,
    pub(super) face: &'a Face,
    pub(super) dag: &'a Dag,
}

impl World<'_> {
    pub(super) fn dag(&self, face: &Face, dag: &Dag, found: &mut Found<'_>) {
        let inside = Inside {
            world: *self,
            face,
            dag,
        };
        if dag.tasks.is_empty() {
            found.say("has no tasks");
        } else if dag.tasks.values().all(|task| task.even_if_failed) {
            found.say("has exit tasks only; the server refuses that");
        }
        for (key, task) in &dag.tasks {
            inside.task(key, task, &mut found.at(format!("task {key}")));
        }
        inside.cycles(found);
        inside.outputs(found);
    }
}

impl Inside<'_> {
    fn task(&self, key: &str, task: &Task, found: &mut Found<'_>) {
        if let Err(why) = names::pipeline(key) {
            found.say(why);
        }
        if let Some(why) = task.display_name.as_deref().and_then(value::braces) {
            found.say(why);
        }
        for before in &task.after {
            if before == key || !self.dag.tasks.contains_key(before) {
                found.say(format!("comes after {before:?}, which is no other task here"));
            }
        }
        let Some(component) = self.world.component(&task.component) else {
            return found.say(format!("there is no component {:?}", task.component));
        };
        sources::inputs(self, task, component, found);
        self.condition(task, component, found);
        self.each(task, component, found);
        if let Some(retry) = &task.retry {
            retries(retry, component, self.world.level, &mut found.at("retry"));
        }
    }

    fn condition(&self, task: &Task, component: &Component, found: &mut Found<'_>) {
        let Some(when) = &task.when else { return };
        let mut found = found.at("condition");
        if !when.whole() || when.depth() > DEPTH_MAX {
            found.say(format!(
                "expected two parts at least in each && and ||, and {DEPTH_MAX} levels at most"
            ));
        }
        for (left, how, right) in when.comparisons() {
            let kinds = [left, right].map(|operand| {
                if let Operand::Text(text) = operand
                    && let Some(why) = value::braces(text)
                {
                    found.say(why);
                }
                if let Operand::Input { name, .. } = operand
                    && !task.parameters.contains_key(name)
                {
                    found.say(format!("reads {name:?}, which the task is not given"));
                }
                kind(operand, component)
            });
            if self.world.level == Level::Ours
                && let [Some(one), Some(other)] = kinds
            {
                comparable(one, how, other, &mut found);
            }
        }
    }

    fn each(&self, task: &Task, component: &Component, found: &mut Found<'_>) {
        let Some(each) = &task.each else { return };
        let mut found = found.at("loop");
        if each.parallelism == Some(0) {
            found.say("0 items at the same time; expected one at least");
        }
        let Some(item) = component.face.parameters.get(&each.item) else {
            return found.say(format!(
                "the item goes to {:?}, which is no input parameter of {}",
                each.item, task.component
            ));
        };
        if matches!(component.body, Body::Container(_)) && self.world.level == Level::Ours {
            found.say("is on a step; expected it on tasks of their own (a sub-DAG)");
        }
        match &each.items {
            Items::Constant(items) => {
                for (at, value) in items.iter().enumerate() {
                    let mut found = found.at(format!("item {}", at + 1));
                    if !item.kind.fits(value) {
                        found.say(format!("{value} is no {}", item.kind));
                    }
                    if let Some(why) = value::trouble(value) {
                        found.say(why);
                    }
                }
            }
            Items::Parameter(name) if !task.parameters.contains_key(name) => {
                found.say(format!("goes through {name:?}, which the task is not given"));
            }
            Items::Parameter(name) => {
                let kind = component.face.parameters.get(name).map(|input| input.kind);
                if self.world.level == Level::Ours && kind != Some(Kind::List) {
                    found.say(format!("goes through {name:?}; expected a LIST"));
                }
            }
        }
    }

    /// Tasks that wait for each other.
    fn cycles(&self, found: &mut Found<'_>) {
        let tasks = &self.dag.tasks;
        let mut waits: BTreeMap<&str, BTreeSet<&str>> = tasks
            .iter()
            .map(|(key, task)| {
                (
                    key.as_str(),
                    before(task)
                        .into_iter()
                        .filter(|name| tasks.contains_key(*name))
                        .collect(),
                )
            })
            .collect();
        loop {
            let ready: Vec<&str> = waits
                .iter()
                .filter(|(_, before)| before.is_empty())
                .map(|(key, _)| *key)
                .collect();
            if ready.is_empty() {
                break;
            }
            for key in &ready {
                waits.remove(key);
            }
            for before in waits.values_mut() {
                before.retain(|key| !ready.contains(key));
            }
        }
        if !waits.is_empty() {
            let names: Vec<&str> = waits.into_keys().collect();
            found.say(format!("tasks wait for each other: {}", names.join(", ")));
        }
    }

    fn outputs(&self, found: &mut Found<'_>) {
        for (name, output) in &self.face.results {
            let mut found = found.at(format!("output {name}"));
            let Some(selected) = self.dag.results.get(name) else {
                found.say("comes from nowhere");
                continue;
            };
            choice(selected, &mut found);
            for from in selected.all() {
                let kind = self.result(from, &mut found);
                // What a loop leaves is declared as the list that it becomes.
                if kind.is_some_and(|kind| kind != output.kind && output.kind != Kind::List) {
                    found.say(format!(
                        "expects {}, is given {}",
                        output.kind,
                        kind.map_or("nothing", Kind::word)
                    ));
                }
            }
        }
        for (name, output) in &self.face.products {
            let mut found = found.at(format!("output {name}"));
            let Some(selected) = self.dag.products.get(name) else {
                found.say("comes from nowhere");
                continue;
            };
            choice(selected, &mut found);
            for from in selected.all() {
                if let Some(product) = sources::product(self, from, &mut found)
                    && !output.kind.takes(&product.kind)
                {
                    found.say(format!(
                        "expects {}, is given {}",
                        output.kind.title, product.kind.title
                    ));
                }
            }
        }
        let all = self
            .dag
            .results
            .keys()
            .map(|name| (name, self.face.results.contains_key(name)));
        let all = all.chain(
            self.dag
                .products
                .keys()
                .map(|name| (name, self.face.products.contains_key(name))),
        );
        for (name, _) in all.filter(|(_, declared)| !declared) {
            found.at(format!("output {name}")).say("is not declared");
        }
    }

    /// Type of what another task leaves.
    pub(super) fn result(&self, from: &TaskOutput, found: &mut Found<'_>) -> Option<Kind> {
        let component = self.producer(&from.task, found)?;
        let output = component.face.results.get(&from.output);
        if output.is_none() {
            found.say(format!(
                "task {} has no output parameter {:?}",
                from.task, from.output
            ));
        }
        output.map(|output| output.kind)
    }

    pub(super) fn producer(&self, task: &str, found: &mut Found<'_>) -> Option<&Component> {
        let Some(task) = self.dag.tasks.get(task) else {
            found.say(format!("there is no task {task:?} here"));
            return None;
        };
        // An unknown component is said where the task is.
        self.world.component(&task.component)
    }
}

fn choice(selected: &Selected, found: &mut Found<'_>) {
    if let Selected::OneOf(several) = selected
        && several.len() < 2
    {
        found.say("is one of less than two outputs");
    }
}

/// Tasks that must have ended before this one.
pub(crate) fn before(task: &Task) -> BTreeSet<&str> {
    let parameters = task.parameters.values().filter_map(|source| match source {
        Source::Task { from, .. } => Some(from.task.as_str()),
        Source::FinalStatus(task) => Some(task.as_str()),
        _ => None,
    });
    let artifacts = task.artifacts.values().filter_map(|source| match source {
        ArtifactSource::Task(from) => Some(from.task.as_str()),
        ArtifactSource::Parent(_) => None,
    });
    let after = task.after.iter().map(String::as_str);
    parameters.chain(artifacts).chain(after).collect()
}

fn kind(operand: &Operand, component: &Component) -> Option<Kind> {
    match operand {
        Operand::Input { name, integer } => {
            let kind = component.face.parameters.get(name)?.kind;
            // Without int() an integer is a double for CEL.
            Some(if kind == Kind::Integer && !integer {
                Kind::Double
            } else {
                kind
            })
        }
        Operand::Text(_) => Some(Kind::Text),
        Operand::Integer(_) => Some(Kind::Integer),
        Operand::Double(_) => Some(Kind::Double),
        Operand::Boolean(_) => Some(Kind::Boolean),
    }
}

fn comparable(one: Kind, how: Compare, other: Kind, found: &mut Found<'_>) {
    let simple = [Kind::Text, Kind::Integer, Kind::Double, Kind::Boolean];
    let ordered = !matches!(how, Compare::Equal | Compare::Unequal);
    if one != other || !simple.contains(&one) || (ordered && one == Kind::Boolean) {
        found.say(format!("{one} {} {other} cannot be compared", how.sign()));
    }
}

fn retries(retry: &Retry, component: &Component, level: Level, found: &mut Found<'_>) {
    if retry
        .factor
        .is_some_and(|factor| !(factor.is_finite() && factor >= 0.0))
    {
        found.say("the factor is no number of 0 or more");
    }
    if level != Level::Ours {
        return;
    }
    let Body::Container(container) = &component.body else {
        return found.say("is on a sub-DAG; expected it on a step");
    };
    let Some(within) = retry.within else {
        return found.say("has no longest time; without it the server never retries");
    };
    let deadline = container.kubernetes.deadline_seconds.unwrap_or_default();
    let needed = deadline.saturating_mul(u64::from(retry.times) + 1);
    if within.as_secs() < needed {
        found.say(format!(
            "no attempt starts {} s after the first began, but {} attempts may take {needed} s",
            within.as_secs(),
            retry.times + 1
        ));
    }
}

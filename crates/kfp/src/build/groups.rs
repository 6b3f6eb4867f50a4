//! Tasks that are one: conditions, loops, guarded tasks.

use super::Builder;
use super::handle::{AnyArt, Art, Group, Param, Place, TaskHandle};
use super::task::{item, normal};
use super::test::Test;
use crate::condition::Condition;
use crate::kind::{Artifact, Dynamic, Kind, List, Parameter};
use crate::model::{ArtifactOutput, Body, Component, Each, Input, Items, Output, Selected, Source, Task};
use crate::value;
use serde_json::Value;

/// A loop's item is this input of its tasks.
const ITEM: &str = "pipelinechannel--item";
const ITEMS: &str = "pipelinechannel--items";

impl Builder {
    /// Tasks that run only if the test holds.
    pub fn when<R>(&mut self, key: &str, test: &Test, tasks: impl FnOnce(&mut Builder) -> R) -> Group<R> {
        self.open(key, false);
        let when = self.condition(test);
        let value = tasks(self);
        self.close(
            value,
            Task {
                when,
                ..Task::default()
            },
        )
    }

    /// Tasks under one name: what an exit task waits for, or what belongs together.
    pub fn group<R>(&mut self, key: &str, tasks: impl FnOnce(&mut Builder) -> R) -> Group<R> {
        self.open(key, false);
        let value = tasks(self);
        self.close(value, Task::default())
    }

    /// Tasks that run once for each of these items.
    pub fn each<K: Parameter, R>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = K::Constant>,
        parallelism: Option<u32>,
        tasks: impl FnOnce(&mut Builder, Param<K>) -> R,
    ) -> Group<R> {
        let items = items.into_iter().map(Into::into).collect();
        self.each_of(key, K::KIND, items, parallelism, |builder, item| {
            let item = Param::new(item.place, K::KIND);
            tasks(builder, item)
        })
    }

    /// The same with a type that is known at run time only.
    pub fn each_of<R>(
        &mut self,
        key: &str,
        kind: Kind,
        items: Vec<Value>,
        parallelism: Option<u32>,
        tasks: impl FnOnce(&mut Builder, Param<Dynamic>) -> R,
    ) -> Group<R> {
        let items = items.into_iter().map(value::canonical).collect();
        self.repeat(key, kind, Items::Constant(items), parallelism, tasks)
    }

    /// Tasks that run once for each item of a list that is known when it runs.
    pub fn each_in<K: Parameter, R>(
        &mut self,
        key: &str,
        list: &Param<List>,
        parallelism: Option<u32>,
        tasks: impl FnOnce(&mut Builder, Param<K>) -> R,
    ) -> Group<R> {
        let Some(source) = self.source(&list.erased()) else {
            return self.repeat(
                key,
                K::KIND,
                Items::Constant(Vec::new()),
                parallelism,
                |builder, item| tasks(builder, Param::new(item.place, K::KIND)),
            );
        };
        let items = Items::Parameter(ITEMS.to_owned());
        self.repeat(key, K::KIND, items, parallelism, |builder, item| {
            let scope = builder.here();
            scope
                .face
                .parameters
                .insert(ITEMS.to_owned(), Input::new(Kind::List));
            scope.parameters.insert(ITEMS.to_owned(), source);
            tasks(builder, Param::new(item.place, K::KIND))
        })
    }

    fn repeat<R>(
        &mut self,
        key: &str,
        kind: Kind,
        items: Items,
        parallelism: Option<u32>,
        tasks: impl FnOnce(&mut Builder, Param<Dynamic>) -> R,
    ) -> Group<R> {
        let scope = self.open(key, true);
        self.here()
            .face
            .parameters
            .insert(ITEM.to_owned(), Input::new(kind));
        let value = tasks(self, item(scope, ITEM, kind));
        let each = Each {
            item: ITEM.to_owned(),
            items,
            parallelism,
        };
        self.close(
            value,
            Task {
                each: Some(each),
                ..Task::default()
            },
        )
    }

    /// Makes what a task here leaves an output of the tasks that are being made, and gives its handle for
    /// around them; in the root, of the pipeline. What a loop's tasks leave is had by `export_each`.
    pub fn export<K>(&mut self, name: &str, parameter: &Param<K>) -> Param<K> {
        if self.here().looped {
            self.problem(
                &format!("output {name}"),
                "is left once for each item; expected export_each",
            );
        }
        let place = self.left(name, parameter, parameter.kind);
        Param::new(place, parameter.kind)
    }

    /// The list of what a loop's tasks leave, one for each item.
    pub fn export_each<K>(&mut self, name: &str, parameter: &Param<K>) -> Param<List> {
        if !self.here().looped {
            self.problem(&format!("output {name}"), "is left once; expected export");
        }
        let place = self.left(name, parameter, Kind::List);
        Param::new(place, Kind::List)
    }

    fn left<K>(&mut self, name: &str, parameter: &Param<K>, kind: Kind) -> Place {
        if let Some(from) = self.own_output(&parameter.place) {
            self.leave(name, Selected::From(from), false);
            let output = Output {
                kind,
                description: None,
            };
            self.here().face.results.insert(name.to_owned(), output);
        }
        self.outside(name)
    }

    /// The same for an artifact.
    pub fn export_artifact<A: Artifact>(&mut self, name: &str, art: &Art<A>) -> Art<A> {
        if self.here().looped {
            self.problem(&format!("output {name}"), "artifacts of a loop are not supported");
        }
        let kind = art.any.kind.clone();
        if let Some(from) = self.own_output(&art.any.place) {
            self.leave(name, Selected::From(from), true);
            let output = ArtifactOutput {
                kind: kind.clone(),
                list: false,
                description: None,
            };
            self.here().face.products.insert(name.to_owned(), output);
        }
        let place = self.outside(name);
        Art::new(AnyArt { place, kind })
    }

    /// Where an output of the tasks that are being made is, seen from around them.
    pub(super) fn outside(&mut self, name: &str) -> Place {
        let level = self.level();
        let around = level.checked_sub(1).map(|level| self.scopes[level].id);
        TaskHandle {
            // Nothing is around the root.
            scope: around.unwrap_or(usize::MAX),
            key: self.scopes[level].key.clone(),
        }
        .place(name)
    }

    /// The test over inputs of the tasks that are being made.
    pub(super) fn condition(&mut self, test: &Test) -> Option<Condition> {
        test.condition(&mut |parameter| match self.source(parameter)? {
            Source::Parent { input, field: None } => Some(input),
            _ => {
                self.problem("condition", "a field cannot be compared");
                None
            }
        })
    }

    /// Makes the tasks one task of what is around them.
    pub(super) fn close<R>(&mut self, value: R, task: Task) -> Group<R> {
        let scope = self.scopes.pop().expect("was opened");
        // Two groups of one key in different places are two components.
        let mut name = scope.key.clone();
        let component = Component {
            face: scope.face,
            body: Body::Dag(scope.dag),
        };
        if self
            .components
            .get(&name)
            .is_some_and(|other| *other != component)
        {
            name = super::free(&name, |name| self.components.contains_key(name));
        }
        self.component(&name, component);
        let mut task = Task {
            component: name,
            parameters: scope.parameters,
            artifacts: scope.artifacts,
            ..task
        };
        normal(&mut task);
        let task = self.put(&scope.key, task);
        Group { task, value }
    }
}

//! Adds a task that runs a step.

use super::handle::{Art, Given, Origin, Param, Place, TaskHandle, What, around};
use super::step::{ArtIn, In, Step};
use super::{Builder, free};
use crate::condition::{Compare, Condition, Operand};
use crate::container::Retry;
use crate::kind::{Boolean, Dynamic, FinalStatus, Kind, Takes};
use crate::model::{Body, Cache, Component, Source, Task};
use crate::value;

/// A task that is being made; [`add`](TaskBuilder::add) puts it in.
#[must_use = "a task is there once it is added"]
pub struct TaskBuilder<'a> {
    builder: &'a mut Builder,
    step: &'a Step,
    key: String,
    task: Task,
}

impl Builder {
    /// A task that runs a step, where we are. The key is the name that the server shows.
    pub fn task<'a>(&'a mut self, key: &str, step: &'a Step) -> TaskBuilder<'a> {
        TaskBuilder {
            builder: self,
            step,
            key: key.to_owned(),
            task: Task {
                component: step.name.clone(),
                ..Task::default()
            },
        }
    }

    /// Keeps a component, which may be there already if it is the same.
    pub(super) fn component(&mut self, name: &str, component: Component) {
        match self.components.get(name) {
            Some(other) if *other != component => {
                self.problem(&format!("component {name}"), "there is another one of this name");
            }
            Some(_) => {}
            None => {
                self.components.insert(name.to_owned(), component);
            }
        }
    }

    /// Puts a task where we are.
    pub(super) fn put(&mut self, key: &str, task: Task) -> TaskHandle {
        let scope = self.here();
        let handle = TaskHandle {
            scope: scope.id,
            key: key.to_owned(),
        };
        if scope.dag.tasks.insert(key.to_owned(), task).is_some() {
            self.problem(&format!("task {key}"), "there are two of this name");
        }
        handle
    }

    pub(super) fn source(&mut self, parameter: &Param<Dynamic>) -> Option<Source> {
        let level = self.level();
        // A field's own type says nothing of what it is a field of.
        let kind = if parameter.field.is_some() {
            Kind::Struct
        } else {
            parameter.kind
        };
        let mut source = self.resolve(level, &parameter.place, kind)?;
        if let Source::Parent { field, .. } | Source::Task { field, .. } = &mut source {
            field.clone_from(&parameter.field);
        }
        Some(source)
    }
}

impl TaskBuilder<'_> {
    /// Gives it an input: a parameter, a constant or what the server knows of the run.
    pub fn set<K>(mut self, input: &In<K>, given: impl Into<Given<K>>) -> Self {
        let source = match given.into().what {
            What::Constant(constant) => Some(Source::Constant(value::canonical(constant))),
            What::Runtime(runtime) => Some(Source::Runtime(runtime)),
            What::Param(parameter) => self.builder.source(&parameter),
            What::Around(parts) => Some(self.text(&parts)),
        };
        if let Some(source) = source {
            self.task.parameters.insert(input.name.clone(), source);
        }
        self
    }

    /// What a text needs is passed beside it.
    fn text(&mut self, parts: &[(String, Option<Param<Dynamic>>)]) -> Source {
        let mut named = Vec::new();
        for (text, parameter) in parts {
            let source = parameter
                .as_ref()
                .and_then(|one| Some((one, self.builder.source(one)?)));
            let name = source.map(|(parameter, source)| {
                let name = free(&parameter.place.channel(), |name| {
                    self.task
                        .parameters
                        .get(name)
                        .is_some_and(|other| *other != source)
                });
                self.task.parameters.insert(name.clone(), source);
                name
            });
            named.push((text.clone(), name));
        }
        Source::Text(around(&named))
    }

    /// Gives it an artifact.
    pub fn set_artifact<A: Takes<B>, B>(mut self, input: &ArtIn<A>, given: &Art<B>) -> Self {
        let level = self.builder.level();
        if let Some(source) = self.builder.resolve_artifact(level, &given.any) {
            self.task.artifacts.insert(input.name.clone(), source);
        }
        self
    }

    /// Tells it how a guarded task ended; makes it an exit task of that one.
    pub fn set_status(mut self, input: &In<FinalStatus>, of: &TaskHandle) -> Self {
        self.task
            .parameters
            .insert(input.name.clone(), Source::FinalStatus(of.key.clone()));
        self.finally(of)
    }

    /// Runs it after that task, whether that one failed or not: an exit task.
    pub fn finally(mut self, of: &TaskHandle) -> Self {
        self.task.even_if_failed = true;
        self.after(of)
    }

    /// Runs it after that task, from which it takes nothing.
    pub fn after(mut self, other: &TaskHandle) -> Self {
        if other.scope != self.builder.here().id {
            let place = format!("task {}", self.key);
            let what = format!("comes after {}, which is not a task right here", other.key);
            self.builder.problem(&place, &what);
        }
        self.task.after.insert(other.key.clone());
        self
    }

    /// Runs it only if this input of its step is `wanted`. What takes something from it is not run either.
    /// Unlike [`Builder::when`] it needs no group, whose driver is one pod more in a cluster.
    pub fn only_if(mut self, input: &In<Boolean>, wanted: bool) -> Self {
        self.task.when = Some(Condition::Compare {
            left: Operand::Input {
                name: input.name.clone(),
                integer: false,
            },
            how: Compare::Equal,
            right: Operand::Boolean(wanted),
        });
        self
    }

    /// Takes an earlier run's result where inputs, command and image are the same.
    pub fn cached(mut self) -> Self {
        self.task.cache = Cache::On;
        self
    }

    /// Starts it again after a failure.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.task.retry = Some(retry);
        self
    }

    /// Names it for people.
    pub fn display_name(mut self, text: &str) -> Self {
        self.task.display_name = super::said(text).filter(|text| *text != self.key);
        self
    }

    /// Puts it in.
    pub fn add(self) -> TaskHandle {
        let TaskBuilder {
            builder,
            step,
            key,
            mut task,
        } = self;
        for (name, default) in step.defaults() {
            let source = || Source::Constant(default.clone());
            task.parameters.entry(name.clone()).or_insert_with(source);
        }
        for name in &step.twice {
            builder.problem(
                &format!("component {}", step.name),
                &format!("{name} is declared twice"),
            );
        }
        builder.component(
            &step.name,
            Component {
                face: step.face.clone(),
                body: Body::Container(Box::new(step.container.clone())),
            },
        );
        normal(&mut task);
        builder.put(&key, task)
    }
}

/// Tasks from which something is taken come first anyway.
pub(super) fn normal(task: &mut Task) {
    let after = std::mem::take(&mut task.after);
    let data: std::collections::BTreeSet<String> = crate::check::before(task)
        .into_iter()
        .map(str::to_owned)
        .collect();
    task.after = after.into_iter().filter(|name| !data.contains(name)).collect();
}

/// The input of the DAG at this place.
pub(super) fn item<K>(scope: usize, name: &str, kind: Kind) -> Param<K> {
    let origin = Origin::Input(name.to_owned());
    Param::new(Place { scope, origin }, kind)
}

//! Goes through a run: what has ended, what waits, what can start.

use super::condition::holds;
use super::launch::{Artifact, Launch};
use super::values::shown;
use super::{End, Left, Run, State};
use crate::argument::{Piece, Template};
use crate::check::before;
use crate::model::{ArtifactSource, Body, Component, Dag, Each, Items, Runtime, Source, Task, TaskOutput};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How a task stands.
#[derive(Clone, Debug)]
enum Stand {
    /// Not over: it waits, or could run.
    Open,
    Succeeded(Left),
    /// It, or something in it.
    Failed,
    /// Its condition does not hold, or what it needs is not there.
    Skipped,
}

type Parameters = BTreeMap<String, Value>;
type Artifacts = BTreeMap<String, Vec<Artifact>>;

struct Walk<'a> {
    run: &'a Run,
    launches: Vec<Launch>,
    failures: Vec<(String, String)>,
}

pub(super) fn walk(run: &Run) -> (Vec<Launch>, State) {
    let mut walk = Walk {
        run,
        launches: Vec::new(),
        failures: Vec::new(),
    };
    let stand = walk.dag("", &run.pipeline.dag, &run.parameters, &BTreeMap::new());
    let state = match stand {
        Stand::Open => State::Running,
        Stand::Succeeded(left) => State::Succeeded(left),
        Stand::Failed | Stand::Skipped => State::Failed(walk.failures),
    };
    (walk.launches, state)
}

impl Walk<'_> {
    fn dag(&mut self, path: &str, dag: &Dag, parameters: &Parameters, artifacts: &Artifacts) -> Stand {
        let mut stands: BTreeMap<&str, Stand> = BTreeMap::new();
        // In an order in which every task comes after those that it waits for; there is no cycle.
        while stands.len() < dag.tasks.len() {
            let known = stands.len();
            for (key, task) in &dag.tasks {
                if stands.contains_key(key.as_str())
                    || !before(task).iter().all(|name| stands.contains_key(name))
                {
                    continue;
                }
                let around = Around {
                    parameters,
                    artifacts,
                    stands: &stands,
                };
                let stand = self.task(&format!("{path}{key}"), key, task, &around);
                stands.insert(key, stand);
            }
            if stands.len() == known {
                break;
            }
        }
        let any = |wanted: fn(&Stand) -> bool| stands.values().any(wanted);
        if any(|stand| matches!(stand, Stand::Open)) {
            Stand::Open
        } else if any(|stand| matches!(stand, Stand::Failed)) {
            Stand::Failed
        } else {
            Stand::Succeeded(left(dag, &stands))
        }
    }

    fn task(&mut self, path: &str, key: &str, task: &Task, around: &Around<'_>) -> Stand {
        let upstream: Vec<&Stand> = before(task).iter().map(|name| &around.stands[name]).collect();
        if upstream.iter().any(|stand| matches!(stand, Stand::Open)) {
            return Stand::Open;
        }
        if !task.even_if_failed && !upstream.iter().all(|stand| matches!(stand, Stand::Succeeded(_))) {
            return Stand::Skipped;
        }
        let component = &self.run.pipeline.components[&task.component];
        let parameters = match self.parameters(key, task, around) {
            Ok(parameters) => parameters,
            Err(why) => return self.fail(path, why),
        };
        let artifacts = task
            .artifacts
            .iter()
            .filter_map(|(name, source)| Some((name.clone(), around.artifact(source)?)))
            .collect();
        if let Some(when) = &task.when {
            match holds(when, &parameters) {
                Ok(true) => {}
                Ok(false) => return Stand::Skipped,
                Err(why) => return self.fail(path, format!("condition {when}: {why}")),
            }
        }
        match &task.each {
            None => self.component(path, task, component, parameters, artifacts),
            Some(each) => self.each(path, task, each, component, &parameters, &artifacts),
        }
    }

    fn fail(&mut self, path: &str, why: String) -> Stand {
        self.failures.push((path.to_owned(), why));
        Stand::Failed
    }

    fn component(
        &mut self,
        path: &str,
        task: &Task,
        component: &Component,
        mut parameters: Parameters,
        artifacts: Artifacts,
    ) -> Stand {
        match &component.body {
            Body::Dag(dag) => {
                // Defaults are applied here, and never to a container.
                for (name, input) in &component.face.parameters {
                    if let (None, Some(default)) = (parameters.get(name), &input.default) {
                        parameters.insert(name.clone(), default.clone());
                    }
                }
                self.dag(&format!("{path}/"), dag, &parameters, &artifacts)
            }
            Body::Container(container) => match self.run.ended.get(path) {
                Some(End::Succeeded(left)) => Stand::Succeeded(left.clone()),
                Some(End::Failed(why)) => self.fail(path, why.clone()),
                None => {
                    self.launches.push(Launch {
                        path: path.to_owned(),
                        component: task.component.clone(),
                        container: container.as_ref().clone(),
                        face: component.face.clone(),
                        parameters,
                        artifacts,
                        retry: task.retry,
                        cache: task.cache.clone(),
                    });
                    Stand::Open
                }
            },
        }
    }

    fn each(
        &mut self,
        path: &str,
        task: &Task,
        each: &Each,
        component: &Component,
        parameters: &Parameters,
        artifacts: &Artifacts,
    ) -> Stand {
        let items = match &each.items {
            Items::Constant(items) => items.clone(),
            Items::Parameter(name) => match parameters.get(name).cloned().map(unpacked) {
                Some(Value::Array(items)) => items,
                other => {
                    let found = other.map_or("nothing".to_owned(), |value| shown(&value));
                    return self.fail(
                        path,
                        format!("goes through {name}: expected a list, found {found}"),
                    );
                }
            },
        };
        let limit = each.parallelism.map_or(usize::MAX, |limit| limit as usize);
        let (mut open, mut failed) = (0, false);
        let mut all = Vec::new();
        for (at, item) in items.into_iter().enumerate() {
            if open >= limit {
                break;
            }
            let mut parameters = parameters.clone();
            parameters.insert(each.item.clone(), item);
            let path = format!("{path}[{at}]");
            match self.component(&path, task, component, parameters, artifacts.clone()) {
                Stand::Open => open += 1,
                Stand::Failed => failed = true,
                Stand::Succeeded(left) => all.push(left),
                Stand::Skipped => {}
            }
        }
        if open > 0 {
            return Stand::Open;
        }
        if failed {
            return Stand::Failed;
        }
        let mut left = Left::default();
        for name in component.face.results.keys() {
            let values = all.iter().filter_map(|one| one.parameters.get(name).cloned());
            left.parameters.insert(name.clone(), values.collect());
        }
        for name in component.face.products.keys() {
            let several = all
                .iter()
                .filter_map(|one| one.artifacts.get(name).cloned())
                .flatten();
            left.artifacts.insert(name.clone(), several.collect());
        }
        Stand::Succeeded(left)
    }

    fn parameters(&self, key: &str, task: &Task, around: &Around<'_>) -> Result<Parameters, String> {
        let mut parameters = Parameters::new();
        for (name, source) in &task.parameters {
            let value = match source {
                Source::Constant(value) => Some(value.clone()),
                Source::Text(_) => continue,
                Source::Runtime(runtime) => Some(Value::from(self.runtime(*runtime, key))),
                Source::Parent { input, field } => {
                    field_of(around.parameters.get(input).cloned(), field.as_deref(), name)?
                }
                Source::Task { from, field } => field_of(around.result(from), field.as_deref(), name)?,
                Source::FinalStatus(of) => Some(self.status(of, around)),
            };
            parameters.extend(value.map(|value| (name.clone(), value)));
        }
        for (name, source) in &task.parameters {
            if let Source::Text(text) = source {
                let text = filled(text, &parameters)?;
                parameters.insert(name.clone(), Value::from(text));
            }
        }
        Ok(parameters)
    }

    fn runtime(&self, runtime: Runtime, key: &str) -> String {
        let facts = &self.run.facts;
        match runtime {
            Runtime::RunId => facts.run_id.clone(),
            Runtime::RunName => facts.run_name.clone(),
            Runtime::WorkflowName => format!("{}-{}", self.run.pipeline.name, facts.run_id),
            // No number is given to an execution here.
            Runtime::TaskName | Runtime::TaskId => key.to_owned(),
            Runtime::Created | Runtime::Scheduled => facts.created.clone(),
        }
    }

    /// As the server tells it.
    fn status(&self, of: &str, around: &Around<'_>) -> Value {
        let failed = !matches!(around.stands.get(of), Some(Stand::Succeeded(_) | Stand::Skipped));
        let error = self.failures.last().filter(|_| failed);
        json!({
            "state": if failed { "FAILED" } else { "COMPLETE" },
            "error": error.map_or_else(|| json!({}), |(path, why)| json!({"message": format!("{path}: {why}")})),
            "pipelineJobResourceName": self.runtime(Runtime::WorkflowName, of),
            "pipelineTaskName": of,
        })
    }
}

/// What a task sees.
struct Around<'a> {
    parameters: &'a Parameters,
    artifacts: &'a Artifacts,
    stands: &'a BTreeMap<&'a str, Stand>,
}

impl Around<'_> {
    fn result(&self, from: &TaskOutput) -> Option<Value> {
        match self.stands.get(from.task.as_str()) {
            Some(Stand::Succeeded(left)) => left.parameters.get(&from.output).cloned(),
            _ => None,
        }
    }

    fn artifact(&self, source: &ArtifactSource) -> Option<Vec<Artifact>> {
        match source {
            ArtifactSource::Parent(name) => self.artifacts.get(name).cloned(),
            ArtifactSource::Task(from) => match self.stands.get(from.task.as_str()) {
                Some(Stand::Succeeded(left)) => left.artifacts.get(&from.output).cloned(),
                _ => None,
            },
        }
    }
}

/// What a DAG leaves: of branches, what the one that ran left.
fn left(dag: &Dag, stands: &BTreeMap<&str, Stand>) -> Left {
    let task = |from: &TaskOutput| match stands.get(from.task.as_str()) {
        Some(Stand::Succeeded(left)) => Some(left),
        _ => None,
    };
    let mut all = Left::default();
    for (name, selected) in &dag.results {
        let mut found = selected
            .all()
            .iter()
            .filter_map(|from| task(from)?.parameters.get(&from.output));
        all.parameters
            .extend(found.next().map(|value| (name.clone(), value.clone())));
    }
    for (name, selected) in &dag.products {
        let mut found = selected
            .all()
            .iter()
            .filter_map(|from| task(from)?.artifacts.get(&from.output));
        all.artifacts
            .extend(found.next().map(|several| (name.clone(), several.clone())));
    }
    all
}

/// A text may be JSON: the items of a list whose type nobody knew.
fn unpacked(value: Value) -> Value {
    match &value {
        Value::String(text) => serde_json::from_str(text).unwrap_or(value),
        _ => value,
    }
}

fn field_of(value: Option<Value>, field: Option<&str>, name: &str) -> Result<Option<Value>, String> {
    let (Some(value), Some(field)) = (&value, field) else {
        return Ok(value);
    };
    let inside = unpacked(value.clone());
    let found = inside.get(field).cloned();
    found
        .map(Some)
        .ok_or_else(|| format!("input {name}: {} has no field {field:?}", shown(value)))
}

fn filled(text: &Template, parameters: &Parameters) -> Result<String, String> {
    let pieces = text.pieces().iter().map(|piece| match piece {
        Piece::Literal(text) => Ok(text.clone()),
        Piece::Parameter(name) => match parameters.get(name) {
            Some(value) => Ok(shown(value)),
            None => Err(format!("a text needs {name}, which was not given")),
        },
        _ => Err("a text has something else than parameters in it".to_owned()),
    });
    pieces.collect()
}

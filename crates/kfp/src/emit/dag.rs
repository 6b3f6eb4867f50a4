//! Tasks, and where what they leave goes.

use super::{component, entries, fill, put};
use crate::check::before;
use crate::container::Retry;
use crate::model::{ArtifactSource, Body, Cache, Dag, Items, Pipeline, Selected, Source, Task, TaskOutput};
use crate::value;
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(super) fn dag(dag: &Dag, pipeline: &Pipeline) -> Value {
    let mut outputs = Map::new();
    let artifacts = entries(&dag.products, |selected| {
        let all: Value = selected
            .all()
            .iter()
            .map(|from| selector(from, "outputArtifactKey"))
            .collect();
        json!({"artifactSelectors": all})
    });
    fill(&mut outputs, "artifacts", artifacts);
    let parameters = entries(&dag.results, |selected| match selected {
        Selected::From(from) => json!({"valueFromParameter": selector(from, "outputParameterKey")}),
        Selected::OneOf(several) => {
            let all: Value = several
                .iter()
                .map(|from| selector(from, "outputParameterKey"))
                .collect();
            json!({"valueFromOneof": {"parameterSelectors": all}})
        }
    });
    fill(&mut outputs, "parameters", parameters);
    let tasks: Map<String, Value> = dag
        .tasks
        .iter()
        .map(|(key, one)| (key.clone(), task(key, one, pipeline)))
        .collect();
    let mut said = Map::from_iter([("tasks".to_owned(), Value::Object(tasks))]);
    fill(&mut said, "outputs", outputs);
    Value::Object(said)
}

fn selector(from: &TaskOutput, field: &str) -> Value {
    json!({"producerSubtask": from.task, field: from.output})
}

fn task(key: &str, task: &Task, pipeline: &Pipeline) -> Value {
    let name = task.display_name.as_deref().unwrap_or(key);
    let mut said = Map::from_iter([
        ("taskInfo".to_owned(), json!({"name": name})),
        (
            "componentRef".to_owned(),
            json!({"name": component(&task.component)}),
        ),
    ]);
    let mut inputs = Map::new();
    fill(&mut inputs, "parameters", entries(&task.parameters, parameter));
    fill(&mut inputs, "artifacts", entries(&task.artifacts, artifact));
    fill(&mut said, "inputs", inputs);
    let before: Value = before(task).into_iter().map(Value::from).collect();
    if before != json!([]) {
        said.insert("dependentTasks".to_owned(), before);
    }
    let step = pipeline
        .components
        .get(&task.component)
        .is_some_and(|component| matches!(component.body, Body::Container(_)));
    match &task.cache {
        Cache::Off if step => said.insert("cachingOptions".to_owned(), json!({})),
        Cache::Off => None,
        Cache::On => said.insert("cachingOptions".to_owned(), json!({"enableCache": true})),
        Cache::Key(key) => said.insert(
            "cachingOptions".to_owned(),
            json!({"enableCache": true, "cacheKey": key}),
        ),
    };
    let mut trigger = Map::new();
    put(
        &mut trigger,
        "condition",
        task.when.as_ref().map(ToString::to_string).as_ref(),
    );
    if task.even_if_failed {
        trigger.insert("strategy".to_owned(), json!("ALL_UPSTREAM_TASKS_COMPLETED"));
    }
    fill(&mut said, "triggerPolicy", trigger);
    if let Some(retry) = &task.retry {
        said.insert("retryPolicy".to_owned(), self::retry(retry));
    }
    if let Some(each) = &task.each {
        let items = match &each.items {
            Items::Constant(items) => json!({"raw": value::compact(&Value::from(items.clone()))}),
            Items::Parameter(name) => json!({"inputParameter": name}),
        };
        said.insert(
            "parameterIterator".to_owned(),
            json!({"itemInput": each.item, "items": items}),
        );
        if let Some(limit) = each.parallelism {
            said.insert("iteratorPolicy".to_owned(), json!({"parallelismLimit": limit}));
        }
    }
    Value::Object(said)
}

/// `TaskInputsSpec.InputParameterSpec`.
fn parameter(source: &Source) -> Value {
    let constant = |value: Value| json!({"runtimeValue": {"constant": value}});
    let selected = |mut said: Value, field: Option<&String>| {
        if let Some(field) = field {
            said["parameterExpressionSelector"] = json!(format!("parseJson(string_value)[\"{field}\"]"));
        }
        said
    };
    match source {
        Source::Constant(value) => constant(value::doubles(value)),
        Source::Text(text) => constant(json!(text.render())),
        Source::Runtime(runtime) => constant(json!(format!("{{{{$.{}}}}}", runtime.word()))),
        Source::Parent { input, field } => {
            selected(json!({"componentInputParameter": input}), field.as_ref())
        }
        Source::Task { from, field } => {
            selected(json!({"taskOutputParameter": output(from)}), field.as_ref())
        }
        Source::FinalStatus(task) => json!({"taskFinalStatus": {"producerTask": task}}),
    }
}

pub(super) fn output(from: &TaskOutput) -> Value {
    json!({"producerTask": from.task, "outputParameterKey": from.output})
}

fn artifact(source: &ArtifactSource) -> Value {
    match source {
        ArtifactSource::Parent(input) => json!({"componentInputArtifact": input}),
        ArtifactSource::Task(from) => {
            json!({"taskOutputArtifact": {"producerTask": from.task, "outputArtifactKey": from.output}})
        }
    }
}

fn retry(retry: &Retry) -> Value {
    let mut said = Map::from_iter([("maxRetryCount".to_owned(), json!(retry.times))]);
    put(&mut said, "backoffDuration", retry.backoff.map(duration).as_ref());
    put(&mut said, "backoffFactor", retry.factor.as_ref());
    put(
        &mut said,
        "backoffMaxDuration",
        retry.within.map(duration).as_ref(),
    );
    Value::Object(said)
}

/// As `google.protobuf.Duration` is written.
fn duration(time: Duration) -> String {
    match (time.as_secs(), time.subsec_nanos()) {
        (seconds, 0) => format!("{seconds}s"),
        (seconds, nanos) => format!("{seconds}.{nanos:09}s"),
    }
}

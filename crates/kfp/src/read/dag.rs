//! Tasks, and where what they leave goes.

use super::fields::{self, Fields, problem};
use super::kept;
use crate::argument::{Piece, Template};
use crate::check::before;
use crate::condition::Condition;
use crate::container::Retry;
use crate::model::{ArtifactSource, Cache, Dag, Each, Items, Runtime, Selected, Source, Task, TaskOutput};
use crate::problem::Problem;
use crate::value::canonical;
use serde_json::Value;
use std::time::Duration;

/// IR's name of a component without its prefix.
pub(super) fn component_name(name: &str) -> String {
    name.strip_prefix("comp-").unwrap_or(name).to_owned()
}

pub(super) fn dag(mut fields: Fields, found: &mut Vec<Problem>) -> Result<Dag, Problem> {
    let mut dag = Dag::default();
    for (key, path, value) in fields.entries("tasks")? {
        let read = Fields::new(path, value).and_then(|fields| task(&key, fields));
        if let Some(task) = kept(read, found) {
            dag.tasks.insert(key, task);
        }
    }
    if let Some(mut outputs) = fields.optional_object("outputs")? {
        for (name, path, value) in outputs.entries("parameters")? {
            let mut fields = Fields::new(path.clone(), value)?;
            let one = fields.optional_object("valueFromParameter")?;
            let several = fields.optional_object("valueFromOneof")?;
            fields.end()?;
            let selected = match (one, several) {
                (Some(one), None) => Selected::From(selector(one, "outputParameterKey")?),
                (None, Some(mut several)) => {
                    let all = selectors(&mut several, "parameterSelectors", "outputParameterKey")?;
                    several.end()?;
                    Selected::OneOf(all)
                }
                _ => {
                    return Err(problem(
                        &path,
                        "expected one of valueFromParameter and valueFromOneof",
                    ));
                }
            };
            dag.results.insert(name, selected);
        }
        for (name, path, value) in outputs.entries("artifacts")? {
            let mut fields = Fields::new(path, value)?;
            let mut all = selectors(&mut fields, "artifactSelectors", "outputArtifactKey")?;
            fields.end()?;
            let selected = if all.len() == 1 {
                Selected::From(all.remove(0))
            } else {
                Selected::OneOf(all)
            };
            dag.products.insert(name, selected);
        }
        outputs.end()?;
    }
    fields.end()?;
    Ok(dag)
}

fn selectors(fields: &mut Fields, list: &str, key: &str) -> Result<Vec<TaskOutput>, Problem> {
    let items = fields.items(list)?.into_iter();
    items
        .map(|(path, value)| selector(Fields::new(path, value)?, key))
        .collect()
}

fn selector(mut fields: Fields, key: &str) -> Result<TaskOutput, Problem> {
    let from = TaskOutput {
        task: fields.text("producerSubtask")?,
        output: fields.text(key)?,
    };
    fields.end()?;
    Ok(from)
}

fn task(key: &str, mut fields: Fields) -> Result<Task, Problem> {
    let mut task = Task::default();
    if let Some(mut info) = fields.optional_object("taskInfo")? {
        task.display_name = info.note("name")?.filter(|name| name != key);
        info.end()?;
    }
    let mut component = fields.object("componentRef")?;
    task.component = component_name(&component.text("name")?);
    component.end()?;
    if let Some(mut inputs) = fields.optional_object("inputs")? {
        for (name, path, value) in inputs.entries("parameters")? {
            task.parameters
                .insert(name, parameter(Fields::new(path, value)?)?);
        }
        for (name, path, value) in inputs.entries("artifacts")? {
            task.artifacts.insert(name, artifact(Fields::new(path, value)?)?);
        }
        inputs.end()?;
    }
    let after = fields.texts("dependentTasks")?;
    if let Some(mut caching) = fields.optional_object("cachingOptions")? {
        let on = caching.flag("enableCache")?.unwrap_or_default();
        let key = caching.optional_text("cacheKey")?.filter(|key| !key.is_empty());
        caching.end()?;
        task.cache = match (on, key) {
            (false, _) => Cache::Off,
            (true, None) => Cache::On,
            (true, Some(key)) => Cache::Key(key),
        };
    }
    if let Some(trigger) = fields.optional_object("triggerPolicy")? {
        self::trigger(trigger, &mut task)?;
    }
    task.retry = fields.optional_object("retryPolicy")?.map(retry).transpose()?;
    task.each = each(&mut fields)?;
    fields.refuse("artifactIterator", "the server refuses loops over artifacts")?;
    fields.end()?;
    let data = before(&task);
    let after = after.into_iter().map(|(_, name)| name);
    let after = after.filter(|name| !data.contains(name.as_str())).collect();
    task.after = after;
    Ok(task)
}

fn trigger(mut trigger: Fields, task: &mut Task) -> Result<(), Problem> {
    let path = trigger.at("condition");
    let condition = trigger
        .optional_text("condition")?
        .filter(|text| !text.is_empty());
    let condition = condition.map(|text| Condition::parse(&text)).transpose();
    task.when = condition.map_err(|why| problem(&path, format!("is not supported: {why}")))?;
    let path = trigger.at("strategy");
    task.even_if_failed = match trigger.optional_text("strategy")?.as_deref() {
        None | Some("ALL_UPSTREAM_TASKS_SUCCEEDED" | "TRIGGER_STRATEGY_UNSPECIFIED") => false,
        Some("ALL_UPSTREAM_TASKS_COMPLETED") => true,
        Some(other) => return Err(problem(&path, format!("{other:?} is not supported"))),
    };
    trigger.end()
}

fn each(fields: &mut Fields) -> Result<Option<Each>, Problem> {
    let parallelism = match fields.optional_object("iteratorPolicy")? {
        Some(mut policy) => {
            let limit = policy.whole("parallelismLimit")?;
            policy.end()?;
            // 0 is the messages' word for nothing.
            limit.filter(|limit| *limit > 0)
        }
        None => None,
    };
    let Some(mut iterator) = fields.optional_object("parameterIterator")? else {
        return Ok(None);
    };
    let item = iterator.text("itemInput")?;
    let mut items = iterator.object("items")?;
    iterator.end()?;
    let path = items.at("raw");
    let items = match (
        items.optional_text("raw")?,
        items.optional_text("inputParameter")?,
    ) {
        (Some(raw), None) => match serde_json::from_str(&raw).map(canonical) {
            Ok(Value::Array(items)) => Items::Constant(items),
            _ => return Err(problem(&path, format!("{raw:?} is no list as JSON"))),
        },
        (None, Some(name)) => Items::Parameter(name),
        _ => return Err(problem(&path, "expected one of raw and inputParameter")),
    };
    Ok(Some(Each {
        item,
        items,
        parallelism,
    }))
}

/// `TaskInputsSpec.InputParameterSpec`.
pub(super) fn parameter(mut fields: Fields) -> Result<Source, Problem> {
    let path = fields.path.clone();
    let selector = fields.optional_text("parameterExpressionSelector")?;
    let field = selector.map(|text| {
        let name = text.strip_prefix("parseJson(string_value)[\"");
        let name = name.and_then(|rest| rest.strip_suffix("\"]")).map(str::to_owned);
        name.ok_or_else(|| problem(&path, format!("the selector {text:?} is not supported")))
    });
    let field = field.transpose()?;
    let whole = field.is_none();
    let constant = fields.optional_object("runtimeValue")?;
    let parent = fields.optional_text("componentInputParameter")?;
    let task = fields.optional_object("taskOutputParameter")?;
    let status = fields.optional_object("taskFinalStatus")?;
    fields.end()?;
    match (constant, parent, task, status) {
        (Some(constant), None, None, None) if whole => runtime_value(constant),
        (None, Some(input), None, None) => Ok(Source::Parent { input, field }),
        (None, None, Some(task), None) => Ok(Source::Task {
            from: output(task, "outputParameterKey")?,
            field,
        }),
        (None, None, None, Some(mut status)) if whole => {
            let task = status.text("producerTask")?;
            status.end()?;
            Ok(Source::FinalStatus(task))
        }
        _ => Err(problem(
            &path,
            "expected one of runtimeValue, componentInputParameter, taskOutputParameter and taskFinalStatus",
        )),
    }
}

fn runtime_value(mut fields: Fields) -> Result<Source, Problem> {
    fields.refuse("constantValue", "expected `constant`")?;
    fields.refuse("runtimeParameter", "expected `constant`")?;
    let path = fields.at("constant");
    let Some(constant) = fields.raw("constant") else {
        return Err(problem(&fields.path, "has no `constant`"));
    };
    fields.end()?;
    let Value::String(text) = &constant else {
        return Ok(Source::Constant(canonical(constant)));
    };
    let known = Runtime::ALL
        .iter()
        .find(|runtime| *text == format!("{{{{$.{}}}}}", runtime.word()));
    if let Some(runtime) = known {
        return Ok(Source::Runtime(*runtime));
    }
    let template = Template::parse(text).map_err(|why| problem(&path, why))?;
    Ok(match template.pieces() {
        [] | [Piece::Literal(_)] => Source::Constant(constant),
        _ => Source::Text(template),
    })
}

fn output(mut fields: Fields, key: &str) -> Result<TaskOutput, Problem> {
    let from = TaskOutput {
        task: fields.text("producerTask")?,
        output: fields.text(key)?,
    };
    fields.end()?;
    Ok(from)
}

fn artifact(mut fields: Fields) -> Result<ArtifactSource, Problem> {
    let path = fields.path.clone();
    let parent = fields.optional_text("componentInputArtifact")?;
    let task = fields.optional_object("taskOutputArtifact")?;
    fields.end()?;
    match (parent, task) {
        (Some(input), None) => Ok(ArtifactSource::Parent(input)),
        (None, Some(task)) => Ok(ArtifactSource::Task(output(task, "outputArtifactKey")?)),
        _ => Err(problem(
            &path,
            "expected one of componentInputArtifact and taskOutputArtifact",
        )),
    }
}

fn retry(mut fields: Fields) -> Result<Retry, Problem> {
    let retry = Retry {
        times: fields.whole("maxRetryCount")?.unwrap_or_default(),
        backoff: duration(&mut fields, "backoffDuration")?,
        factor: fields.number("backoffFactor")?,
        within: duration(&mut fields, "backoffMaxDuration")?,
    };
    fields.end()?;
    Ok(retry)
}

/// `google.protobuf.Duration`: `10s`, `0.5s`.
fn duration(fields: &mut Fields, field: &str) -> Result<Option<Duration>, Problem> {
    let Some((path, value)) = fields.take(field) else {
        return Ok(None);
    };
    let text = fields::text(&path, value)?;
    let read = || {
        let (seconds, fraction) = match text.strip_suffix('s')?.split_once('.') {
            Some((seconds, fraction)) => (seconds, fraction),
            None => (text.strip_suffix('s')?, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(seconds) || !digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let nanos = format!("{fraction:0<9}").parse().ok()?;
        Some(Duration::new(seconds.parse().ok()?, nanos))
    };
    let unfit = || problem(&path, format!("{text:?} is no time; expected e.g. 10s"));
    read().map(Some).ok_or_else(unfit)
}

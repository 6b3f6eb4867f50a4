//! Executors.

use super::fields::{Fields, problem};
use crate::argument::Argument;
use crate::container::{Container, Resources};
use crate::problem::Problem;
use serde_json::Value;

/// An executor, which must be a container.
pub(super) fn executor(path: String, value: Value) -> Result<Container, Problem> {
    let mut fields = Fields::new(path, value)?;
    fields.refuse(
        "importer",
        "an importer needs the server's object store; expected a container",
    )?;
    fields.refuse(
        "resolver",
        "a resolver asks the server's records; expected a container",
    )?;
    fields.refuse("customJob", "a job of another platform; expected a container")?;
    let inner = fields.object("container")?;
    fields.end()?;
    container(inner)
}

fn container(mut fields: Fields) -> Result<Container, Problem> {
    fields.refuse("lifecycle", "the server ignores it, too")?;
    let mut env = Vec::new();
    for (path, value) in fields.items("env")? {
        let mut pair = Fields::new(path, value)?;
        let (name, value) = (pair.text("name")?, pair.optional_text("value")?);
        pair.end()?;
        // The SDK leaves an empty text out.
        env.push((name, value.unwrap_or_default()));
    }
    let resources = fields.optional_object("resources")?;
    let container = Container {
        image: fields.text("image")?,
        command: arguments(&mut fields, "command")?,
        args: arguments(&mut fields, "args")?,
        env,
        resources: resources.map(self::resources).transpose()?.unwrap_or_default(),
        ..Container::default()
    };
    fields.end()?;
    Ok(container)
}

fn arguments(fields: &mut Fields, field: &str) -> Result<Vec<Argument>, Problem> {
    let words = fields.texts(field)?.into_iter();
    words
        .map(|(path, text)| {
            Argument::parse(&text).map_err(|why| problem(&path, format!("is not supported: {why}")))
        })
        .collect()
}

fn resources(mut fields: Fields) -> Result<Resources, Problem> {
    let mut both = |text: &str, number: &str| {
        let path = fields.at(number);
        let (text, number) = (fields.optional_text(text)?, fields.number(number)?);
        if text.is_none() && number.is_some_and(|number| number != 0.0) {
            return Err(problem(
                &path,
                "is the old form alone; expected it as text, as 2.10 and newer write it",
            ));
        }
        Ok(text)
    };
    let mut resources = Resources {
        cpu_request: both("resourceCpuRequest", "cpuRequest")?,
        cpu_limit: both("resourceCpuLimit", "cpuLimit")?,
        memory_request: both("resourceMemoryRequest", "memoryRequest")?,
        memory_limit: both("resourceMemoryLimit", "memoryLimit")?,
        accelerator: None,
    };
    if let Some(mut accelerator) = fields.optional_object("accelerator")? {
        let (old_kind, old_count) = (accelerator.optional_text("type")?, accelerator.take("count"));
        let kind = accelerator.optional_text("resourceType")?.or(old_kind);
        let count = accelerator.optional_text("resourceCount")?;
        let count = count.or_else(|| old_count.map(|(_, old)| old.to_string().trim_matches('"').to_owned()));
        let path = accelerator.path.clone();
        accelerator.end()?;
        let both = kind.zip(count);
        resources.accelerator =
            Some(both.ok_or_else(|| problem(&path, "expected resourceType and resourceCount"))?);
    }
    fields.end()?;
    Ok(resources)
}

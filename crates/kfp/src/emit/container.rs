//! A container of `deploymentSpec`.

use super::{fill, put};
use crate::container::{Container, Resources};
use serde_json::{Map, Value, json};

pub(super) fn container(container: &Container) -> Value {
    let mut said = Map::from_iter([("image".to_owned(), json!(container.image))]);
    for (field, words) in [("command", &container.command), ("args", &container.args)] {
        if !words.is_empty() {
            let words = words.iter().map(|word| Value::from(word.render())).collect();
            said.insert(field.to_owned(), words);
        }
    }
    if !container.env.is_empty() {
        let pairs = container.env.iter();
        let env = pairs
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        said.insert("env".to_owned(), env);
    }
    fill(&mut said, "resources", resources(&container.resources));
    Value::Object(said)
}

/// The text forms alone: the server ignores the numbers that the SDK writes beside them.
fn resources(needs: &Resources) -> Map<String, Value> {
    let mut said = Map::new();
    put(&mut said, "resourceCpuRequest", needs.cpu_request.as_ref());
    put(&mut said, "resourceCpuLimit", needs.cpu_limit.as_ref());
    put(&mut said, "resourceMemoryRequest", needs.memory_request.as_ref());
    put(&mut said, "resourceMemoryLimit", needs.memory_limit.as_ref());
    if let Some((kind, count)) = &needs.accelerator {
        let both = json!({"resourceType": kind, "resourceCount": count});
        said.insert("accelerator".to_owned(), both);
    }
    said
}

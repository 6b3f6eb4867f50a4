//! Argo CD's own objects against the schema in its CRDs: strict, so that a misspelt field is found.

use crate::{
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
};
use serde_yaml::Value;
use std::collections::BTreeMap;

/// Of Applications and projects.
pub const API_VERSION: &str = "argoproj.io/v1alpha1";

/// Schema by kind.
pub type Crds = BTreeMap<String, Value>;

/// The CRDs of the pinned upstream file; none where it is absent, with a line that says so.
///
/// # Errors
/// `render-failed` for a file that is not YAML.
pub fn pinned(ctx: &Ctx) -> Outcome<Crds> {
    let file = ctx.root.join("argocd/install/upstream/core-install.yaml");
    let Some(text) = ctx.read_text(&file) else {
        ctx.report
            .say("skipped  schema of Applications: no upstream file; cargo xtask up brings it");
        return Ok(Crds::new());
    };
    read(&text).map_err(|error| {
        Failure::new(Id::RenderFailed, format!("read the CRDs of {}", ctx.short(&file))).because(error)
    })
}

/// The schemas of the CRDs in a text of many documents.
///
/// # Errors
/// What is not YAML.
pub fn read(text: &str) -> Result<Crds, serde_yaml::Error> {
    let mut crds = Crds::new();
    for document in text.split("\n---\n") {
        // Most of the file is the schema of ApplicationSets, which nobody here writes.
        let wanted = document.contains("\nkind: CustomResourceDefinition\n")
            && !document.contains("\n  name: applicationsets.argoproj.io\n");
        if !wanted {
            continue;
        }
        let crd: Value = serde_yaml::from_str(document)?;
        let kind = crd["spec"]["names"]["kind"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        crds.insert(
            kind,
            crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone(),
        );
    }
    Ok(crds)
}

/// What of `object` its schema does not know, or wants otherwise.
pub fn check(crds: &Crds, object: &Value) -> Vec<String> {
    if crds.is_empty() {
        return Vec::new();
    }
    let kind = object["kind"].as_str().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let mut wrong = Vec::new();
    match crds.get(kind) {
        Some(schema) => visit(schema, object, String::new(), &mut wrong),
        None => wrong.push("no such kind".to_owned()),
    }
    wrong
        .iter()
        .map(|what| format!("{kind}/{name}: {what}"))
        .collect()
}

fn visit(schema: &Value, value: &Value, path: String, wrong: &mut Vec<String>) {
    let free = schema["x-kubernetes-preserve-unknown-fields"] == true;
    let fits = match schema["type"].as_str() {
        _ if schema["x-kubernetes-int-or-string"] == true => value.is_i64() || value.is_string(),
        Some("object") => value.is_mapping(),
        Some("array") => value.is_sequence(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_bool(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        _ => true,
    };
    if !fits {
        return wrong.push(format!(
            "{path}: is no {}",
            schema["type"].as_str().unwrap_or("such thing")
        ));
    }
    if let Some(allowed) = schema["enum"].as_sequence()
        && !allowed.contains(value)
    {
        wrong.push(format!("{path}: not one of the allowed values"));
    }
    for required in schema["required"].as_sequence().into_iter().flatten() {
        if value[required].is_null() {
            wrong.push(format!(
                "{path}.{}: missing",
                required.as_str().unwrap_or_default()
            ));
        }
    }
    for (index, item) in value.as_sequence().into_iter().flatten().enumerate() {
        visit(&schema["items"], item, format!("{path}.{index}"), wrong);
    }
    // Metadata is Kubernetes' own, and its schema is not repeated in a CRD.
    if path == ".metadata" {
        return;
    }
    for (key, child) in value.as_mapping().into_iter().flatten() {
        let path = format!("{path}.{}", key.as_str().unwrap_or_default());
        let of_field = &schema["properties"][key];
        let of_any = &schema["additionalProperties"];
        match (of_field.is_null(), of_any.is_mapping()) {
            (false, _) => visit(of_field, child, path, wrong),
            (true, true) => visit(of_any, child, path, wrong),
            (true, false) if !free && *of_any != true => wrong.push(format!("{path}: no such field")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRD: &str = "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  names: {kind: Thing}\n  \
         versions:\n  - schema:\n      openAPIV3Schema:\n        type: object\n        required: [spec]\n        properties:\n          \
         kind: {type: string}\n          metadata: {type: object}\n          spec:\n            type: object\n            properties:\n              \
         on: {type: boolean}\n              list: {type: array, items: {type: string, enum: [a, b]}}\n              \
         words: {type: object, additionalProperties: {type: string}}\n              any: {type: object, x-kubernetes-preserve-unknown-fields: true}\n";

    #[test]
    fn what_the_schema_does_not_know_is_named() {
        let crds = read(CRD).unwrap();
        let wrong = |spec: &str| {
            let object = format!("kind: Thing\nmetadata: {{name: x, labels: {{a: b}}}}\nspec: {spec}\n");
            check(&crds, &serde_yaml::from_str(&object).unwrap()).join("; ")
        };
        assert_eq!(
            wrong("{on: true, list: [a], words: {x: y}, any: {x: {y: 1}}}"),
            ""
        );
        assert_eq!(wrong("{onn: true}"), "Thing/x: .spec.onn: no such field");
        assert_eq!(wrong("{on: yes please}"), "Thing/x: .spec.on: is no boolean");
        assert_eq!(
            wrong("{list: [c]}"),
            "Thing/x: .spec.list.0: not one of the allowed values"
        );
        assert_eq!(wrong("{words: {x: 1}}"), "Thing/x: .spec.words.x: is no string");
        assert_eq!(
            wrong("null"),
            "Thing/x: .spec: missing; Thing/x: .spec: is no object"
        );
        let other = serde_yaml::from_str("kind: Other\nmetadata: {name: x}").unwrap();
        assert_eq!(check(&crds, &other), ["Other/x: no such kind"]);
    }
}

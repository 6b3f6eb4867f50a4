//! Inputs and outputs.

use super::fields::{Fields, problem};
use crate::kind::{ArtifactType, Kind};
use crate::model::{ArtifactInput, ArtifactOutput, Face, Input, Output};
use crate::problem::Problem;
use crate::value::canonical;
use serde_json::Value;

pub(super) fn face(fields: &mut Fields) -> Result<Face, Problem> {
    let mut face = Face::default();
    if let Some(mut inputs) = fields.optional_object("inputDefinitions")? {
        for (name, path, value) in inputs.entries("parameters")? {
            face.parameters.insert(name, input(path, value)?);
        }
        for (name, path, value) in inputs.entries("artifacts")? {
            let mut fields = Fields::new(path, value)?;
            let input = ArtifactInput {
                kind: kind(&mut fields)?,
                list: fields.flag("isArtifactList")?.unwrap_or_default(),
                optional: fields.flag("isOptional")?.unwrap_or_default(),
                description: fields.note("description")?,
            };
            fields.end()?;
            face.artifacts.insert(name, input);
        }
        inputs.end()?;
    }
    if let Some(mut outputs) = fields.optional_object("outputDefinitions")? {
        for (name, path, value) in outputs.entries("parameters")? {
            let mut fields = Fields::new(path, value)?;
            let output = Output {
                kind: parameter_kind(&mut fields)?,
                description: fields.note("description")?,
            };
            fields.end()?;
            face.results.insert(name, output);
        }
        for (name, path, value) in outputs.entries("artifacts")? {
            let mut fields = Fields::new(path, value)?;
            let output = ArtifactOutput {
                kind: kind(&mut fields)?,
                list: fields.flag("isArtifactList")?.unwrap_or_default(),
                description: fields.note("description")?,
            };
            fields.end()?;
            face.products.insert(name, output);
        }
        outputs.end()?;
    }
    Ok(face)
}

fn input(path: String, value: Value) -> Result<Input, Problem> {
    let mut fields = Fields::new(path, value)?;
    let literals = fields.items("literals")?;
    let input = Input {
        kind: parameter_kind(&mut fields)?,
        default: fields.raw("defaultValue").map(canonical),
        optional: fields.flag("isOptional")?.unwrap_or_default(),
        description: fields.note("description")?,
        literals: literals
            .into_iter()
            .map(|(_, literal)| canonical(literal))
            .collect(),
    };
    fields.end()?;
    Ok(input)
}

fn parameter_kind(fields: &mut Fields) -> Result<Kind, Problem> {
    let path = fields.at("parameterType");
    let word = fields.text("parameterType")?;
    Kind::read(&word).ok_or_else(|| {
        let all: Vec<&str> = Kind::ALL.into_iter().map(Kind::word).collect();
        problem(
            &path,
            format!("{word:?} is not supported; expected one of {}", all.join(", ")),
        )
    })
}

fn kind(fields: &mut Fields) -> Result<ArtifactType, Problem> {
    let mut schema = fields.object("artifactType")?;
    schema.refuse("schemaUri", "expected schemaTitle")?;
    schema.refuse("instanceSchema", "expected schemaTitle")?;
    let kind = ArtifactType {
        title: schema.text("schemaTitle")?,
        version: schema.optional_text("schemaVersion")?.unwrap_or_default(),
    };
    schema.end()?;
    Ok(kind)
}

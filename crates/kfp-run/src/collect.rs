//! What a step has left, read and checked as the launcher does.

use crate::error::{Fault, FaultId};
use crate::files::{self, Tree, TreeError};
use crate::places::{AttemptFolder, file_name};
use crate::record::{Outputs, Saved};
use crate::runner::Limits;
use kfp::kind::Kind;
use kfp::run::{Launch, parse, shown};
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::path::Path;

/// Largest `executor_output.json`.
const TOLD_BYTES_MAX: u64 = 8 << 20;

/// Reads what the step has left, with what was odd and does not matter.
///
/// # Errors
/// The output, what was found and what was expected.
pub(crate) fn collect(
    launch: &Launch,
    folder: &AttemptFolder,
    run: &Path,
    limits: &Limits,
) -> Result<(Outputs, Vec<String>), Fault> {
    let told = told(&folder.at("executor_output.json"))?;
    let mut outputs = Outputs::default();
    let mut warnings = Vec::new();
    for (name, output) in &launch.face.results {
        let value = match told.get("parameterValues").and_then(|all| all.get(name)) {
            // What the step tells goes before its files.
            Some(value) => typed(name, output.kind, value)?,
            None => written(
                name,
                output.kind,
                &folder.at("outputs").join(file_name(name)),
                limits,
            )?,
        };
        outputs.parameters.insert(name.clone(), value);
    }
    let mut room = limits.artifact_bytes;
    for (name, product) in &launch.face.products {
        let path = folder.artifact(name);
        let tree = Tree::read(&run.join(&path), room).map_err(|error| unreadable(name, &error))?;
        if tree.is_none() && !launch.container.args.is_empty() {
            warnings.push(format!("artifact {name}: was not written"));
        }
        let tree = tree.unwrap_or(Tree {
            digest: String::new(),
            bytes: 0,
        });
        room -= tree.bytes;
        let saved = Saved {
            path,
            digest: tree.digest,
            bytes: tree.bytes,
            title: product.kind.title.clone(),
            metadata: metadata(&told, name)?,
        };
        outputs.artifacts.insert(name.clone(), vec![saved]);
    }
    Ok((outputs, warnings))
}

/// A fault of an artifact, by its name.
pub(crate) fn unreadable(name: &str, error: &TreeError) -> Fault {
    let id = match error {
        TreeError::NotPlain(_) => FaultId::ArtifactNotPlain,
        TreeError::TooLarge(..) => FaultId::OutputTooLarge,
        TreeError::Io(..) => FaultId::StepFolder,
    };
    Fault::new(id, format!("artifact {name}: {error}"))
}

/// `executor_output.json`, if the step wrote one.
fn told(path: &Path) -> Result<Value, Fault> {
    let broken = |why: String| {
        let id = FaultId::ExecutorOutputBroken;
        Fault::new(
            id,
            format!("executor_output.json: {why}; expected an object as JSON"),
        )
    };
    match files::bounded(path, TOLD_BYTES_MAX) {
        Ok(Some(bytes)) => {
            let value: Value = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
            for field in ["parameterValues", "artifacts"] {
                if value.get(field).is_some_and(|found| !found.is_object()) {
                    return Err(broken(format!("{field} is no object")));
                }
            }
            value
                .is_object()
                .then_some(value)
                .ok_or_else(|| broken("is none".to_owned()))
        }
        Ok(None) => Err(broken(format!("has more than {TOLD_BYTES_MAX} bytes"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Value::Null),
        Err(error) => Err(broken(error.to_string())),
    }
}

fn metadata(told: &Value, name: &str) -> Result<Map<String, Value>, Fault> {
    let Some(all) = told.get("artifacts").and_then(|all| all.get(name)) else {
        return Ok(Map::new());
    };
    match &all["artifacts"][0]["metadata"] {
        Value::Object(metadata) => Ok(metadata.clone()),
        Value::Null => Ok(Map::new()),
        other => {
            let what =
                format!("executor_output.json: artifacts.{name}.metadata is {other}; expected an object");
            Err(Fault::new(FaultId::ExecutorOutputBroken, what))
        }
    }
}

fn typed(name: &str, kind: Kind, value: &Value) -> Result<Value, Fault> {
    let text_as_such = kind == Kind::Text && !value.is_string();
    let parsed = match text_as_such {
        true => Err(format!("{value}: expected text")),
        false => parse(kind, &shown(value)),
    };
    parsed.map_err(|why| mistyped(name, kind, "executor_output.json", &why))
}

fn written(name: &str, kind: Kind, path: &Path, limits: &Limits) -> Result<Value, Fault> {
    let bytes = match files::bounded(path, limits.parameter_bytes) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let what = format!(
                "output {name}: more than {} bytes in {}",
                limits.parameter_bytes,
                path.display()
            );
            return Err(Fault::new(FaultId::OutputTooLarge, what));
        }
        Err(error) => {
            let what = format!(
                "output {name}: {}: {error}; expected a file with {kind}",
                path.display()
            );
            return Err(Fault::new(FaultId::OutputMissing, what));
        }
    };
    let file = path.display().to_string();
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| mistyped(name, kind, &file, "is no UTF-8"))?;
    parse(kind, &text).map_err(|why| mistyped(name, kind, &file, &why))
}

fn mistyped(name: &str, kind: Kind, place: &str, why: &str) -> Fault {
    let what = format!("output {name}: {place}: {why} ({kind})");
    Fault::new(FaultId::OutputMistyped, what)
}

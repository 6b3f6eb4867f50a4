//! A model of somebody else's: an ONNX file without a manifest, names and types from its graph.

use super::{LoadError, checks};
use crate::{
    config::Config,
    served::{Engine, Served},
};
use contract::{
    ModelInfo,
    info::Digests,
    manifest::{Feature, Task},
    names,
};
use onnx::{
    Bytes, Model, Plan,
    plan::{Classes, Element, Limits, Port},
};
use std::path::Path;

/// A forest as such, and any other graph that the evaluator knows as a plan.
pub fn parts(path: &Path, bytes: &Bytes) -> Result<Parts, LoadError> {
    match Model::read_shared(bytes) {
        Ok(model) => forest(model),
        // Its words are about the strict form; the evaluator's tell what would be needed.
        Err(_) => {
            let plan = Plan::read_shared(bytes, &Limits::default());
            Ok(plan_parts(plan.map_err(|cause| LoadError::Plan {
                path: path.to_owned(),
                cause: Box::new(cause),
            })?))
        }
    }
}

/// Serves these parts.
pub fn served(config: &Config, path: &Path, digest: String, parts: Parts) -> Served {
    let (engine, task, features, classes) = parts;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let info = ModelInfo {
        name: config
            .name
            .clone()
            .or(stem)
            .unwrap_or_else(|| names::MODEL_NAME.to_owned()),
        model_version: short(&digest),
        run_id: None,
        task,
        algorithm: "onnx".to_owned(),
        features,
        classes,
        metrics: Default::default(),
        dataset: None,
        drift_reference_sources: Vec::new(),
        digests: Digests {
            model: digest,
            image: config.release.digest.clone(),
            ..Digests::default()
        },
        code_commit: None,
        image_tag: config.release.tag.clone(),
    };
    Served::new(engine, info, false, None)
}

/// First 12 hex digits of a digest: enough to tell versions apart where there is no number.
pub fn short(digest: &str) -> String {
    digest.trim_start_matches("sha256:").chars().take(12).collect()
}

/// Engine, task, features and classes.
pub type Parts = (Engine, Task, Vec<Feature>, Vec<String>);

fn forest(model: Model) -> Result<Parts, LoadError> {
    checks::answers(&model, &vec![0.0; model.features()])?;
    let (task, classes) = match model.is_classifier() {
        true => (Task::Classification, model.outputs()),
        false => (Task::Regression, 0),
    };
    let name = |index| format!("feature_{index}");
    let features = (0..model.features()).map(|index| feature(name(index), Element::F32));
    let parts = (features.collect(), (0..classes).map(|class| class.to_string()));
    Ok((Engine::Forest(model), task, parts.0, parts.1.collect()))
}

/// What a plan says of itself. It has answered made-up rows already, when it was read.
fn plan_parts(plan: Plan) -> Parts {
    let features = match plan.inputs() {
        [only] => (0..columns(only))
            .map(|index| feature(format!("feature_{index}"), only.element))
            .collect(),
        several => several.iter().flat_map(features_of).collect(),
    };
    let labels = plan.outputs().iter().find_map(|port| port.labels.as_ref());
    let zipped = plan.outputs().iter().find_map(|port| port.classes.as_ref());
    let classes = match labels.or(zipped) {
        Some(Classes::Ints(classes)) => classes.iter().map(i64::to_string).collect(),
        Some(Classes::Strings(classes)) => classes.iter().map(str::to_owned).collect(),
        None => Vec::new(),
    };
    let is_label = |port: &Port| matches!(port.element, Element::I64 | Element::I32 | Element::Str);
    let task = match plan.outputs().iter().any(is_label) {
        true => Task::Classification,
        false => Task::Regression,
    };
    (Engine::Plan(plan), task, features, classes)
}

/// One feature of the input's name, or one for each of its columns.
fn features_of(input: &Port) -> Vec<Feature> {
    match columns(input) {
        1 => vec![feature(input.name.clone(), input.element)],
        columns => (0..columns)
            .map(|index| feature(format!("{}_{index}", input.name), input.element))
            .collect(),
    }
}

fn columns(input: &Port) -> usize {
    input.shape.iter().skip(1).flatten().product()
}

/// Nothing is known of the values but what their type can hold.
fn feature(name: String, element: Element) -> Feature {
    let (dtype, min, max) = match element {
        // float64 is how values are sent; a float32 model refuses what float32 cannot hold.
        Element::F32 => ("float64", f64::from(f32::MIN), f64::from(f32::MAX)),
        Element::F64 => ("float64", f64::MIN, f64::MAX),
        Element::I64 => ("int64", i64::MIN as f64, i64::MAX as f64),
        Element::I32 => ("int32", f64::from(i32::MIN), f64::from(i32::MAX)),
        Element::Bool => ("bool", 0.0, 1.0),
        Element::Str => ("string", 0.0, 0.0),
    };
    let dtype = dtype.to_owned();
    Feature {
        name,
        dtype,
        min,
        max,
    }
}

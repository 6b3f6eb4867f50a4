//! A Kubeflow Pipelines of scripts and of memory.

pub mod kfp;
pub mod runs;
pub mod wire;

pub use kfp::Kfp;
pub use wire::Reply;

/// The shortest document that the server takes, with parameters of each type.
pub const DOCUMENT: &str = "\
# PIPELINE DEFINITION
pipelineInfo:
  name: iris-retrain
schemaVersion: 2.1.0
root:
  dag:
    tasks:
      train:
        taskInfo: {name: train}
        componentRef: {name: comp-train}
  inputDefinitions:
    parameters:
      seed: {parameterType: NUMBER_INTEGER, defaultValue: 42.0, isOptional: true}
      min_accuracy: {parameterType: NUMBER_DOUBLE, defaultValue: 0.9, isOptional: true}
      model_name: {parameterType: STRING}
      promote: {parameterType: BOOLEAN, isOptional: true}
      layers: {parameterType: LIST, isOptional: true}
      hyper_params: {parameterType: STRUCT, defaultValue: {max_depth: 3.0}, isOptional: true}
components:
  comp-train: {executorLabel: exec-train}
deploymentSpec:
  executors:
    exec-train: {container: {image: trainer:dev, command: [trainer]}}
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-train: {imagePullPolicy: IfNotPresent}
";

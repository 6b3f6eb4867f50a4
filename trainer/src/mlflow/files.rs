//! The files of a logged model: ours, and those by which plain Python loads it.

use super::Story;
use contract::manifest::Task;
use contract::names;
use mlflow_client::{LoggedModel, Run};
use serde_json::{Value, json};

/// Files of the logged model besides those of the model directory, by name.
pub fn for_python(
    story: &Story,
    run: &Run,
    model: &LoggedModel,
    server: &str,
    bytes: usize,
) -> Vec<(String, Vec<u8>)> {
    let requirements = ["mlflow>=3,<4", "numpy", "onnx", "onnxruntime>=1.20", "pandas"];
    let conda = json!({
        "name": "mlflow-env", "channels": ["conda-forge"],
        "dependencies": ["python>=3.10", "pip", {"pip": requirements}],
    });
    let python =
        json!({"python": "3.11", "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]});
    let example: Vec<&Vec<f64>> = story
        .manifest
        .golden_rows
        .iter()
        .take(1)
        .map(|golden| &golden.features)
        .collect();
    let (example, request) = (json!(example), json!({"inputs": example}));
    let text = |value: &Value| {
        serde_yaml::to_string(value)
            .unwrap_or_else(|_| value.to_string())
            .into_bytes()
    };
    vec![
        ("conda.yaml".to_owned(), text(&conda)),
        ("python_env.yaml".to_owned(), text(&python)),
        (
            "requirements.txt".to_owned(),
            (requirements.join("\n") + "\n").into_bytes(),
        ),
        ("input_example.json".to_owned(), example.to_string().into_bytes()),
        (
            "serving_input_example.json".to_owned(),
            request.to_string().into_bytes(),
        ),
        // Last: with it the directory is a model.
        (
            "MLmodel".to_owned(),
            text(&ml_model(story, run, model, server, bytes)),
        ),
    ]
}

/// The `MLmodel` file: flavours, signature, example.
///
/// The signature is of tensors, since MLflow's ONNX flavour turns a data frame's answer into columns
/// of one length, which labels and probabilities are not; with it, arrays and data frames both work.
fn ml_model(story: &Story, run: &Run, model: &LoggedModel, server: &str, bytes: usize) -> Value {
    let manifest = &story.manifest;
    let tensor = |kind: &str, shape: Value| json!({"dtype": kind, "shape": shape});
    let inputs =
        json!([{"type": "tensor", "tensor-spec": tensor("float64", json!([-1, manifest.features.len()]))}]);
    let output = |name: &str, spec: Value| json!({"type": "tensor", "name": name, "tensor-spec": spec});
    let outputs = match manifest.task {
        Task::Classification => json!([
            output(onnx::names::LABEL, tensor("int64", json!([-1]))),
            output(
                onnx::names::PROBABILITIES,
                tensor("float32", json!([-1, manifest.classes.len()]))
            ),
        ]),
        Task::Regression => json!([output(onnx::names::PREDICTION, tensor("float32", json!([-1, 1])))]),
    };
    let names: Vec<&str> = manifest.features.iter().map(|f| f.name.as_str()).collect();
    json!({
        "artifact_path": model.artifact_uri,
        "flavors": {
            "onnx": {
                "code": null, "data": names::MODEL_FILE, "onnx_session_options": null,
                "onnx_version": "1.16.0", "providers": ["CPUExecutionProvider"],
            },
            "python_function": {
                "data": names::MODEL_FILE, "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                "loader_module": "mlflow.onnx", "python_version": "3.11.0",
            },
        },
        "is_signature_from_type_hint": false,
        "metadata": {"features": names, "classes": manifest.classes, "model_digest": manifest.model_digest},
        "mlflow_version": server,
        "model_id": model.model_id,
        "model_size_bytes": bytes,
        "model_uuid": model.model_id,
        "prompts": null,
        "run_id": run.info.run_id,
        "saved_input_example_info": {
            "artifact_path": "input_example.json", "serving_input_path": "serving_input_example.json",
            "type": "ndarray",
        },
        // Texts that hold JSON, as MLflow writes them.
        "signature": {"inputs": inputs.to_string(), "outputs": outputs.to_string(), "params": null},
        "type_hint_from_example": false,
        "utc_time_created": utc(run.info.start_time),
    })
}

fn utc(milliseconds: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

//! Pipelines that were written with the Python SDK are read.

use crate::python;
use kfp::Pipeline;
use serde_json::{Value, json};

const REFERENCES: [(&str, &str); 2] = [
    (
        "iris-retrain",
        include_str!("../data/vendor/reference-pipeline.yaml"),
    ),
    (
        "iris-retrain-shapes",
        include_str!("../data/vendor/reference-shapes.yaml"),
    ),
];

/// Read, written by us and read again it is the same.
fn settled(name: &str, text: &str) -> Pipeline {
    let pipeline = Pipeline::read(text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    assert_eq!(pipeline.name, name);
    let again = pipeline.emit().expect("what was read was checked");
    assert_eq!(
        Pipeline::read(&again.text).expect("was written by us"),
        pipeline,
        "{name}"
    );
    pipeline
}

#[test]
fn reference_documents_are_read() {
    for (name, text) in REFERENCES {
        settled(name, text);
    }
}

#[test]
fn pipelines_of_the_sdk_are_read() {
    let Some(python) = python::kfp("pipelines_of_the_sdk_are_read") else {
        return;
    };
    let said = python::run(&python, "sdk_pipelines.py", &Value::Null);
    let all = said["read"].as_object().expect("an object");
    assert!(all.len() >= 20, "{} pipelines", all.len());
    let mut texts = Vec::new();
    for (name, text) in all {
        let pipeline = settled(name, text.as_str().expect("text"));
        texts.push(pipeline.emit().expect("was checked").text);
    }
    // What we write of them passes the same judges.
    let judged = python::run(&python, "strict.py", &json!(texts));
    for ((name, _), judged) in all.iter().zip(judged.as_array().expect("a list")) {
        assert_eq!(judged["errors"], json!([]), "{name}");
    }
    println!(
        "{} pipelines of the SDK and {} references: all read",
        all.len(),
        REFERENCES.len()
    );

    for (name, expected) in [
        (
            "importer",
            "deploymentSpec.executors.exec-importer.importer: is not supported: an importer needs",
        ),
        (
            "concat",
            "deploymentSpec.executors.exec-joined.container.args[0]: is not supported: {\"Concat\": …}",
        ),
        ("metadata", "{{$.inputs.artifacts['data'].metadata['rows']}} here"),
        (
            "bare-number",
            "root.dag.tasks.say: input text: expects STRING, is given 15",
        ),
        (
            "shared-folder",
            "platforms.kubernetes.pipelineConfig.workspace: is not supported",
        ),
    ] {
        let text = said["refused"][name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}"));
        let error = Pipeline::read(text).expect_err(name).to_string();
        let expected = expected.replace("root.dag.tasks.say", "pipeline bare-number: task say");
        assert!(error.contains(&expected), "{name}: {error}");
    }
    let lightweight = said["python"].as_str().expect("text");
    let read = settled("lightweight", lightweight);
    let kfp::model::Body::Container(step) = &read.components["hello"].body else {
        panic!("no container")
    };
    assert_eq!(
        step.command[0],
        "sh".into(),
        "a Python function is a command, too"
    );
}

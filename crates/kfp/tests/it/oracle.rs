//! The published messages and the SDK judge what is written.

use crate::{generate, python};
use kfp::Pipeline;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const PIPELINES: usize = 220;

#[test]
fn every_document_is_parsed_strictly_and_loaded() {
    let Some(python) = python::kfp("every_document_is_parsed_strictly_and_loaded") else {
        return;
    };
    let mut runner = TestRunner::deterministic();
    let pipelines: Vec<Pipeline> = (0..PIPELINES)
        .map(|_| {
            generate::pipelines()
                .new_tree(&mut runner)
                .expect("no filter")
                .current()
        })
        .collect();
    let texts: Vec<String> = pipelines
        .iter()
        .map(|one| one.emit().expect("was checked").text)
        .collect();
    let judged = python::run(&python, "strict.py", &json!(texts));
    let tasks: usize = pipelines.iter().map(tasks).sum();
    for ((pipeline, text), judged) in pipelines
        .iter()
        .zip(&texts)
        .zip(judged.as_array().expect("a list"))
    {
        assert_eq!(judged["errors"], json!([]), "{text}");
        // Python reads YAML 1.1, we read 1.2: both find the same.
        assert_eq!(judged["documents"], documents(text), "{text}");
        // What the SDK has loaded and written again is the same pipeline.
        let again = judged["again"].as_str().expect("text");
        assert_eq!(
            &Pipeline::read(again).unwrap_or_else(|error| panic!("{error}\n{again}")),
            pipeline
        );
    }
    println!("{PIPELINES} pipelines with {tasks} tasks: all parsed strictly and loaded by the SDK");
    assert!(
        tasks > 4 * PIPELINES,
        "{tasks} tasks: the generator makes hardly anything"
    );
}

fn tasks(pipeline: &Pipeline) -> usize {
    let inner = pipeline
        .components
        .values()
        .map(|component| match &component.body {
            kfp::model::Body::Dag(dag) => dag.tasks.len(),
            kfp::model::Body::Container(_) => 0,
        });
    pipeline.dag.tasks.len() + inner.sum::<usize>()
}

/// The documents as our own reader finds them.
pub fn documents(text: &str) -> Value {
    use serde::Deserialize;
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .collect()
}

//! The reference pipelines, written with the builder: the same as the SDK's documents, field by field, but for
//! the differences that are listed here.

mod written;

use kfp::Pipeline;
use serde_json::{Value, json};
pub use written::retrain;
use written::shapes;

/// Names that the SDK counts and we take from the user, who then finds them in the server's list of tasks;
/// and one component for tasks that run the same, where the SDK makes one for each.
const NAMES: &[(&str, &str)] = &[
    ("condition-1", "validation-passed"),
    ("exit-handler-1", "always-notify"),
    ("condition-branches-4", "how-many-rows"),
    ("condition-5", "enough-rows"),
    ("condition-6", "too-few-rows"),
    ("for-loop-3", "sweep"),
    ("pipelinechannel--loop-item-param-2", "pipelinechannel--item"),
    ("comp-notify-2", "comp-notify"),
    ("comp-notify-3", "comp-notify"),
    ("exec-notify-2", "exec-notify"),
    ("exec-notify-3", "exec-notify"),
];

/// The SDK's documents as we mean to write them.
fn intended(text: &str) -> Value {
    let mut documents = crate::oracle::documents(text);
    renamed(&mut documents);
    let pipeline = &mut documents[0];
    // Read by nobody.
    pipeline.as_object_mut().expect("an object").remove("sdkVersion");
    let labels: Vec<String> = keys(&pipeline["deploymentSpec"]["executors"]);
    for label in &labels {
        // The numbers beside the texts are ignored by the server.
        if let Some(resources) =
            pipeline["deploymentSpec"]["executors"][label]["container"].get_mut("resources")
        {
            resources
                .as_object_mut()
                .expect("an object")
                .retain(|field, _| field.starts_with("resource"));
        }
    }
    // The stock 120 s count from the start of the first attempt, of which one may take ten minutes.
    let tasks = &mut pipeline["root"]["dag"]["tasks"];
    if let Some(retry) = tasks
        .get_mut("train")
        .and_then(|train| train.get_mut("retryPolicy"))
    {
        retry["backoffMaxDuration"] = json!("86400s");
    }
    // A container's default is never applied: it is passed. `--branch main` never appears with the SDK's document.
    if let Some(deploy) = pipeline.pointer_mut("/components/comp-validation-passed/dag/tasks/deploy") {
        deploy["inputs"]["parameters"]["branch"] = json!({"runtimeValue": {"constant": "main"}});
    }
    let executors = &mut documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"];
    for label in &labels {
        // No step runs for ever, as root or without a /tmp.
        let pod = &mut executors[label];
        pod["activeDeadlineSeconds"] = json!("600");
        pod["emptyDirMounts"] = json!([{"volumeName": "tmp", "mountPath": "/tmp"}]);
        pod["securityContext"] = json!({"runAsUser": "65532", "runAsGroup": "65532", "runAsNonRoot": true});
        pod["imagePullPolicy"] = json!("IfNotPresent");
        // The plain names are what `…NameParameter` replaced.
        for field in ["secretAsEnv", "secretAsVolume", "imagePullSecret", "pvcMount"] {
            for one in pod
                .get_mut(field)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                let one = one.as_object_mut().expect("an object");
                one.remove("secretName");
                one.remove("constant");
            }
        }
    }
    documents
}

fn keys(object: &Value) -> Vec<String> {
    object.as_object().expect("an object").keys().cloned().collect()
}

fn renamed(value: &mut Value) {
    match value {
        Value::String(text) => {
            // A loop's items are JSON inside of a text: the same whatever its spaces are.
            if let Ok(items @ Value::Array(_)) = serde_json::from_str(text) {
                *text = items.to_string();
            }
            *text = name(text);
        }
        Value::Array(items) => items.iter_mut().for_each(renamed),
        Value::Object(map) => {
            for (key, mut item) in std::mem::take(map) {
                renamed(&mut item);
                map.insert(name(&key), item);
            }
        }
        _ => {}
    }
}

fn name(text: &str) -> String {
    let known = NAMES
        .iter()
        .find(|(theirs, _)| text.trim_start_matches("comp-") == *theirs || text == *theirs);
    known.map_or_else(|| text.to_owned(), |(theirs, ours)| text.replace(theirs, ours))
}

fn compare(pipeline: &Pipeline, reference: &str) {
    let ours = pipeline.emit().expect("was checked");
    let (ours, theirs) = (crate::oracle::documents(&ours.text), intended(reference));
    let mut differences = Vec::new();
    differ("", &ours, &theirs, &mut differences);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(ours, theirs);
}

fn differ(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(one), Value::Object(other)) => {
            let mut all: Vec<&String> = one.keys().chain(other.keys()).collect();
            all.sort();
            all.dedup();
            for key in all {
                let (one, other) = (one.get(key), other.get(key));
                let null = Value::Null;
                differ(
                    &format!("{path}/{key}"),
                    one.unwrap_or(&null),
                    other.unwrap_or(&null),
                    found,
                );
            }
        }
        _ if ours == theirs => {}
        _ => found.push(format!("{path}: ours {ours}, theirs {theirs}")),
    }
}

#[test]
fn reference_pipeline_is_the_same() {
    compare(
        &retrain(),
        include_str!("../../data/vendor/reference-pipeline.yaml"),
    );
}

#[test]
fn reference_shapes_are_the_same() {
    compare(&shapes(), include_str!("../../data/vendor/reference-shapes.yaml"));
}

#[test]
fn our_document_is_as_it_was() {
    insta::assert_snapshot!(shapes().emit().expect("was checked").text);
}

/// The same pipeline, made anew, is the same bytes.
#[test]
fn documents_are_deterministic() {
    let (one, other) = (retrain().emit(), retrain().emit());
    assert_eq!(one, other);
    let one = one.expect("was checked");
    assert_eq!(one.version.len(), "sha256-".len() + 12);
    assert_ne!(one.version, shapes().emit().expect("was checked").version);
}

//! The platform document.

use super::{executor, fill, put};
use crate::kubernetes::{EmptyDir, KeysAsEnv, Kubernetes, Named, Volume};
use crate::model::{Body, Pipeline};
use serde_json::{Map, Value, json};

/// None where there is nothing to say.
pub(super) fn document(pipeline: &Pipeline) -> Option<Value> {
    let mut executors = Map::new();
    for (name, component) in &pipeline.components {
        if let Body::Container(container) = &component.body {
            fill(&mut executors, &executor(name), pod(&container.kubernetes));
        }
    }
    let life = &pipeline.lifetime;
    let mut config = Map::new();
    put(
        &mut config,
        "resourceTtlOnCompletion",
        life.after_end_seconds.as_ref(),
    );
    put(
        &mut config,
        "resourceTtlOnSuccess",
        life.after_success_seconds.as_ref(),
    );
    put(
        &mut config,
        "resourceTtlOnFailure",
        life.after_failure_seconds.as_ref(),
    );
    put(
        &mut config,
        "activeDeadlineSeconds",
        life.deadline_seconds.as_ref(),
    );
    let mut kubernetes = Map::new();
    if !executors.is_empty() {
        kubernetes.insert("deploymentSpec".to_owned(), json!({"executors": executors}));
    }
    fill(&mut kubernetes, "pipelineConfig", config);
    (!kubernetes.is_empty()).then(|| json!({"platforms": {"kubernetes": kubernetes}}))
}

fn pod(pod: &Kubernetes) -> Map<String, Value> {
    let mut said = Map::new();
    // 64-bit numbers are text in the messages' JSON.
    let seconds = pod.deadline_seconds.map(|seconds| seconds.to_string());
    put(&mut said, "activeDeadlineSeconds", seconds.as_ref());
    put(
        &mut said,
        "imagePullPolicy",
        pod.pull_policy.map(|policy| policy.word()).as_ref(),
    );
    let keys = |all: &[KeysAsEnv], object: &str, key: &str| {
        let one = |keys: &KeysAsEnv| {
            let pairs = keys.keys.iter();
            let pairs: Value = pairs
                .map(|(name, env)| json!({key: name, "envVar": env}))
                .collect();
            json!({object: named(&keys.object), "keyToEnv": pairs, "optional": keys.optional})
        };
        all.iter().map(one).collect()
    };
    let volumes = |all: &[Volume], object: &str| {
        let one = |volume: &Volume| {
            json!({
                object: named(&volume.object),
                "mountPath": volume.path,
                "optional": volume.optional,
            })
        };
        all.iter().map(one).collect()
    };
    let claim = |claim: &crate::kubernetes::Claim| {
        let mut said = Map::from_iter([
            ("pvcNameParameter".to_owned(), named(&claim.object)),
            ("mountPath".to_owned(), json!(claim.path)),
        ]);
        put(&mut said, "subPath", claim.sub_path.as_ref());
        Value::Object(said)
    };
    let lists: [(&str, Vec<Value>); 8] = [
        (
            "imagePullSecret",
            (pod.pull_secrets.iter())
                .map(|object| json!({"secretNameParameter": named(object)}))
                .collect(),
        ),
        (
            "secretAsEnv",
            keys(&pod.secret_env, "secretNameParameter", "secretKey"),
        ),
        (
            "configMapAsEnv",
            keys(&pod.config_map_env, "configMapNameParameter", "configMapKey"),
        ),
        (
            "secretAsVolume",
            volumes(&pod.secret_volumes, "secretNameParameter"),
        ),
        (
            "configMapAsVolume",
            volumes(&pod.config_map_volumes, "configMapNameParameter"),
        ),
        ("pvcMount", pod.claims.iter().map(claim).collect()),
        ("emptyDirMounts", pod.empty_dirs.iter().map(empty).collect()),
        (
            "fieldPathAsEnv",
            (pod.field_env.iter())
                .map(|(name, field)| json!({"name": name, "fieldPath": field}))
                .collect(),
        ),
    ];
    for (field, all) in lists {
        if !all.is_empty() {
            said.insert(field.to_owned(), Value::Array(all));
        }
    }
    let mut metadata = Map::new();
    for (field, all) in [("labels", &pod.labels), ("annotations", &pod.annotations)] {
        fill(&mut metadata, field, super::entries(all, |text| json!(text)));
    }
    fill(&mut said, "podMetadata", metadata);
    let mut user = Map::new();
    put(
        &mut user,
        "runAsUser",
        pod.user.id.map(|id| id.to_string()).as_ref(),
    );
    put(
        &mut user,
        "runAsGroup",
        pod.user.group.map(|id| id.to_string()).as_ref(),
    );
    put(&mut user, "runAsNonRoot", pod.user.not_root.as_ref());
    fill(&mut said, "securityContext", user);
    said.extend(
        pod.scheduling
            .iter()
            .map(|(field, value)| (field.clone(), value.clone())),
    );
    said
}

/// The form that replaced the plain names, which the SDK still writes beside it.
fn named(object: &Named) -> Value {
    match object {
        Named::Constant(name) => json!({"runtimeValue": {"constant": name}}),
        Named::Parent(input) => json!({"componentInputParameter": input}),
        Named::Task(from) => json!({"taskOutputParameter": super::dag::output(from)}),
    }
}

fn empty(empty: &EmptyDir) -> Value {
    let mut said = Map::from_iter([
        ("volumeName".to_owned(), json!(empty.name)),
        ("mountPath".to_owned(), json!(empty.path)),
    ]);
    put(&mut said, "medium", empty.medium.as_ref());
    put(&mut said, "sizeLimit", empty.size_limit.as_ref());
    Value::Object(said)
}

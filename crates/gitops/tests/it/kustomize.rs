//! Rendered with a minimal base by kustomize itself: a misspelt image name would do nothing, silently.

use crate::common::{ENVIRONMENT, oracle, release, skipped, write};
use contract::Tag;
use gitops::Release;
use std::process::Command;

const BASE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: inference-api}
spec:
  replicas: 1
  selector: {matchLabels: {app.kubernetes.io/name: inference-api}}
  template:
    metadata: {labels: {app.kubernetes.io/name: inference-api}, annotations: {kept: "yes"}}
    spec: {containers: [{name: inference-api, image: inference-api}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: other}}
  template:
    metadata: {labels: {app.kubernetes.io/name: other}}
    spec: {containers: [{name: other, image: other}]}
"#;

/// The rendered Deployments by name.
fn render(test: &str, component: &str) -> Option<[serde_yaml::Value; 2]> {
    let Some(kubectl) = oracle("kubectl") else {
        skipped(test, "no kubectl");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("base/deployment.yaml"), BASE);
    write(
        &folder.path().join("base/kustomization.yaml"),
        "resources: [deployment.yaml]\n",
    );
    write(
        &folder.path().join("overlay/release/kustomization.yaml"),
        component,
    );
    write(
        &folder.path().join("overlay/kustomization.yaml"),
        "resources: [../base]\ncomponents: [release]\n",
    );
    let output = Command::new(kubectl)
        .arg("kustomize")
        .arg(folder.path().join("overlay"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<serde_yaml::Value> = text
        .split("\n---\n")
        .map(|part| serde_yaml::from_str(part).unwrap())
        .collect();
    Some(["inference-api", "other"].map(|name| {
        objects
            .iter()
            .find(|object| object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("{text}"))
            .clone()
    }))
}

#[test]
fn the_release_reaches_its_deployment_and_no_other() {
    let test = "the_release_reaches_its_deployment_and_no_other";
    for (version, commit, name, run) in [
        (3, "abcdef0", "inference-api", "0123456789abcdef"),
        // Every part looks like a number, a time or a switch.
        (12, "1234567", "localhost:5000/team/inference-api", "12:30"),
        (1, "0000000", "127.0.0.1:5000/inference-api", "1e3"),
        (7, "12e4567", "inference-api", "on"),
    ] {
        let release = Release {
            tag: Tag::new(version, commit).unwrap(),
            new_name: name.to_owned(),
            run_id: run.to_owned(),
            code_commit: "1234567890123456789012345678901234567890".to_owned(),
            ..release(version)
        };
        let Some([ours, other]) = render(test, &release.to_yaml().unwrap()) else {
            return;
        };
        let template = &ours["spec"]["template"];
        assert_eq!(
            template["spec"]["containers"][0]["image"],
            format!("{name}@{}", release.digest).as_str()
        );
        let annotations = &template["metadata"]["annotations"];
        for (key, value) in [
            ("kept", "yes"),
            ("driftless.dev/image-tag", release.tag.to_string().as_str()),
            ("driftless.dev/image-digest", &release.digest),
            ("driftless.dev/model-version", &release.model_version.to_string()),
            ("driftless.dev/run-id", &release.run_id),
            ("driftless.dev/model-digest", &release.model_digest),
            ("driftless.dev/dataset-digest", &release.dataset_digest),
            ("driftless.dev/git-commit", &release.code_commit),
        ] {
            // A number or a switch would be another kind of value here.
            assert_eq!(annotations[key], serde_yaml::Value::from(value), "{key}");
        }
        assert_eq!(
            ours["metadata"].get("annotations"),
            None,
            "the Deployment itself is not annotated"
        );
        assert_eq!(other["spec"]["template"]["metadata"].get("annotations"), None);
        assert_eq!(
            other["spec"]["template"]["spec"]["containers"][0]["image"],
            "other"
        );
    }
}

#[test]
fn before_the_first_promotion_there_are_no_replicas() {
    let text = Release::unreleased_yaml(ENVIRONMENT);
    if let Some([ours, _]) = render("before_the_first_promotion_there_are_no_replicas", &text) {
        assert_eq!(ours["spec"]["replicas"], 0);
    }
}

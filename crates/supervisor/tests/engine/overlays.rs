//! The repository's own overlays: what they render to, whether Kubernetes knows every field, the
//! rules of manifests/README.md, and what the local engine makes of them.

use crate::support::World;
use engine::{Engine, Health, Sync};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const APPS: [&str; 4] = ["drift-monitor", "inference-api", "mlflow", "training"];
/// The schemas nearest to the cluster version of `k8s-openapi` in this workspace.
const KUBERNETES: &str = "1.36";
const API_DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TRAINER_DIGEST: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// All files that the overlays of this engine are made of. What machines write into the release components differs from clone
/// to clone, so it is replaced by a fixed release.
fn files() -> BTreeMap<String, String> {
    let root = workspace();
    let mut files = BTreeMap::new();
    for folder in ["manifests", "kustomize/overlays/local"] {
        collect(&root, &root.join(folder), &mut files);
    }
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
    let images = |name: &str, digest: &str| {
        format!("{component}images:\n  - name: {name}\n    newName: {name}\n    digest: \"{digest}\"\n")
    };
    let patch = format!(
        "patches:\n  - target: {{kind: Deployment, name: inference-api}}\n    patch: |-\n      apiVersion: apps/v1\n      kind: Deployment\n      \
         metadata: {{name: inference-api}}\n      spec: {{template: {{metadata: {{annotations: {{driftless.dev/image-tag: \"m7-abcdef0\", \
         driftless.dev/image-digest: \"{API_DIGEST}\"}}}}}}}}\n"
    );
    for (folder, text) in [
        (
            "inference-api/release",
            images("inference-api", API_DIGEST) + &patch,
        ),
        ("training/release/image", images("trainer", TRAINER_DIGEST)),
    ] {
        files.insert(
            format!("kustomize/overlays/local/{folder}/kustomization.yaml"),
            text,
        );
    }
    files
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// Renders every overlay of the `local` environment.
fn rendered() -> Option<BTreeMap<&'static str, String>> {
    let kubectl = crate::support::kubectl()?;
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files() {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let render = |app: &'static str| {
        let overlay = root.path().join("kustomize/overlays/local").join(app);
        let output = Command::new(&kubectl)
            .arg("kustomize")
            .arg(overlay)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{app}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        (app, String::from_utf8(output.stdout).unwrap())
    };
    Some(APPS.into_iter().map(render).collect())
}

fn documents(text: &str) -> Vec<Value> {
    use serde::Deserialize;
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

/// Pod specs with `Kind/name` and labels.
fn pods(documents: &[Value]) -> Vec<(String, Value)> {
    let template = |object: &Value| match object["kind"].as_str()? {
        "Deployment" => Some(object["spec"]["template"].clone()),
        "CronJob" => Some(object["spec"]["jobTemplate"]["spec"]["template"].clone()),
        _ => None,
    };
    let named = |object: &Value| format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]));
    documents
        .iter()
        .filter_map(|object| Some((named(object), template(object)?)))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn the_overlays_render_as_reviewed() {
    let Some(rendered) = rendered() else { return };
    for (app, text) in rendered {
        insta::assert_snapshot!(app, text);
    }
}

#[test]
fn every_container_runs_the_image_that_is_meant() {
    let Some(rendered) = rendered() else { return };
    let mut found = BTreeMap::new();
    for text in rendered.values() {
        for (name, template) in pods(&documents(text)) {
            for container in template["spec"]["containers"].as_array().unwrap() {
                let key = format!("{name}/{}", self::text(&container["name"]));
                found.insert(key, self::text(&container["image"]).to_owned());
            }
        }
    }
    let expected = [
        (
            "CronJob/drift-monitor/trainer",
            format!("trainer@{TRAINER_DIGEST}"),
        ),
        ("CronJob/training/trainer", format!("trainer@{TRAINER_DIGEST}")),
        (
            "Deployment/inference-api/inference-api",
            format!("inference-api@{API_DIGEST}"),
        ),
        (
            "Deployment/mlflow/mlflow",
            "ghcr.io/mlflow/mlflow:v3.17.2".to_owned(),
        ),
    ];
    assert_eq!(
        found,
        expected.map(|(name, image)| (name.to_owned(), image)).into()
    );
}

#[test]
fn selectors_and_pods_keep_the_rules() {
    let Some(rendered) = rendered() else { return };
    for (app, text) in rendered {
        let documents = documents(&text);
        for object in &documents {
            let selector = match object["kind"].as_str() {
                Some("Deployment") => &object["spec"]["selector"]["matchLabels"],
                Some("Service") => &object["spec"]["selector"],
                _ => continue,
            };
            let keys: Vec<_> = selector.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["app.kubernetes.io/name"], "{app}");
        }
        for (name, template) in pods(&documents) {
            let (spec, labels) = (&template["spec"], &template["metadata"]["labels"]);
            assert_eq!(labels["app.kubernetes.io/name"], app, "{name}");
            assert_eq!(labels["app.kubernetes.io/part-of"], "driftless", "{name}");
            assert_eq!(spec["serviceAccountName"], app, "{name}");
            // Only these two ask the Kubernetes API for something.
            let asks = ["CronJob/training", "CronJob/drift-monitor"].contains(&name.as_str());
            assert_eq!(spec["automountServiceAccountToken"], asks, "{name}");
            assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{name}");
            assert_eq!(
                spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
                "{name}"
            );
            for container in spec["containers"].as_array().unwrap() {
                let security = &container["securityContext"];
                assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(
                    security["capabilities"],
                    serde_json::json!({"drop": ["ALL"]}),
                    "{name}"
                );
                for (kind, resource) in [("requests", "cpu"), ("requests", "memory"), ("limits", "memory")] {
                    assert!(
                        container["resources"][kind][resource].is_string(),
                        "{name} {kind} {resource}"
                    );
                }
                assert_eq!(container["imagePullPolicy"], "IfNotPresent", "{name}");
                if name.starts_with("Deployment/") {
                    for probe in ["readinessProbe", "livenessProbe"] {
                        assert_eq!(container[probe]["httpGet"]["port"], "http", "{name} {probe}");
                    }
                    // Whoever is still starting is not ended for it.
                    let probe = match &container["startupProbe"] {
                        Value::Null => &container["livenessProbe"],
                        startup => startup,
                    };
                    let tries = probe["failureThreshold"]
                        .as_u64()
                        .zip(probe["periodSeconds"].as_u64());
                    let patience_s = tries.map(|(tries, pause_s)| tries * pause_s);
                    assert!(patience_s >= Some(30), "{name}: {patience_s:?} s to start");
                }
            }
        }
    }
}

#[test]
fn kubernetes_knows_every_field() {
    let Some(rendered) = rendered() else { return };
    let validator = workspace().join("target/tools/oracle/bin/kubernetes-validate");
    let python = std::env::var_os("DRIFTLESS_ORACLE_PYTHON").map(PathBuf::from);
    let validator = python.map_or(validator, |python| python.with_file_name("kubernetes-validate"));
    if !validator.is_file() {
        let strict = std::env::var("DRIFTLESS_STRICT").is_ok_and(|value| value == "1");
        assert!(!strict, "no kubernetes-validate; run cargo xtask test");
        return eprintln!(
            "SKIPPED kubernetes_knows_every_field: no oracle environment; run cargo xtask test"
        );
    }
    let validate = |text: &str| {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        fs::write(file.path(), text).unwrap();
        let mut command = Command::new(&validator);
        command
            .args(["--strict", "--kubernetes-version", KUBERNETES])
            .arg(file.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    for (app, text) in &rendered {
        let (valid, said) = validate(text);
        assert!(valid, "{app}: {said}");
        assert_eq!(
            said.matches("passed for resource").count(),
            documents(text).len(),
            "{said}"
        );
    }
    let misspelt =
        rendered["inference-api"].replace("terminationGracePeriodSeconds", "terminationGraceSeconds");
    assert!(!validate(&misspelt).0, "the check can fail");
}

#[test]
fn files_keep_the_rules() {
    for (path, text) in files() {
        let name = path.rsplit('/').next().unwrap();
        // What is vendored stays as upstream made it (ADR 0016).
        if !name.ends_with(".yaml") || path.contains("/upstream/") {
            continue;
        }
        let documents = documents(&text);
        assert_eq!(documents.len(), 1, "{path}: one object per file");
        let object = &documents[0];
        for quoted in ["newTag: ", "digest: "] {
            for line in text.lines().filter(|line| line.trim_start().starts_with(quoted)) {
                assert!(line.ends_with('"'), "{path}: {line}: tags and digests are quoted");
            }
        }
        assert!(!text.contains("latest"), "{path}: no floating tag");
        if name == "kustomization.yaml" {
            continue;
        }
        let kind = object["kind"].as_str().unwrap().to_lowercase();
        // Nine Deployments of one folder are patched: there the object's own name says more than its kind.
        let own = self::text(&object["metadata"]["name"]);
        let is_own = path.contains("/patches/") && own.starts_with(name.trim_end_matches(".yaml"));
        assert!(
            name == format!("{kind}.yaml") || name.starts_with(&format!("{kind}-")) || is_own,
            "{path}: named after its kind"
        );
        if path.starts_with("manifests/") && APPS.iter().any(|app| path.split('/').nth(1) == Some(app)) {
            let folder = path.split('/').nth(1).unwrap();
            // What others call it by; rules about it (policies, roles) have names of their own.
            if ["deployment", "cronjob", "service", "serviceaccount"].contains(&kind.as_str()) {
                assert_eq!(
                    self::text(&object["metadata"]["name"]),
                    folder,
                    "{path}: folder = name"
                );
            }
            assert!(
                object["metadata"]["namespace"].is_null(),
                "{path}: a base names no namespace"
            );
            for (_, template) in pods(&documents) {
                let image = self::text(&template["spec"]["containers"][0]["image"]);
                assert!(
                    !image.contains([':', '@']),
                    "{path}: a base names no tag or digest"
                );
            }
        }
    }
}

#[test]
fn the_local_engine_takes_them_as_they_are() {
    let Some(kubectl) = crate::support::kubectl() else {
        return;
    };
    let server = env!("CARGO_BIN_EXE_engine-test-server");
    // Stands in for the stand-in: the port and the probe are those of the overlay.
    let stand_ins = format!(
        "stand_ins: {{mlflow: {{program: {server}, env: {{PORT: $(PORT)}}, description: a test server}}}}\n"
    );
    let mut world = World::new(&kubectl, &stand_ins);
    let mut all = files();
    all.retain(|path, _| !path.ends_with("inference-api/release/kustomization.yaml"));
    let unreleased = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nreplicas: [{name: inference-api, count: 0}]\n";
    all.insert(
        "kustomize/overlays/local/inference-api/release/kustomization.yaml".into(),
        unreleased.into(),
    );
    // The test server answers /livez and /readyz only.
    let deployment = all.get_mut("manifests/mlflow/deployment.yaml").unwrap();
    *deployment = deployment.replace("path: /health", "path: /readyz");
    let files: Vec<_> = all
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let commit = world.commit(&files);
    world.start();
    let mlflow = world.wait_live("mlflow", &commit);
    assert_eq!(mlflow.stand_in.as_deref(), Some("a test server"));
    assert_eq!(
        mlflow.address,
        Some(format!("http://127.0.0.1:{}", 30500 + world.offset))
    );
    let api = world.wait_live("inference-api", &commit);
    assert_eq!(
        (api.replicas_wanted, api.replicas.len()),
        (0, 0),
        "nothing is released yet"
    );
    for app in ["training", "drift-monitor"] {
        let app = world.wait_app("Missing", app, |app| app.health == Health::Missing);
        assert_eq!(app.sync, Sync::OutOfSync);
        assert!(app.message.contains(TRAINER_DIGEST), "{}", app.message);
        assert_eq!(app.next_schedule.is_some(), app.name == "drift-monitor");
    }
    let status = world.engine().status().unwrap();
    let listed = status.apps.iter().flat_map(|app| &app.not_honoured);
    let listed: Vec<String> = listed
        .map(|n| format!("{} {}: {}", n.object, n.field, n.instead))
        .collect();
    insta::assert_snapshot!("not_honoured", listed.join("\n"));
}

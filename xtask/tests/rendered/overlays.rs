//! Snapshots, images, house rules, and that Argo CD may make what is rendered.

use crate::tree::{self, INSTALL, list, named, objects, text};
use serde_yaml::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};
use xtask::cmd::render::{crd, rules};

#[test]
fn the_folders_render_as_reviewed() {
    let Some(rendered) = tree::rendered() else { return };
    for (name, text) in rendered {
        // Upstream's 30 objects are reviewed by what ours change in them; `local` is the engine's.
        // So are the types of Kubeflow Pipelines, whose 16,000 lines are compared with their pin.
        if name != INSTALL && !name.starts_with("local-") && !name.ends_with("-crds") {
            insta::assert_snapshot!(name.as_str(), text);
        }
    }
}

#[test]
fn every_container_runs_the_image_that_is_meant() {
    let Some(rendered) = tree::rendered() else { return };
    let mut table = String::new();
    for (name, text) in rendered.iter().filter(|(name, _)| *name != INSTALL) {
        images(name, text, &mut table);
    }
    insta::assert_snapshot!("images", table);
    if let Some(text) = rendered.get(INSTALL) {
        let mut table = String::new();
        images(INSTALL, text, &mut table);
        insta::assert_snapshot!("images-argocd", table);
    }
}

fn images(folder: &str, rendered: &str, table: &mut String) {
    for object in objects(rendered) {
        for of in ["initContainers", "containers"] {
            for container in list(&rules::pod_spec(&object)[of]) {
                let (name, image) = (text(&container["name"]), text(&container["image"]));
                writeln!(table, "{folder} {} {name}: {image}", named(&object)).unwrap();
            }
        }
    }
}

#[test]
fn objects_and_pods_keep_the_house_rules() {
    let Some(rendered) = tree::rendered() else { return };
    let crds = rendered
        .get(INSTALL)
        .map(|text| crd::read(text).unwrap())
        .unwrap_or_default();
    let mut wrong = Vec::new();
    for (name, text) in rendered {
        for object in objects(text) {
            wrong.extend(rules::check_object(&object));
            wrong.extend(rules::check_pod(&object));
            if object["apiVersion"] == crd::API_VERSION {
                wrong.extend(crd::check(&crds, &object));
            }
            let ours = name != INSTALL && object["kind"] != "Application";
            let part = &object["metadata"]["labels"]["app.kubernetes.io/part-of"];
            let exempt = name.starts_with("local-") || object["metadata"]["annotations"].is_mapping();
            if ours && !exempt && part.is_null() {
                wrong.push(format!("{name}: {} is part of nothing", named(&object)));
            }
        }
    }
    assert_eq!(wrong, [] as [&str; 0]);
}

#[test]
fn the_rules_find_what_breaks_them() {
    let Some(rendered) = tree::rendered() else { return };
    let good = &rendered["minikube-mlflow"];
    let wrong = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        let changed = objects(&good.replace(from, to));
        let found = changed.iter().flat_map(|object| {
            let mut all = rules::check_pod(object);
            all.extend(rules::check_object(object));
            all
        });
        found.collect::<Vec<_>>().join("; ")
    };
    for (from, to, expected) in [
        ("runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
        (
            "readOnlyRootFilesystem: true",
            "readOnlyRootFilesystem: false",
            "readOnlyRootFilesystem",
        ),
        ("- ALL", "- NET_RAW", "capabilities"),
        ("RuntimeDefault", "Unconfined", "seccompProfile"),
        (
            "enableServiceLinks: false",
            "enableServiceLinks: true",
            "enableServiceLinks",
        ),
        ("livenessProbe:", "lifecycle:", "livenessProbe"),
        (
            "imagePullPolicy: IfNotPresent",
            "imagePullPolicy: Always",
            "imagePullPolicy",
        ),
        (
            "memory: 500Mi",
            "ephemeral-storage: 500Mi",
            "resources.requests.memory",
        ),
        ("mlflow:v3.17.2", "mlflow:latest", "no fixed tag"),
        (
            "matchLabels:\n      app.kubernetes.io/name:",
            "matchLabels:\n      tier:",
            "selector has tier",
        ),
    ] {
        let found = wrong(from, to);
        assert!(found.contains(expected), "{to}: {found:?}");
    }
}

/// Each environment's Applications may make exactly the kinds that they render, where they render them.
#[test]
fn argocd_may_make_what_is_rendered_and_nothing_else() {
    let Some(rendered) = tree::rendered() else { return };
    for environment in ["minikube", "prod"] {
        let own = objects(&rendered[&format!("argocd-{environment}")]);
        let of_kind = |kind: &str| {
            own.iter()
                .filter(move |object| object["kind"] == kind)
                .cloned()
                .collect::<Vec<_>>()
        };
        for project in of_kind("AppProject") {
            let project_name = text(&project["metadata"]["name"]);
            let mut used: BTreeSet<(String, String)> = BTreeSet::new();
            let mut namespaces = BTreeSet::new();
            let mut sources = BTreeSet::new();
            for app in of_kind("Application")
                .iter()
                .filter(|app| app["spec"]["project"] == project_name)
            {
                sources.insert(text(&app["spec"]["source"]["repoURL"]).to_owned());
                let folder = match text(&app["metadata"]["name"]) {
                    "root" => format!("argocd-{environment}"),
                    app => format!("{environment}-{app}"),
                };
                for object in objects(&rendered[&folder]) {
                    used.insert((group(&object), text(&object["kind"]).to_owned()));
                    namespaces.insert(text(&object["metadata"]["namespace"]).to_owned());
                }
            }
            let allowed = |field: &str| -> BTreeSet<(String, String)> {
                list(&project["spec"][field])
                    .map(|one| (text(&one["group"]).to_owned(), text(&one["kind"]).to_owned()))
                    .collect()
            };
            let all: BTreeSet<_> = allowed("clusterResourceWhitelist")
                .union(&allowed("namespaceResourceWhitelist"))
                .cloned()
                .collect();
            let missing: Vec<_> = used.difference(&all).collect();
            assert!(
                missing.is_empty(),
                "{environment} {project_name}: may not make {missing:?}"
            );
            let destinations: BTreeSet<_> = list(&project["spec"]["destinations"])
                .map(|one| text(&one["namespace"]).to_owned())
                .collect();
            namespaces.remove("");
            assert!(
                namespaces.is_subset(&destinations),
                "{environment} {project_name}: {namespaces:?}"
            );
            let repositories: BTreeSet<_> = list(&project["spec"]["sourceRepos"])
                .map(|one| text(one).to_owned())
                .collect();
            assert_eq!(repositories, sources, "{environment} {project_name}");
            // What only one environment uses (an autoscaler, the Git server) is allowed in both.
            let elsewhere: BTreeSet<(String, String)> = rendered
                .iter()
                .filter(|(name, _)| {
                    name.starts_with("minikube-") || name.starts_with("prod-") || name.starts_with("argocd-m")
                })
                .flat_map(|(_, text)| objects(text))
                .map(|object| (group(&object), text(&object["kind"]).to_owned()))
                .collect();
            let unused: Vec<_> = all.difference(&elsewhere).collect();
            assert!(
                unused.is_empty(),
                "{project_name} allows what nothing renders: {unused:?}"
            );
        }
    }
}

/// The kinds that Argo CD watches (`resource.inclusions`) are those that are rendered, what Kubernetes
/// makes of them, and no others; its ClusterRole has the same.
#[test]
fn argocd_watches_what_is_rendered() {
    let Some(rendered) = tree::rendered() else { return };
    let Some(install) = rendered.get(INSTALL) else {
        return;
    };
    let install = objects(install);
    let settings = install
        .iter()
        .find(|object| named(object) == "ConfigMap/argocd-cm")
        .unwrap();
    let inclusions: Value = serde_yaml::from_str(text(&settings["data"]["resource.inclusions"])).unwrap();
    let mut watched = BTreeSet::new();
    for entry in list(&inclusions) {
        for kind in list(&entry["kinds"]) {
            watched.insert((text(&entry["apiGroups"][0]).to_owned(), text(kind).to_owned()));
        }
    }
    let mut expected: BTreeSet<(String, String)> = rendered
        .iter()
        .filter(|(name, _)| *name != INSTALL && !name.starts_with("local-"))
        .flat_map(|(_, text)| objects(text))
        .map(|object| (group(&object), text(&object["kind"]).to_owned()))
        .collect();
    expected.extend([("apps", "ReplicaSet"), ("", "Pod")].map(|(g, k)| (g.to_owned(), k.to_owned())));
    assert_eq!(watched, expected);
    let plural = |kind: &str| match kind.to_lowercase() {
        kind if kind.ends_with('y') => kind.trim_end_matches('y').to_owned() + "ies",
        kind if kind.ends_with('s') => kind + "es",
        kind => kind + "s",
    };
    let role = install
        .iter()
        .find(|object| object["kind"] == "ClusterRole")
        .unwrap();
    let mut granted = BTreeMap::new();
    for rule in list(&role["rules"]) {
        for resource in list(&rule["resources"]) {
            let key = (text(&rule["apiGroups"][0]).to_owned(), text(resource).to_owned());
            granted.insert(key, list(&rule["verbs"]).map(text).collect::<Vec<_>>().join(" "));
        }
    }
    let watched: BTreeMap<_, _> = watched
        .iter()
        .map(|(group, kind)| {
            let verbs = match kind.as_str() {
                "Pod" | "ReplicaSet" => "get list watch",
                _ => "get list watch create update patch delete",
            };
            ((group.clone(), plural(kind)), verbs.to_owned())
        })
        .collect();
    assert_eq!(granted, watched);
}

fn group(object: &Value) -> String {
    let version = text(&object["apiVersion"]);
    version.split_once('/').map_or("", |(group, _)| group).to_owned()
}

/// Opt-in components that no environment lists render all the same.
#[test]
fn every_component_renders() {
    let Some(kubectl) = tree::kubectl() else { return };
    let scratch = tempfile::tempdir_in(tree::root().join("target")).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(tree::root().join("kustomize/components")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let base = match name.as_str() {
            "in-cluster" | "restricted-egress" => "training",
            "pipeline-trigger" => "drift-monitor",
            "pipeline-upload" => "kubeflow-pipelines",
            _ => "inference-api",
        };
        let overlay = format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../../manifests/{base}]\n\
             components: [../../kustomize/components/{name}]\n"
        );
        std::fs::write(scratch.path().join("kustomization.yaml"), overlay).unwrap();
        let output = std::process::Command::new(&kubectl)
            .arg("kustomize")
            .arg(scratch.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
        names.push(name);
    }
    names.sort();
    assert_eq!(
        names,
        [
            "autoscaling",
            "drift-exchange",
            "grpc",
            "in-cluster",
            "ingress",
            "metrics-scrape",
            "pipeline-trigger",
            "pipeline-upload",
            "restricted-egress",
            "smoke",
            "verbose-logs"
        ]
    );
}

//! Rules over the YAML that is applied.

use super::{File, Finding};
use serde_yaml::Value;

/// What runs; `argocd/` holds Argo CD's own objects only.
const WORKLOADS: &[&str] = &["deployment", "statefulset", "daemonset", "job", "cronjob", "pod"];
const FOLDERS: &[&str] = &["manifests/", "kustomize/", "argocd/"];

/// Every rule, for files below the three folders.
pub fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !FOLDERS.iter().any(|folder| file.path.starts_with(folder)) || !file.is(&[".yaml", ".yml"]) {
        return findings;
    }
    if file.is(&[".yml"]) {
        findings.push(Finding::new(&file.path, 0, "name: the ending is .yaml"));
        return findings;
    }
    tags(file, &mut findings);
    let separators = file
        .text
        .lines()
        .enumerate()
        .filter(|(number, line)| line.trim_end() == "---" && *number > 0);
    if let Some((number, _)) = separators.last() {
        findings.push(Finding::new(
            &file.path,
            number + 1,
            "one object: a second document in one file",
        ));
        return findings;
    }
    match serde_yaml::from_str::<Value>(&file.text) {
        Ok(object) => named(file, &object, &mut findings),
        Err(error) => findings.push(Finding::new(&file.path, 0, format!("syntax: {error}"))),
    }
    findings
}

fn tags(file: &File, findings: &mut Vec<Finding>) {
    for (number, line) in (1..).zip(file.text.lines()) {
        let line = line
            .split(" #")
            .next()
            .unwrap_or_default()
            .trim()
            .trim_start_matches("- ");
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        let mut found = |rule: &str| findings.push(Finding::new(&file.path, number, rule));
        if key == "image" && value.trim_matches(['"', '\'']).ends_with(":latest") {
            found("latest: an image needs a fixed tag or a digest");
        }
        if matches!(key, "newTag" | "digest" | "driftless.dev/image-tag") {
            // Unquoted, a tag of digits would be read as a number.
            if !value.starts_with(['"', '\'']) {
                found("quotes: tags and digests are always quoted");
            }
            if value.trim_matches(['"', '\'']) == "latest" {
                found("latest: an image needs a fixed tag or a digest");
            }
        }
    }
}

fn named(file: &File, object: &Value, findings: &mut Vec<Finding>) {
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    let stem = file.name().trim_end_matches(".yaml");
    let patch = file.path.contains("/patches/");
    let mut found = |rule: String| findings.push(Finding::new(&file.path, 0, rule));
    if kind.is_empty() {
        return found("one object: it has no kind".to_owned());
    }
    let fits = match kind.as_str() {
        // Kustomize looks for this name.
        "kustomization" | "component" => stem == "kustomization",
        // Argo CD's Applications are named after what they deploy.
        "application" | "appproject" => {
            stem == object["metadata"]["name"].as_str().unwrap_or_default() || stem == "root"
        }
        // The facts of an environment: read by replacements, and never applied.
        "configmap" if file.path.starts_with("argocd/environments/") => stem == "settings",
        _ => stem == kind || stem.strip_prefix(&kind).is_some_and(|rest| rest.starts_with('-')),
    };
    if file.path.starts_with("argocd/") && !patch && WORKLOADS.contains(&kind.as_str()) {
        found(format!("argocd: a {kind} is in manifests/, never here"));
    }
    if !fits && !patch {
        found(format!(
            "name: a {kind} is in {kind}.yaml (a second one in {kind}-WORD.yaml)"
        ));
    }
    let Some(app) = file
        .path
        .strip_prefix("manifests/")
        .and_then(|rest| rest.split('/').next())
    else {
        return;
    };
    if object["metadata"]["namespace"].as_str().is_some() {
        found("base: the namespace is the overlay's to set".to_owned());
    }
    let workload = matches!(
        kind.as_str(),
        "deployment" | "cronjob" | "statefulset" | "daemonset"
    );
    // A patch in a base is of something upstream's, under its name.
    if workload && !patch {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if name != app {
            found(format!("name: {kind} {name:?} in the folder of {app:?}"));
        }
        if object["metadata"]["labels"]["app.kubernetes.io/name"].as_str() != Some(app) {
            found(format!("label: app.kubernetes.io/name is not {app:?}"));
        }
    }
}

//! Who may do what in Kubernetes, read from the rendered roles.

use crate::tree::{self, INSTALL, list, text};
use serde_yaml::Value;
use std::collections::BTreeSet;

/// One thing that a service account may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct May {
    /// `namespace/name` of the service account.
    pub account: String,
    pub verb: String,
    /// `resource.group`, with `/name` when only that one.
    pub resource: String,
    /// Empty for all.
    pub namespace: String,
}

/// What the rendered roles give, for the overlays (and projects) of an environment.
pub fn granted(objects: &[Value]) -> BTreeSet<May> {
    let mut all = BTreeSet::new();
    let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    for binding in of_kind("RoleBinding").chain(of_kind("ClusterRoleBinding")) {
        let namespace = text(&binding["metadata"]["namespace"]);
        let role = objects.iter().find(|object| {
            object["kind"] == binding["roleRef"]["kind"]
                && object["metadata"]["name"] == binding["roleRef"]["name"]
                && text(&object["metadata"]["namespace"]) == namespace
        });
        let role = role.unwrap_or_else(|| panic!("{} binds no rendered role", tree::named(binding)));
        for subject in list(&binding["subjects"]) {
            let of = subject["namespace"].as_str().unwrap_or(namespace);
            for rule in list(&role["rules"]) {
                for (verb, resource) in pairs(rule) {
                    all.insert(May {
                        account: format!("{of}/{}", text(&subject["name"])),
                        verb,
                        resource,
                        namespace: namespace.to_owned(),
                    });
                }
            }
        }
    }
    all
}

fn pairs(rule: &Value) -> Vec<(String, String)> {
    let group = match text(&rule["apiGroups"][0]) {
        "" => String::new(),
        group => format!(".{group}"),
    };
    let names: Vec<String> = match &rule["resourceNames"] {
        Value::Null => vec![String::new()],
        names => list(names).map(|name| format!("/{}", text(name))).collect(),
    };
    let mut pairs = Vec::new();
    for verb in list(&rule["verbs"]) {
        for resource in list(&rule["resources"]) {
            for name in &names {
                pairs.push((text(verb).to_owned(), format!("{}{group}{name}", text(resource))));
            }
        }
    }
    pairs
}

/// `namespace/name` of every service account that is rendered.
pub fn accounts(objects: &[Value]) -> BTreeSet<String> {
    let of_kind = objects.iter().filter(|object| object["kind"] == "ServiceAccount");
    of_kind
        .map(|object| {
            let metadata = &object["metadata"];
            format!("{}/{}", text(&metadata["namespace"]), text(&metadata["name"]))
        })
        .collect()
}

/// What steps of a pipeline, the upload and the drift check need, and not a verb more: a list to be read.
#[test]
fn whoever_has_to_do_with_pipelines_may_do_exactly_this() {
    let Some(objects) = tree::objects_of(&["minikube-", "argocd-minikube"]) else {
        return;
    };
    let (all, accounts) = (granted(&objects), accounts(&objects));
    let of = |account: &str| -> Vec<String> {
        assert!(accounts.contains(account), "{account} is not rendered");
        let its = all.iter().filter(|may| may.account == account);
        its.map(|may| format!("{} {} in {}", may.verb, may.resource, may.namespace))
            .collect()
    };
    assert_eq!(
        of("kubeflow/retrain"),
        [
            // Its outcome; a patch of it where the pod's end was cut off.
            "create workflowtaskresults.argoproj.io in kubeflow",
            "get configmaps/drift-ledger in training",
            "get configmaps/kfp-launcher in kubeflow",
            "get pods in kubeflow",
            "get secrets/mlpipeline-minio-artifact in kubeflow",
            "patch applications.argoproj.io/inference-api in argocd",
            "patch configmaps/drift-ledger in training",
            "patch workflowtaskresults.argoproj.io in kubeflow",
        ]
    );
    // It speaks to the pipelines' own API. Git's login comes to steps as a variable: no account reads it.
    assert_eq!(of("kubeflow/pipeline-upload"), [] as [&str; 0]);
    assert_eq!(
        of("serving/drift-monitor"),
        [
            "create configmaps in training",
            "create jobs.batch in training",
            "get configmaps/drift-ledger in training",
            "get cronjobs.batch/training in training",
            "list jobs.batch in training",
            "patch configmaps/drift-ledger in training",
        ]
    );
    let reads = |may: &&May| may.resource.starts_with("secrets") && may.resource.contains("git");
    assert_eq!(all.iter().filter(reads).count(), 0);
}

fn table(granted: &BTreeSet<May>) -> String {
    let line = |may: &May| {
        let place = match may.namespace.as_str() {
            "" => "every namespace".to_owned(),
            namespace => format!("namespace {namespace}"),
        };
        format!("{} may {} {} in {place}", may.account, may.verb, may.resource)
    };
    granted.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn accounts_of_ours_may_do_this_and_nothing_else() {
    let Some(objects) = tree::objects_of(&["minikube-", "argocd-minikube"]) else {
        return;
    };
    let granted_here = granted(&objects);
    let nothing = accounts(&objects)
        .into_iter()
        .filter(|account| !granted_here.iter().any(|may| &may.account == account))
        .map(|account| format!("{account} may do nothing"));
    let nothing: Vec<String> = nothing.collect();
    let lines = format!("{}\n{}", table(&granted_here), nothing.join("\n"));
    insta::assert_snapshot!("may", lines);
    let Some(prod) = tree::objects_of(&["prod-", "argocd-prod"]) else {
        return;
    };
    assert_eq!(granted(&prod), granted_here, "the same in every environment");
}

#[test]
fn argocd_may_do_this_and_nothing_else() {
    let Some(objects) = tree::objects_of(&[INSTALL]) else {
        return;
    };
    if !objects.is_empty() {
        insta::assert_snapshot!("may-argocd", table(&granted(&objects)));
    }
}

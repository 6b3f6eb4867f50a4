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
    insta::assert_snapshot!("may", table(&granted(&objects)));
    let Some(prod) = tree::objects_of(&["prod-", "argocd-prod"]) else {
        return;
    };
    assert_eq!(granted(&prod), granted(&objects), "the same in every environment");
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

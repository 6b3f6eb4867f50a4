//! The network policies as one table: who reaches whom, when a network enforces them.

use crate::tree::{self, INSTALL, list, text};
use serde_yaml::Value;
use std::collections::{BTreeMap, BTreeSet};
use xtask::cmd::render::rules;

type Pods = BTreeMap<String, BTreeMap<String, u64>>;

/// `namespace/app` of everything that runs, with its named ports.
fn pods(objects: &[Value]) -> Pods {
    let mut pods = Pods::new();
    for object in objects.iter().filter(|object| !rules::pod_spec(object).is_null()) {
        let template = match text(&object["kind"]) {
            "CronJob" => &object["spec"]["jobTemplate"]["spec"]["template"],
            _ => &object["spec"]["template"],
        };
        let name = text(&template["metadata"]["labels"]["app.kubernetes.io/name"]);
        let ports = list(&template["spec"]["containers"]).flat_map(|container| list(&container["ports"]));
        let ports = ports
            .map(|port| {
                (
                    text(&port["name"]).to_owned(),
                    port["containerPort"].as_u64().unwrap(),
                )
            })
            .collect();
        pods.insert(
            format!("{}/{name}", text(&object["metadata"]["namespace"])),
            ports,
        );
    }
    // Pods of steps are made by Argo Workflows, which is told their label in its settings.
    let settings = "ConfigMap/workflow-controller-configmap";
    for object in objects.iter().filter(|object| tree::named(object) == settings) {
        let defaults: Value = serde_yaml::from_str(text(&object["data"]["workflowDefaults"])).unwrap();
        let name = text(&defaults["spec"]["podMetadata"]["labels"]["app.kubernetes.io/name"]);
        pods.insert(
            format!("{}/{name}", text(&object["metadata"]["namespace"])),
            BTreeMap::new(),
        );
    }
    pods
}

/// A peer in words: `namespace/app`, `namespace/*`, `addresses ...`.
fn peer(peer: &Value, namespace: &str) -> String {
    if let Some(cidr) = peer["ipBlock"]["cidr"].as_str() {
        let except: Vec<_> = list(&peer["ipBlock"]["except"]).map(text).collect();
        return match except.as_slice() {
            [] => format!("addresses {cidr}"),
            except => format!("addresses {cidr} but {}", except.join(" ")),
        };
    }
    let label = |selector: &Value, key: &str| selector["matchLabels"][key].as_str().map(str::to_owned);
    let of = match &peer["namespaceSelector"] {
        Value::Null => namespace.to_owned(),
        selector => label(selector, "kubernetes.io/metadata.name").unwrap_or("*".to_owned()),
    };
    let pods = &peer["podSelector"];
    let app = label(pods, "app.kubernetes.io/name").or_else(|| label(pods, "k8s-app"));
    format!("{of}/{}", app.unwrap_or("*".to_owned()))
}

fn ports(rule: &Value, named: &BTreeMap<String, u64>) -> Vec<String> {
    let each = list(&rule["ports"]).map(|port| match &port["port"] {
        Value::String(name) => named
            .get(name)
            .unwrap_or_else(|| panic!("no port {name:?}"))
            .to_string(),
        number => number.as_u64().unwrap().to_string(),
    });
    let mut all: Vec<_> = each.collect();
    all.dedup();
    if all.is_empty() {
        vec!["any port".to_owned()]
    } else {
        all
    }
}

/// What policies let out of, and into, each pod: `(from, to, port)`.
#[derive(Default)]
struct Flows {
    out: BTreeSet<(String, String, String)>,
    into: BTreeSet<(String, String, String)>,
}

fn flows(objects: &[Value], pods: &Pods) -> Flows {
    let mut flows = Flows::default();
    for policy in objects.iter().filter(|object| object["kind"] == "NetworkPolicy") {
        let namespace = text(&policy["metadata"]["namespace"]);
        let selected = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"].as_str();
        let own = match selected {
            Some(app) => format!("{namespace}/{app}"),
            None => format!("{namespace}/*"),
        };
        let nothing = BTreeMap::new();
        let named = pods.get(&own).unwrap_or(&nothing);
        assert!(
            selected.is_none() || pods.contains_key(&own),
            "a policy for {own}, which nobody runs"
        );
        for (way, peers) in [("ingress", "from"), ("egress", "to")] {
            for rule in list(&policy["spec"][way]) {
                for port in ports(rule, named) {
                    for other in list(&rule[peers]).map(|one| peer(one, namespace)) {
                        if way == "ingress" {
                            flows.into.insert((other, own.clone(), port.clone()));
                        } else {
                            flows.out.insert((own.clone(), other, port.clone()));
                        }
                    }
                }
            }
        }
    }
    flows
}

#[test]
fn policies_are_the_communication_matrix() {
    let Some(objects) = tree::objects_of(&["minikube-", INSTALL]) else {
        return;
    };
    if !objects.iter().any(|object| object["kind"] == "StatefulSet") {
        return eprintln!("SKIPPED policies_are_the_communication_matrix: Argo CD's part is not rendered");
    }
    let pods = pods(&objects);
    let flows = flows(&objects, &pods);
    let mut lines = Vec::new();
    for (from, to, port) in &flows.out {
        // Between pods of ours both sides must agree, or nothing flows.
        if pods.contains_key(to) {
            let both = flows.into.contains(&(from.clone(), to.clone(), port.clone()));
            assert!(both, "{from} may ask {to}:{port}, which does not let it in");
        }
        lines.push(format!("{from} -> {to} : {port}"));
    }
    for (from, to, port) in &flows.into {
        if pods.contains_key(from) {
            let both = flows.out.contains(&(from.clone(), to.clone(), port.clone()));
            assert!(both, "{to} lets {from} in at {port}, which may not ask it");
        } else if !from.starts_with("argocd/") {
            // Upstream also names parts that are not installed.
            lines.push(format!("{to} : {port} <- {from}"));
        }
    }
    insta::assert_snapshot!("network", lines.join("\n"));
}

#[test]
fn every_namespace_denies_by_default() {
    for environment in ["minikube", "prod"] {
        let Some(objects) = tree::objects_of(&[&format!("{environment}-"), INSTALL]) else {
            return;
        };
        let used = pods(&objects);
        let namespaces = objects.iter().filter(|object| object["kind"] == "Namespace");
        let mut denied: BTreeSet<String> = BTreeSet::new();
        for policy in objects.iter().filter(|object| object["kind"] == "NetworkPolicy") {
            let spec = &policy["spec"];
            let all = spec["podSelector"]
                .as_mapping()
                .is_some_and(serde_yaml::Mapping::is_empty);
            let types: Vec<_> = list(&spec["policyTypes"]).map(text).collect();
            if all && types == ["Ingress", "Egress"] && spec["ingress"].is_null() && spec["egress"].is_null()
            {
                denied.insert(text(&policy["metadata"]["namespace"]).to_owned());
            }
        }
        for namespace in namespaces.map(|object| text(&object["metadata"]["name"]).to_owned()) {
            assert!(denied.contains(&namespace), "{environment}: {namespace}");
        }
        for pod in used.keys() {
            assert!(
                denied.contains(pod.split('/').next().unwrap()),
                "{environment}: {pod}"
            );
        }
    }
}

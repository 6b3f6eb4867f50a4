//! What there is, before anything is done to it.

use crate::{
    Result,
    bridge::internal_ip,
    connect::{get_opt, list, within},
    ownership::{NAMESPACES, OWNED_BY, owner},
    quantity,
};
use futures_util::future::try_join_all;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, StatefulSet},
    authorization::v1::SelfSubjectAccessReview,
    core::v1::{Namespace, Node, Pod, Service},
    storage::v1::StorageClass,
};
use kube::{
    Api, Client, Resource,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Verb, group, resource, namespace (empty: the cluster) that the bootstrap needs.
const NEEDED: &[(&str, &str, &str, &str)] = &[
    ("list", "", "nodes", ""),
    ("create", "", "namespaces", ""),
    ("patch", "", "namespaces", ""),
    ("create", "apiextensions.k8s.io", "customresourcedefinitions", ""),
    ("patch", "apiextensions.k8s.io", "customresourcedefinitions", ""),
    ("create", "rbac.authorization.k8s.io", "clusterroles", ""),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings", ""),
    ("create", "apps", "deployments", "argocd"),
    ("create", "apps", "statefulsets", "argocd"),
    ("create", "", "configmaps", "argocd"),
    ("create", "", "secrets", "argocd"),
    ("create", "", "services", "argocd"),
    ("create", "", "serviceaccounts", "argocd"),
    ("create", "rbac.authorization.k8s.io", "roles", "argocd"),
    ("create", "rbac.authorization.k8s.io", "rolebindings", "argocd"),
    ("create", "argoproj.io", "appprojects", "argocd"),
    ("create", "argoproj.io", "applications", "argocd"),
    ("patch", "argoproj.io", "applications", "argocd"),
    ("delete", "argoproj.io", "applications", "argocd"),
    ("create", "apps", "deployments", "gitops"),
    ("create", "", "secrets", "gitops"),
    ("create", "", "pods/portforward", "gitops"),
    ("create", "", "secrets", "training"),
    ("patch", "", "configmaps", "training"),
    ("create", "batch", "jobs", "training"),
    ("get", "", "pods/log", "training"),
    ("create", "", "pods/portforward", "training"),
    ("get", "", "pods/log", "serving"),
    ("create", "", "pods/portforward", "serving"),
    ("create", "", "pods/portforward", "kube-system"),
];

/// CNIs that are known to enforce NetworkPolicies, by their DaemonSets.
const ENFORCERS: &[&str] = &[
    "calico",
    "cilium",
    "antrea",
    "weave",
    "kube-router",
    "canal",
    "kindnet",
];

/// See the module.
pub async fn inspect(client: &Client) -> Result<Value> {
    let version = within("ask the API server for its version", client.apiserver_version()).await?;
    let all = ListParams::default();
    let everywhere = "in all namespaces";
    let nodes: Api<Node> = Api::all(client.clone());
    let nodes = list(&nodes, "Nodes", &all).await?;
    let pods: Api<Pod> = Api::all(client.clone());
    let pods = list(&pods, &format!("Pods {everywhere}"), &all).await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespaces = labels(&list(&namespaces, "Namespaces", &all).await?.items);
    let classes: Api<StorageClass> = Api::all(client.clone());
    let classes = list(&classes, "StorageClasses", &all).await?;
    let daemons: Api<DaemonSet> = Api::all(client.clone());
    let daemons = list(&daemons, &format!("DaemonSets {everywhere}"), &all).await?;
    let services: Api<Service> = Api::namespaced(client.clone(), "kube-system");
    let registry = get_opt(&services, "Service registry in namespace kube-system", "registry").await?;
    let workloads: Vec<String> = pods
        .iter()
        .filter_map(|pod| pod.metadata.namespace.clone())
        .collect();
    let enforced = daemons.iter().any(|daemon| {
        let name = daemon.metadata.name.as_deref().unwrap_or_default();
        ENFORCERS.iter().any(|enforcer| name.contains(enforcer))
    });
    let nodes: Vec<Value> = nodes.iter().map(|node| node_json(node, &pods.items)).collect();
    Ok(json!({
        "server_version": version.git_version,
        "nodes": nodes,
        "may": may(client).await?,
        "argocd": argocd(client, &namespaces).await?,
        "owner": owner(&namespaces, &workloads).word(),
        "namespaces": namespaces.keys().filter(|name| NAMESPACES.contains(&name.as_str())).collect::<Vec<_>>(),
        "default_storage_class": classes.iter().find(|class| is_default(class)).and_then(|class| class.metadata.name.clone()),
        "registry_service": registry.is_some(),
        "network_policy_enforced": if enforced { "likely" } else { "unknown" },
    }))
}

fn labels(namespaces: &[Namespace]) -> BTreeMap<String, BTreeMap<String, String>> {
    let named = |namespace: &Namespace| {
        let meta = namespace.meta();
        Some((meta.name.clone()?, meta.labels.clone().unwrap_or_default()))
    };
    namespaces.iter().filter_map(named).collect()
}

fn node_json(node: &Node, pods: &[Pod]) -> Value {
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let status = node.status.as_ref();
    let ready = status
        .and_then(|status| status.conditions.as_ref())
        .is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"));
    let allocatable = quantity::allocatable(node);
    let requested = quantity::requested_on(name, pods);
    let whole = |number: f64| number.round() as i64;
    json!({
        "name": name,
        "ready": ready,
        "cpu_allocatable_m": whole(allocatable.cpu_m),
        "memory_allocatable_mib": whole(allocatable.memory_mib),
        "requested_cpu_m": whole(requested.cpu_m),
        "requested_memory_mib": whole(requested.memory_mib),
        "container_runtime": status.and_then(|s| s.node_info.as_ref()).map(|info| info.container_runtime_version.clone()),
        "internal_ip": internal_ip(node),
    })
}

fn is_default(class: &StorageClass) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    let value = annotations.and_then(|all| all.get("storageclass.kubernetes.io/is-default-class"));
    value.is_some_and(|value| value == "true")
}

/// Asks the API server about each verb; it knows roles that this program does not.
async fn may(client: &Client) -> Result<Vec<Value>> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let ask = NEEDED.iter().map(|(verb, group, resource, namespace)| {
        let api = api.clone();
        async move {
            let (resource_name, subresource) = resource.split_once('/').unwrap_or((resource, ""));
            let review = json!({
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {
                    "verb": verb, "group": group, "resource": resource_name,
                    "subresource": subresource, "namespace": namespace,
                }},
            });
            let what = format!("ask whether this user may {verb} {resource}");
            let review = serde_json::from_value(review)
                .map_err(|error| crate::Error::other(format!("{what}: {error}")))?;
            let answer = within(&what, api.create(&PostParams::default(), &review)).await?;
            let allowed = answer.status.is_some_and(|status| status.allowed);
            let full = match group.is_empty() {
                true => (*resource).to_owned(),
                false => format!("{resource}.{group}"),
            };
            Ok::<_, crate::Error>(json!({
                "verb": verb, "resource": full, "namespace": namespace, "allowed": allowed,
            }))
        }
    });
    try_join_all(ask).await
}

async fn argocd(client: &Client, namespaces: &BTreeMap<String, BTreeMap<String, String>>) -> Result<Value> {
    let sets: Api<StatefulSet> = Api::all(client.clone());
    let named = ListParams::default().labels("app.kubernetes.io/name=argocd-application-controller");
    let found = list(&sets, "StatefulSets in all namespaces", &named).await?;
    let controller = found.items.first();
    let image = controller.and_then(|set| {
        set.spec
            .as_ref()?
            .template
            .spec
            .as_ref()?
            .containers
            .first()?
            .image
            .clone()
    });
    let tag = image.as_deref().and_then(|image| {
        let image = image.split('@').next().unwrap_or_default();
        Some(image.rsplit_once(':')?.1.to_owned()).filter(|tag| !tag.contains('/'))
    });
    let namespace = controller.and_then(|set| set.metadata.namespace.clone());
    let ours = namespace
        .as_ref()
        .and_then(|name| namespaces.get(name)?.get(OWNED_BY.0));
    let crd = within("ask for the resources of Argo CD", async {
        client.list_api_groups().await
    })
    .await?
    .groups
    .iter()
    .any(|group| group.name == "argoproj.io");
    Ok(json!({
        "installed": controller.is_some(),
        "version": tag,
        "namespace": namespace,
        "ours": ours.map(String::as_str) == Some(OWNED_BY.1),
        "application_crd": crd,
    }))
}

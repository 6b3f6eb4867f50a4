//! Pure: what must hold for a rendered object, as functions of YAML.

use serde_yaml::Value;

/// The pod spec of whatever makes pods; null for everything else.
pub fn pod_spec(object: &Value) -> &Value {
    match object["kind"].as_str() {
        Some("CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        Some("Deployment" | "StatefulSet" | "DaemonSet" | "Job") => &object["spec"]["template"]["spec"],
        _ => &Value::Null,
    }
}

/// Whether the object is of upstream's Kubeflow Pipelines, patched by us: its selectors cannot be changed, and a
/// read-only root or a probe is upstream's to know. What else must hold for a pod of ours must hold for it.
fn third_party(object: &Value) -> bool {
    !object["metadata"]["labels"]["application-crd-id"].is_null()
}

/// What is wrong with one rendered object. Kustomize ignores a misspelt image name silently, so
/// every container's final image is looked at.
pub fn check_object(object: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = text(&object["kind"]);
    let name = format!("{kind}/{}", text(&object["metadata"]["name"]));
    let mut wrong = Vec::new();
    let template = pod_spec(object);
    let unreleased = object["spec"]["replicas"].as_u64() == Some(0);
    for list in ["initContainers", "containers"] {
        for container in template[list].as_sequence().into_iter().flatten() {
            let image = text(&container["image"]);
            let (name_and_tag, digest) = image.split_once('@').unwrap_or((&image, ""));
            let last = name_and_tag.rsplit('/').next().unwrap_or_default();
            let tag = last.split_once(':').map_or("", |(_, tag)| tag);
            let fixed = match digest {
                "" => !tag.is_empty() && tag != "latest",
                digest => contract::digest::is_digest(digest),
            };
            if !fixed && !unreleased {
                wrong.push(format!(
                    "{name}: container {} has image {image:?}: no digest and no fixed tag",
                    text(&container["name"])
                ));
            }
        }
    }
    let selector = match kind.as_str() {
        "Service" => &object["spec"]["selector"],
        "NetworkPolicy" => &object["spec"]["podSelector"]["matchLabels"],
        _ => &object["spec"]["selector"]["matchLabels"],
    };
    for (key, _) in selector.as_mapping().into_iter().flatten() {
        if key.as_str() != Some("app.kubernetes.io/name") && !third_party(object) {
            wrong.push(format!("{name}: selector has {}", text(key)));
        }
    }
    wrong
}

/// What a pod of ours must say, with what the pod and each container say together.
pub fn check_pod(object: &Value) -> Vec<String> {
    let pod = pod_spec(object);
    if pod.is_null() {
        return Vec::new();
    }
    let kind = object["kind"].as_str().unwrap_or_default();
    let mut wrong = Vec::new();
    if pod["automountServiceAccountToken"].as_bool().is_none() {
        wrong.push("automountServiceAccountToken is not stated".to_owned());
    }
    let upstream = third_party(object);
    // Two of upstream's parts find each other by these variables; that it is meant must be stated.
    if pod["enableServiceLinks"] != false && !(upstream && pod["enableServiceLinks"] == true) {
        wrong.push("enableServiceLinks is not false".to_owned());
    }
    if pod["serviceAccountName"]
        .as_str()
        .is_none_or(|name| name == "default")
    {
        wrong.push("no service account of its own".to_owned());
    }
    if matches!(kind, "Job" | "CronJob") {
        let job = if kind == "Job" {
            &object["spec"]
        } else {
            &object["spec"]["jobTemplate"]["spec"]
        };
        for bound in ["activeDeadlineSeconds", "backoffLimit"] {
            if job[bound].as_u64().is_none() {
                wrong.push(format!("{bound} is not stated"));
            }
        }
    }
    for (list, serves) in [
        ("initContainers", false),
        ("containers", !matches!(kind, "Job" | "CronJob")),
    ] {
        for container in pod[list].as_sequence().into_iter().flatten() {
            let name = container["name"].as_str().unwrap_or_default();
            let found = check_container(pod, container, serves)
                .filter(|rule| !upstream || !UPSTREAMS.contains(rule))
                .map(|rule| format!("container {name}: {rule} is not as it must be"));
            wrong.extend(found);
        }
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    wrong
        .iter()
        .map(|what| format!("{kind}/{name}: {what}"))
        .collect()
}

/// Rules that a container of upstream's may break.
const UPSTREAMS: [&str; 3] = ["readOnlyRootFilesystem", "readinessProbe", "livenessProbe"];

/// Names of the rules that the container breaks.
fn check_container<'a>(
    pod: &'a Value,
    container: &'a Value,
    serves: bool,
) -> impl Iterator<Item = &'static str> + 'a {
    let (own, shared) = (&container["securityContext"], &pod["securityContext"]);
    let effective = |field: &str| {
        if own[field].is_null() {
            &shared[field]
        } else {
            &own[field]
        }
    };
    let dropped = own["capabilities"]["drop"].as_sequence();
    let rules = [
        ("runAsNonRoot", *effective("runAsNonRoot") == true),
        (
            "seccompProfile",
            effective("seccompProfile")["type"] == "RuntimeDefault",
        ),
        ("readOnlyRootFilesystem", own["readOnlyRootFilesystem"] == true),
        (
            "allowPrivilegeEscalation",
            own["allowPrivilegeEscalation"] == false,
        ),
        (
            "capabilities",
            dropped.is_some_and(|all| all.iter().any(|one| *one == "ALL"))
                && own["capabilities"]["add"].is_null(),
        ),
        (
            "resources.requests.cpu",
            !container["resources"]["requests"]["cpu"].is_null(),
        ),
        (
            "resources.requests.memory",
            !container["resources"]["requests"]["memory"].is_null(),
        ),
        (
            "resources.limits.memory",
            !container["resources"]["limits"]["memory"].is_null(),
        ),
        ("imagePullPolicy", container["imagePullPolicy"] == "IfNotPresent"),
        (
            "readinessProbe",
            !serves || !container["readinessProbe"].is_null(),
        ),
        ("livenessProbe", !serves || !container["livenessProbe"].is_null()),
    ];
    rules
        .into_iter()
        .filter(|(_, holds)| !holds)
        .map(|(rule, _)| rule)
}

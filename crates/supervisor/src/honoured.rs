//! Pure: what of an object the local engine does not honour. The lists name what *is* honoured;
//! every other field that an object holds is reported, so that nothing is dropped silently.

use crate::{
    environment::field_is_known,
    objects::{Objects, Read},
};
use engine::NotHonoured;
use k8s_openapi::serde_json::{self, Value};
use serde::Serialize;

/// Paths relative to a pod template that are honoured with all that is below them.
const POD: &[&str] = &[
    "metadata",
    "spec.restartPolicy",
    "spec.terminationGracePeriodSeconds",
    "spec.containers.*.name",
    "spec.containers.*.image",
    "spec.containers.*.command",
    "spec.containers.*.args",
    "spec.containers.*.workingDir",
    "spec.containers.*.ports",
    "spec.containers.*.env.*.name",
    "spec.containers.*.env.*.value",
    "spec.containers.*.env.*.valueFrom.configMapKeyRef",
    "spec.containers.*.env.*.valueFrom.fieldRef",
    "spec.containers.*.envFrom.*.configMapRef",
    "spec.containers.*.envFrom.*.prefix",
];

/// Honoured of each probe.
const PROBE: &[&str] = &[
    "httpGet.path",
    "httpGet.port",
    "tcpSocket.port",
    "initialDelaySeconds",
    "periodSeconds",
    "timeoutSeconds",
    "failureThreshold",
    "successThreshold",
];

const JOB: &[&str] = &[
    "spec.backoffLimit",
    "spec.activeDeadlineSeconds",
    "spec.podFailurePolicy.rules.*.action",
    "spec.podFailurePolicy.rules.*.onExitCodes",
];

/// What happens instead, by the last words of the field's path; the first match counts.
const INSTEAD: &[(&str, &str)] = &[
    (
        "securityContext",
        "processes run as the user who started the engine",
    ),
    (
        "volumes",
        "no volumes are mounted; processes see this machine's file system",
    ),
    (
        "volumeMounts",
        "no volumes are mounted; processes see this machine's file system",
    ),
    ("resources", "nothing is reserved or limited"),
    (
        "serviceAccountName",
        "there is no Kubernetes API to authenticate to",
    ),
    (
        "automountServiceAccountToken",
        "there is no Kubernetes API to authenticate to",
    ),
    ("enableServiceLinks", "no variables are made for Services"),
    (
        "imagePullPolicy",
        "images are run by digest from the image layout",
    ),
    (
        "strategy",
        "new replicas start beside the old ones, which stop once all new ones are ready",
    ),
    ("revisionHistoryLimit", "Git holds the history"),
    ("affinity", "everything runs on this machine"),
    ("nodeSelector", "everything runs on this machine"),
    ("tolerations", "everything runs on this machine"),
    ("topologySpreadConstraints", "everything runs on this machine"),
    ("initContainers", "not run"),
    ("lifecycle", "hooks are not run"),
    (
        "secretKeyRef",
        "the variable is not set: there are no Secrets here",
    ),
    (
        "secretRef",
        "the variables are not set: there are no Secrets here",
    ),
];

/// Everything of `objects` that is not honoured, sorted. `stand_in` answers for a Deployment's
/// name what runs instead of its image, if anything does.
pub fn not_honoured(objects: &Objects, stand_in: impl Fn(&str) -> Option<String>) -> Vec<NotHonoured> {
    let mut found = Vec::new();
    for read in &objects.deployments {
        let name = read.object.metadata.name.as_deref().unwrap_or_default();
        let named = format!("Deployment/{name}");
        let mut honoured = below("spec.template", &pod_paths(true));
        for path in ["spec.replicas", "spec.selector", "spec.progressDeadlineSeconds"] {
            honoured.push(path.to_owned());
        }
        if let Some(description) = stand_in(name) {
            // It owns its port, so it always stops before the next one starts.
            if read.document["spec"]["strategy"]["type"] == "Recreate" {
                honoured.push("spec.strategy".to_owned());
            }
            found.push(NotHonoured {
                object: named.clone(),
                field: "spec.template.spec.containers".to_owned(),
                instead: format!("image, command and env are not used: {description} stands in"),
            });
        }
        report(&named, read, &honoured, &mut found);
        more_containers(
            &named,
            &read.document["spec"]["template"],
            "spec.template",
            &mut found,
        );
    }
    for read in &objects.jobs {
        let named = format!("Job/{}", read.object.metadata.name.as_deref().unwrap_or_default());
        let mut honoured: Vec<String> = JOB.iter().map(|path| (*path).to_owned()).collect();
        honoured.extend(below("spec.template", &pod_paths(false)));
        report(&named, read, &honoured, &mut found);
        more_containers(
            &named,
            &read.document["spec"]["template"],
            "spec.template",
            &mut found,
        );
    }
    for read in &objects.cron_jobs {
        let named = format!(
            "CronJob/{}",
            read.object.metadata.name.as_deref().unwrap_or_default()
        );
        let mut honoured = below(
            "spec.jobTemplate",
            &JOB.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>(),
        );
        honoured.extend(below("spec.jobTemplate.spec.template", &pod_paths(false)));
        honoured.push("spec.jobTemplate.metadata".to_owned());
        for field in [
            "suspend",
            "schedule",
            "timeZone",
            "concurrencyPolicy",
            "startingDeadlineSeconds",
            "successfulJobsHistoryLimit",
            "failedJobsHistoryLimit",
        ] {
            honoured.push(format!("spec.{field}"));
        }
        report(&named, read, &honoured, &mut found);
        let template = &read.document["spec"]["jobTemplate"]["spec"]["template"];
        more_containers(&named, template, "spec.jobTemplate.spec.template", &mut found);
    }
    for read in &objects.services {
        let named = format!(
            "Service/{}",
            read.object.metadata.name.as_deref().unwrap_or_default()
        );
        let honoured = ["spec.selector", "spec.type", "spec.ports"].map(str::to_owned);
        report(&named, read, &honoured, &mut found);
        let ports = read.object.spec.as_ref().and_then(|spec| spec.ports.as_ref());
        if !ports.is_some_and(|ports| ports.iter().any(|port| port.node_port.is_some())) {
            found.push(NotHonoured {
                object: named,
                field: "spec.type".to_owned(),
                instead: "no address on this machine: only a nodePort gets one".to_owned(),
            });
        }
    }
    for named in &objects.others {
        found.push(NotHonoured {
            object: named.clone(),
            field: "*".to_owned(),
            instead: "has no meaning without a Kubernetes API".to_owned(),
        });
    }
    found.sort();
    found.dedup();
    found
}

fn pod_paths(probes: bool) -> Vec<String> {
    let mut paths: Vec<String> = POD.iter().map(|path| (*path).to_owned()).collect();
    if probes {
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            paths.extend(below(
                &format!("spec.containers.*.{probe}"),
                &PROBE.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>(),
            ));
        }
    }
    paths
}

fn below(prefix: &str, paths: &[String]) -> Vec<String> {
    paths.iter().map(|path| format!("{prefix}.{path}")).collect()
}

fn more_containers(named: &str, template: &Value, prefix: &str, found: &mut Vec<NotHonoured>) {
    let containers = template["spec"]["containers"].as_array().map_or(0, Vec::len);
    if containers > 1 {
        found.push(NotHonoured {
            object: named.to_owned(),
            field: format!("{prefix}.spec.containers.1"),
            instead: "only the first container of a pod runs".to_owned(),
        });
    }
}

fn report<T: Serialize>(named: &str, read: &Read<T>, honoured: &[String], found: &mut Vec<NotHonoured>) {
    // What the typed object does not write back, this version of Kubernetes does not know.
    let known = serde_json::to_value(&read.object).unwrap_or(Value::Null);
    if let Some(spec) = read.document.get("spec") {
        let honoured: Vec<Vec<&str>> = honoured.iter().map(|path| path.split('.').collect()).collect();
        let mut walk = Walk {
            named,
            honoured: &honoured,
            found,
        };
        walk.visit(spec, known.get("spec"), &mut vec!["spec".to_owned()]);
    }
}

struct Walk<'a> {
    named: &'a str,
    honoured: &'a [Vec<&'a str>],
    found: &'a mut Vec<NotHonoured>,
}

impl Walk<'_> {
    fn visit(&mut self, value: &Value, known: Option<&Value>, path: &mut Vec<String>) {
        if empty(value) {
            return;
        }
        let Some(known) = known else {
            return self.add(path, "not a field of this object in Kubernetes 1.36: ignored");
        };
        let matches = |pattern: &Vec<&str>, whole: bool| {
            (whole && pattern.len() <= path.len() || !whole && pattern.len() > path.len())
                && pattern
                    .iter()
                    .zip(path.iter())
                    .all(|(pattern, at)| *pattern == "*" || pattern == at)
        };
        if path.last().is_some_and(|last| last == "fieldRef")
            && !value["fieldPath"].as_str().is_some_and(field_is_known)
        {
            return self.add(path, "the variable is not set: there is no such fact here");
        }
        let all_below = self.honoured.iter().any(|pattern| matches(pattern, true));
        let some_below = self.honoured.iter().any(|pattern| matches(pattern, false));
        if !all_below && !some_below {
            let last = path.last().map_or("", String::as_str);
            let instead = INSTEAD
                .iter()
                .find(|(word, _)| *word == last)
                .map_or("ignored", |(_, text)| text);
            return self.add(path, instead);
        }
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    path.push(key.clone());
                    self.visit(value, known.get(key), path);
                    path.pop();
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    path.push(index.to_string());
                    self.visit(value, known.get(index), path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, path: &[String], instead: &str) {
        self.found.push(NotHonoured {
            object: self.named.to_owned(),
            field: path.join("."),
            instead: instead.to_owned(),
        });
    }
}

/// The type leaves empty lists and objects out when it writes itself, so they say nothing.
fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects;

    #[test]
    fn lists_everything_that_is_dropped() {
        let rendered = objects::read(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n  replicas: 1\n  strateggy: x\n  minReadySeconds: 3\n  \
             selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec:\n      \
             securityContext: {runAsNonRoot: true}\n      volumes: []\n      containers:\n      - name: api\n        image: api\n        \
             resources: {limits: {memory: 1Mi}}\n        env: [{name: S, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: N, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]\n        \
             readinessProbe: {httpGet: {path: /, port: 1, scheme: HTTPS}}\n        livenessProbe: {exec: {command: [x]}}\n      - name: side\n        image: side\n---\n\
             apiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec: {selector: {a: b}, ports: [{port: 1}]}\n---\n\
             apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: api}\n",
        )
        .unwrap();
        let lines: Vec<String> = not_honoured(&rendered, |_| None)
            .into_iter()
            .map(|n| format!("{} {}: {}", n.object, n.field, n.instead))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn says_what_stands_in() {
        let rendered = objects::read(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: mlflow}\nspec: {selector: {}, template: {}}",
        )
        .unwrap();
        let found = not_honoured(&rendered, |name| {
            (name == "mlflow").then(|| "mlflow 1 from PyPI".to_owned())
        });
        assert_eq!(
            found[0].instead,
            "image, command and env are not used: mlflow 1 from PyPI stands in"
        );
    }
}

//! Against a real API server, where DRIFTLESS_TEST_CONTEXT names one: every object is accepted, and
//! accounts may do what the roles say. Nothing is changed there.

use crate::{
    access::{accounts, granted},
    tree::{self, objects, text},
};
use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

/// kubectl for that context; `None`, aloud, without one.
fn context(test: &str) -> Option<(std::path::PathBuf, String)> {
    let kubectl = tree::kubectl()?;
    match std::env::var("DRIFTLESS_TEST_CONTEXT") {
        Ok(context) if !context.is_empty() => Some((kubectl, context)),
        _ => {
            eprintln!("SKIPPED {test}: DRIFTLESS_TEST_CONTEXT names no cluster");
            None
        }
    }
}

fn run(kubectl: &(std::path::PathBuf, String), args: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(&kubectl.0)
        .args(["--context", &kubectl.1, "--request-timeout=30s"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn the_api_server_accepts_every_object() {
    let test = "the_api_server_accepts_every_object";
    let Some(kubectl) = context(test) else { return };
    let Some(rendered) = tree::rendered() else { return };
    let (_, present) = run(&kubectl, &["get", "namespaces", "--output", "name"], "");
    let (_, types) = run(
        &kubectl,
        &["api-resources", "--api-group", "argoproj.io", "--output", "name"],
        "",
    );
    let mut absent = BTreeSet::new();
    for (name, rendered) in rendered {
        let mut documents = Vec::new();
        for mut object in objects(rendered) {
            let namespace = text(&object["metadata"]["namespace"]).to_owned();
            let known = object["apiVersion"] != "argoproj.io/v1alpha1" || types.contains("applications");
            if !known || !(namespace.is_empty() || present.contains(&format!("namespace/{namespace}\n"))) {
                absent.insert(if known {
                    namespace
                } else {
                    "argoproj.io".to_owned()
                });
                continue;
            }
            // These cannot be changed once made, and other environments make them otherwise.
            if matches!(text(&object["kind"]), "Job" | "PersistentVolumeClaim") {
                let other = format!("{}-dry-run", text(&object["metadata"]["name"]));
                object["metadata"]["name"] = other.into();
            }
            documents.push(serde_json::to_string(&object).unwrap());
        }
        let args = [
            "apply",
            "--server-side",
            "--dry-run=server",
            "--force-conflicts",
            "--filename",
            "-",
        ];
        if documents.is_empty() {
            continue;
        }
        let (accepted, said) = run(&kubectl, &args, &documents.join("\n---\n"));
        assert!(accepted, "{name}: {said}");
        assert!(!said.contains("would violate PodSecurity"), "{name}: {said}");
        assert!(!said.contains("unknown field"), "{name}: {said}");
    }
    if !absent.is_empty() {
        eprintln!("SKIPPED {test}: not in this cluster: {absent:?}");
    }
}

#[test]
fn accounts_may_do_what_the_roles_say() {
    let test = "accounts_may_do_what_the_roles_say";
    let Some(kubectl) = context(test) else { return };
    let Some(all) = tree::objects_of(&["minikube-", "argocd-minikube"]) else {
        return;
    };
    let mut granted = granted(&all);
    let made = ["get", "roles", "--all-namespaces", "--output", "name"];
    let (_, roles) = run(&kubectl, &made, "");
    if !(roles.contains("/start-training\n") && roles.contains("/refresh-inference-api\n")) {
        return eprintln!("SKIPPED {test}: the roles are not in this cluster");
    }
    let mut accounts = accounts(&all);
    // Of its own account only the rights in one namespace are rendered here; the others are a snapshot.
    granted.retain(|may| !may.account.starts_with("argocd/"));
    if !roles.contains("/argo-role\n") {
        eprintln!("skipped: {test}: Kubeflow Pipelines is not in this cluster");
        granted.retain(|may| !may.account.starts_with("kubeflow/"));
        accounts.retain(|account| !account.starts_with("kubeflow/"));
    }
    assert!(
        granted.iter().all(|may| accounts.contains(&may.account)),
        "{granted:?}"
    );
    let asks = |account: &str, verb: &str, resource: &str, namespace: &str| {
        let subject = format!("system:serviceaccount:{}", account.replace('/', ":"));
        let args = [
            "auth",
            "can-i",
            verb,
            resource,
            "--namespace",
            namespace,
            "--as",
            &subject,
        ];
        run(&kubectl, &args, "").0
    };
    for may in &granted {
        assert!(
            asks(&may.account, &may.verb, &may.resource, &may.namespace),
            "{may:?}"
        );
    }
    // Each account tries everything that somebody else may, and what nobody may.
    let mut tries: BTreeSet<(String, String, String)> = granted
        .iter()
        .map(|may| (may.verb.clone(), may.resource.clone(), may.namespace.clone()))
        .collect();
    for (verb, resource, namespace) in [
        ("get", "secrets", "training"),
        ("get", "secrets", "gitops"),
        ("get", "secrets/git-credentials", "kubeflow"),
        ("create", "pods", "kubeflow"),
        ("create", "workflows.argoproj.io", "kubeflow"),
        ("create", "pods", "training"),
        ("create", "pods/exec", "serving"),
        ("patch", "deployments.apps", "serving"),
        ("patch", "applications.argoproj.io/root", "argocd"),
        ("get", "applications.argoproj.io", "argocd"),
        ("delete", "jobs.batch", "training"),
        ("get", "nodes", "default"),
    ] {
        tries.insert((verb.to_owned(), resource.to_owned(), namespace.to_owned()));
    }
    for account in &accounts {
        for (verb, resource, namespace) in &tries {
            let may = granted.iter().any(|may| {
                (&may.account, &may.verb, &may.resource, &may.namespace)
                    == (account, verb, resource, namespace)
            });
            assert_eq!(
                asks(account, verb, resource, namespace),
                may,
                "{account} {verb} {resource} {namespace}"
            );
        }
    }
}

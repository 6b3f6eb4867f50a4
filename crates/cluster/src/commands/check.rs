//! Doctor after the fact: what programs inside the cluster need, tried the way they do it.

mod rights;

use crate::{
    Error, Result,
    argo::REFRESH,
    bridge::{self, GIT_SERVER, REGISTRY, REPOSITORY, Target},
    connect::{get_opt, within},
    in_cluster::applications,
};
use k8s_openapi::api::{apps::v1::Deployment, authorization::v1::SubjectAccessReview, core::v1::Service};
use kube::{Api, Client, api::PostParams};
use rights::RIGHTS;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A controller that runs takes a refresh within a second.
const REFRESH_WITHIN: Duration = Duration::from_secs(15);

fn said(name: &str, outcome: Result<String>) -> Value {
    let (ok, note) = match outcome {
        Ok(note) => (true, note),
        Err(error) => (false, error.message),
    };
    json!({"name": name, "ok": ok, "note": note})
}

/// See the module.
pub async fn check(client: &Client) -> Result<Value> {
    within("ask the API server for its version", client.apiserver_version()).await?;
    let mut checks = vec![
        said("argocd takes a refresh", refresh(client).await),
        said("mlflow under its own name", mlflow(client).await),
        said("git under its own name", git(client).await),
        said("inference-api under its own name", api(client).await),
        said("registry from inside", registry(client).await),
        said("dns", dns(client).await),
    ];
    for (account, verb, group, resource, object, namespace, may) in RIGHTS {
        let outcome = right(client, account, (verb, group, resource, object, namespace), *may).await;
        let not = if *may { "may" } else { "may not" };
        let of = match object.is_empty() {
            true => String::new(),
            false => format!("/{object}"),
        };
        checks.push(said(
            &format!("{account} {not} {verb} {resource}{of} in {namespace}"),
            outcome,
        ));
    }
    Ok(json!({ "checks": checks }))
}

fn target(namespace: &str, service: &str) -> Target {
    Target {
        namespace: namespace.to_owned(),
        service: service.to_owned(),
    }
}

/// Asks a Service under the name that programs in the cluster use, which MLflow looks at.
async fn ask(client: &Client, namespace: &str, service: &str, port: u16, path: &str) -> Result<String> {
    let host = match port {
        80 => format!("{service}.{namespace}.svc.cluster.local"),
        port => format!("{service}.{namespace}.svc.cluster.local:{port}"),
    };
    let (status, text) = bridge::get(client, &target(namespace, service), &host, path).await?;
    match status {
        200 => Ok(format!("{host} answers {path}")),
        _ => {
            let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let body: String = body.chars().take(200).collect();
            Err(Error::other(format!(
                "{host} answers {path} with {status}: {}",
                body.trim()
            )))
        }
    }
}

async fn mlflow(client: &Client) -> Result<String> {
    ask(
        client,
        "training",
        "mlflow",
        5000,
        "/api/2.0/mlflow/experiments/search?max_results=1",
    )
    .await
}

async fn git(client: &Client) -> Result<String> {
    let services: Api<Service> = Api::namespaced(client.clone(), GIT_SERVER.0);
    if get_opt(&services, "Service git-server in namespace gitops", GIT_SERVER.1)
        .await?
        .is_none()
    {
        return Ok("no Git server in the cluster: the repository is hosted".to_owned());
    }
    let path = format!("/{REPOSITORY}/info/refs?service=git-upload-pack");
    ask(client, GIT_SERVER.0, GIT_SERVER.1, 3000, &path).await
}

async fn api(client: &Client) -> Result<String> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "serving");
    let what = "Deployment inference-api in namespace serving";
    let wanted = get_opt(&deployments, what, "inference-api")
        .await?
        .and_then(|d| d.spec?.replicas);
    match wanted {
        Some(0) => Ok("nothing is released yet: no replicas are wanted".to_owned()),
        _ => ask(client, "serving", "inference-api", 8000, "/readyz").await,
    }
}

async fn registry(client: &Client) -> Result<String> {
    let services: Api<Service> = Api::namespaced(client.clone(), REGISTRY.0);
    let there = get_opt(&services, "Service registry in namespace kube-system", REGISTRY.1).await?;
    let Some(service) = there else {
        return Ok("no registry addon: images come from another registry".to_owned());
    };
    if service
        .spec
        .is_some_and(|spec| spec.selector.is_some_and(|selector| !selector.is_empty()))
    {
        return ask(client, REGISTRY.0, REGISTRY.1, 80, "/v2/").await;
    }
    // No pod to forward to, and the API server's proxy does not know such Services either.
    Ok("not proven: the Service has addresses written by hand, which only a pod can try".to_owned())
}

/// Asks the cluster's DNS server over TCP for the name that the trainer uses.
async fn dns(client: &Client) -> Result<String> {
    let name = "mlflow.training.svc.cluster.local";
    let whole = |answer: &[u8]| match answer {
        [high, low, rest @ ..] => rest.len() >= usize::from(u16::from_be_bytes([*high, *low])),
        _ => false,
    };
    let server = target("kube-system", "kube-dns");
    let answer = bridge::tcp(client, &server, &dns_question(name), whole).await?;
    match dns_answers(&answer) {
        Some(0) | None => Err(Error::other(format!(
            "the cluster's DNS has no address for {name}"
        ))),
        Some(_) => Ok(format!("the cluster's DNS knows {name}")),
    }
}

/// A question for an address (RFC 1035), with the length that TCP wants before it.
fn dns_question(name: &str) -> Vec<u8> {
    let mut message = vec![0x64, 0x6c, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap_or(63));
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length[..], &message].concat()
}

/// How many answers there are; `None` for an error or what is no answer.
fn dns_answers(answer: &[u8]) -> Option<u16> {
    let message = answer.get(2..)?;
    let failed = message.get(3)? & 0x0f != 0;
    let count = u16::from_be_bytes([*message.get(6)?, *message.get(7)?]);
    (!failed).then_some(count)
}

async fn right(
    client: &Client,
    account: &str,
    asked: (&str, &str, &str, &str, &str),
    may: bool,
) -> Result<String> {
    let (verb, group, resource, object, namespace) = asked;
    let (of, name) = account.split_once('/').unwrap_or_default();
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let what = format!("ask whether {account} may {verb} {resource}");
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("system:serviceaccount:{of}:{name}"),
            "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{of}"), "system:authenticated"],
            "resourceAttributes": {
                "verb": verb, "group": group, "resource": resource, "name": object, "namespace": namespace,
            },
        },
    });
    let review = serde_json::from_value(review).map_err(|error| Error::other(format!("{what}: {error}")))?;
    let answer = within(&what, api.create(&PostParams::default(), &review)).await?;
    match answer.status.is_some_and(|status| status.allowed) == may {
        true => Ok(String::new()),
        false if may => Err(Error::other("it is not allowed: the Role is missing")),
        false => Err(Error::other("it is allowed: somebody gave it more than it needs")),
    }
}

/// Sets the refresh annotation on one Application of ours and waits until it is taken.
async fn refresh(client: &Client) -> Result<String> {
    let api = applications(client, "argocd");
    let params = kube::api::ListParams::default().labels(crate::cli::OURS);
    let found = crate::connect::list(&api, "Applications in namespace argocd", &params).await?;
    let app = found.items.first().and_then(|app| app.metadata.name.clone());
    let app = app.ok_or_else(|| Error::other("there is no Application of ours"))?;
    let what = format!("Application {app} in namespace argocd");
    let patch = json!({"metadata": {"annotations": {REFRESH: "normal"}}});
    crate::connect::merge(&api, &what, &app, &patch).await?;
    let start = Instant::now();
    while start.elapsed() < REFRESH_WITHIN {
        let there = get_opt(&api, &what, &app).await?;
        let waits = there
            .and_then(|app| app.metadata.annotations)
            .is_some_and(|all| all.contains_key(REFRESH));
        if !waits {
            return Ok(format!("taken after {:.1} s", start.elapsed().as_secs_f64()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(Error::other(format!(
        "nobody took it within {} s: the application controller does not run",
        REFRESH_WITHIN.as_secs()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_messages() {
        let question = dns_question("a.bc");
        assert_eq!(question[..2], [0, 22]);
        assert_eq!(question[14..], [1, b'a', 2, b'b', b'c', 0, 0, 1, 0, 1]);
        let mut answer = question.clone();
        answer[9] = 1;
        assert_eq!(dns_answers(&answer), Some(1));
        answer[5] = 0x83;
        assert_eq!(dns_answers(&answer), None);
        assert_eq!(dns_answers(&[0, 3, 1]), None);
    }
}

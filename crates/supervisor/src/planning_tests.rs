//! Cases of planning: manifests in, plans or refusals out.

use super::*;
use crate::{config::StandIn, objects};

fn config() -> Config {
    Config {
        environment: "local".into(),
        kubectl: Some("/k".into()),
        kustomize: Vec::new(),
        port_offset: 1000,
        variables: BTreeMap::new(),
        stand_ins: BTreeMap::from([(
            "mlflow".to_owned(),
            StandIn {
                program: "/v/bin/mlflow".into(),
                args: Vec::new(),
                env: BTreeMap::new(),
                description: "mlflow from PyPI".into(),
            },
        )]),
    }
}

fn deployment_yaml(name: &str, image: &str, more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: serving}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  \
         template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n      - name: {name}\n        image: {image}\n        \
         ports: [{{name: http, containerPort: 8000}}]\n{more}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: serving}}\nspec: {{selector: {{app: {name}}}, ports: [{{port: 8000, nodePort: 30080}}]}}\n"
    )
}

fn of(text: &str) -> Result<AppPlan, String> {
    plan(&objects::read(text).map_err(|e| e.to_string())?, &config()).map_err(|e| e.to_string())
}

#[test]
fn a_deployment_with_its_port_and_defaults() {
    let made = of(&deployment_yaml(
        "api",
        "api@sha256:0",
        "        readinessProbe: {httpGet: {path: /readyz, port: http}}",
    ))
    .unwrap();
    let api = &made.deployments[0];
    assert_eq!(
        (api.replicas, api.host_port, api.progress_deadline_s),
        (1, Some(31080), 600)
    );
    assert_eq!(
        api.probes.readiness,
        Some(ProbePlan {
            action: ProbeAction::Http("/readyz".into()),
            initial_delay_s: 0,
            period_s: 10,
            timeout_s: 1,
            failure_threshold: 3,
            success_threshold: 1,
        })
    );
    assert_eq!(made.services[0].address(), "http://127.0.0.1:31080");
}

#[test]
fn the_hash_follows_the_template_and_nothing_else() {
    let hash = |text: &str| of(text).unwrap().deployments[0].hash.clone();
    let one = hash(&deployment_yaml("api", "api@sha256:0", ""));
    assert_eq!(
        one,
        hash(&deployment_yaml("api", "api@sha256:0", "  replicas: 3"))
    );
    assert_ne!(one, hash(&deployment_yaml("api", "api@sha256:1", "")));
    assert_ne!(
        one,
        hash(&deployment_yaml("api", "api@sha256:0", "        args: [x]"))
    );
    // A stand-in does not see the image, so it must not be restarted for one.
    let stand_in = hash(&deployment_yaml("mlflow", "mlflow:v1", ""));
    assert_eq!(stand_in, hash(&deployment_yaml("mlflow", "mlflow:v2", "")));
}

fn cron_yaml(fields: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: training}}\nspec:\n  {fields}\n  jobTemplate:\n    spec:\n      backoffLimit: 2\n      \
         podFailurePolicy: {{rules: [{{action: FailJob, onExitCodes: {{operator: In, values: [12]}}}}]}}\n      \
         template: {{spec: {{containers: [{{name: trainer, image: trainer}}]}}}}\n"
    )
}

#[test]
fn a_cron_job_with_its_rules() {
    let made = of(&cron_yaml(
        "schedule: '0 3 * * *'\n  suspend: true\n  concurrencyPolicy: Forbid",
    ))
    .unwrap();
    let cron = &made.crons[0];
    assert_eq!(
        (cron.suspend, cron.concurrency, cron.job.backoff_limit),
        (true, Concurrency::Forbid, 2)
    );
    assert_eq!((cron.keep_succeeded, cron.keep_failed), (3, 1));
    let rule = FailureRule {
        action: FailureAction::FailJob,
        inside: true,
        codes: vec![12],
    };
    assert_eq!(cron.job.failure_rules, [rule]);
}

#[test]
fn a_hook_is_listed_not_run() {
    let made = of(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: smoke, annotations: {argocd.argoproj.io/hook: PostSync}}\n\
         spec: {template: {spec: {containers: [{name: a, image: a}]}}}",
    )
    .unwrap();
    assert!(made.jobs.is_empty());
    assert_eq!(made.not_honoured[0].instead, "hooks of a sync are not run");
}

#[test]
fn refusals_name_object_field_value_and_expectation() {
    for (text, expected) in [
        (
            deployment_yaml("api", "a", "        livenessProbe: {httpGet: {path: /, port: htp}}"),
            "Deployment/api: livenessProbe.port = \"htp\": expected the name of a port of the container",
        ),
        (
            cron_yaml("schedule: '0 0 3 * * *'"),
            "CronJob/training: spec.schedule = \"0 0 3 * * *\": expected a schedule of five fields",
        ),
        (
            cron_yaml("schedule: '0 3 * * *'\n  concurrencyPolicy: Never"),
            "CronJob/training: spec.concurrencyPolicy = Never: expected Allow, Forbid or Replace",
        ),
        (
            deployment_yaml("api", "a", "").replace("30080", "64999"),
            "Service/api: spec.ports.0.nodePort = 64999: expected a port once 1000 is added",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec: {selector: {}, template: {}}".to_owned(),
            "Deployment/api: spec.template.spec.containers = []: expected at least one container",
        ),
    ] {
        let error = of(&text).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}
